"""Exact likeness: the same bytes of a file, the same decoded sound, the same decoded picture.

The hashes are in the manifest, so that no file is read.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int
from numpy import ndarray

from safe_data.audit.alike.likeness import Likeness, from_keys
from safe_data.audit.corpus import Corpus


def same_sound_files(corpus: Corpus) -> Likeness:
    """Sounds whose files have the same bytes; digital silence is left out, as it is a finding of its own."""
    return _same(corpus, "sound_file", "audio_sha256", "has_audio", "the same bytes of the sound")


def same_sounds(corpus: Corpus) -> Likeness:
    """Sounds whose decoded samples are the same; digital silence is left out."""
    return _same(corpus, "sound", "pcm_sha256", "has_audio", "the same samples")


def same_picture_files(corpus: Corpus) -> Likeness:
    """Pictures whose files have the same bytes."""
    return _same(corpus, "picture_file", "image_sha256", "has_image", "the same bytes of the picture")


def same_pictures(corpus: Corpus) -> Likeness:
    """Pictures whose decoded pixels are the same."""
    return _same(corpus, "picture", "pixel_sha256", "has_image", "the same pixels")


def loaded_rows(corpus: Corpus, medium: str | None = None) -> Int[ndarray, " records"]:
    """The rows of loaded records, of those that have a medium (`has_audio`, `has_image`) if it is given."""
    chosen = pc.equal(corpus.manifest["status"], "ok")
    if medium is not None:
        chosen = pc.and_(chosen, corpus.manifest[medium])
    return np.flatnonzero(np.asarray(pc.fill_null(chosen, False)))


def audible_rows(corpus: Corpus) -> Int[ndarray, " sounds"]:
    """The rows of loaded sounds that are not digital silence; one whose peak is not known is not."""
    rows = loaded_rows(corpus, "has_audio")
    peaks = np.asarray(corpus.manifest["peak"].to_numpy(zero_copy_only=False), float)
    audible: Int[ndarray, " sounds"] = rows[peaks[rows] != 0]  # a peak that is not known is NaN
    return audible


def same_value(corpus: Corpus, column: str, *, across: bool) -> Int[ndarray, " records"]:
    """Numbers of the loaded records that have the same value of a column; an empty one is -1.

    Args:
        corpus: the datasets
        column: such as `group`
        across: whether a value means the same in every dataset
    """
    values = pc.if_else(pc.equal(corpus.manifest["status"], "ok"), corpus.manifest[column], None)
    values = pc.if_else(pc.equal(values, ""), pa.scalar(None, values.type), values)
    codes = pc.fill_null(values.combine_chunks().dictionary_encode().indices, -1).to_numpy().astype(np.int64)
    numbers: Int[ndarray, " records"] = codes
    if not across:
        numbers = np.where(codes < 0, -1, codes * len(corpus.names) + corpus.dataset_of)
    return numbers


def _same(corpus: Corpus, kind: str, column: str, medium: str, evidence: str) -> Likeness:
    rows = audible_rows(corpus) if medium == "has_audio" else loaded_rows(corpus, medium)
    return from_keys(kind, rows, corpus.manifest[column].take(pa.array(rows)), evidence)

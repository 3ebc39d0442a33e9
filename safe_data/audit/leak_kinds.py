"""Leak kinds: in what two splits may be alike, from the same id to sounds that are nearly the same.

Each kind gives labels, equal for records that are alike. Silence is left out of sounds: two silent clips are
equal without sharing anything.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc

from safe_data.audit.corpus import Corpus
from safe_data.audit.matrix import Labels, Matrix, leakage_matrix, same_value
from safe_data.core.numerals import counted

NOT_READ = "no media were read, only annotations; build the dataset, then audit it"


class LeakKind(NamedTuple):
    """How records that are alike are found, and what they share, in words that complete "shares"."""

    labels: Callable[[Corpus], Labels]
    shares: str


def id_labels(corpus: Corpus) -> Labels:
    """Records of one dataset with one id."""
    return same_value(corpus, "id", across=False)


def group_labels(corpus: Corpus) -> Labels:
    """Records with one group; the datasets may be made of the same videos."""
    return same_value(corpus, "group", across=True)


def path_labels(corpus: Corpus) -> Labels:
    """Records for which the annotations of one corpus name one medium."""
    return same_value(corpus, "source_path", across=False)


def sound_file_labels(corpus: Corpus) -> Labels:
    """Records whose sounds are one file, byte for byte."""
    return _same_sound(corpus, "audio_sha256")


def sound_labels(corpus: Corpus) -> Labels:
    """Records whose sounds are the same once decoded."""
    return _same_sound(corpus, "pcm_sha256")


def picture_file_labels(corpus: Corpus) -> Labels:
    """Records whose pictures are one file, byte for byte."""
    return _same_medium(corpus, "has_image", "image_sha256")


def picture_labels(corpus: Corpus) -> Labels:
    """Records whose pictures are the same once decoded."""
    return _same_medium(corpus, "has_image", "pixel_sha256")


KINDS: dict[str, LeakKind] = {
    "media_path": LeakKind(path_labels, "the medium that the annotations name"),
    "sound_file": LeakKind(sound_file_labels, "a sound file, byte for byte"),
    "sound": LeakKind(sound_labels, "a sound, once decoded"),
    "picture_file": LeakKind(picture_file_labels, "a picture file, byte for byte"),
    "picture": LeakKind(picture_labels, "a picture, once decoded"),
    "group": LeakKind(group_labels, "a group"),
    "id": LeakKind(id_labels, "an id"),
}
WITHOUT_MEDIA = ("media_path", "group", "id")  # the kinds that annotations alone can show


def matrix_of(corpus: Corpus) -> Matrix:
    """The leakage matrix of a corpus, by every kind that it can show."""
    return leakage_matrix(corpus, labels_of(corpus))


def labels_of(corpus: Corpus) -> dict[str, Callable[[Corpus], Labels]]:
    """How records are labelled by kind; a built dataset compares media, and knows no paths of them."""
    names = WITHOUT_MEDIA if corpus.described else [name for name in KINDS if name != "media_path"]
    return {name: KINDS[name].labels for name in names}


def _same_sound(corpus: Corpus, column: str) -> Labels:
    labels = _same_medium(corpus, "has_audio", column)
    silent = pc.fill_null(pc.equal(corpus.manifest["peak"], 0.0), False).to_numpy()
    return np.where(silent, -1, labels)


def _same_medium(corpus: Corpus, medium: str, column: str) -> Labels:
    """Labels by a hash.

    Raises:
        ValueError: a medium that is there has no hash.
    """
    rows = corpus.manifest
    there = pc.and_(pc.equal(rows["status"], "ok"), pc.fill_null(rows[medium], False))
    hashless = pc.and_(there, pc.equal(pc.fill_null(rows[column], ""), ""))
    if missing := pc.sum(hashless).as_py() or 0:
        raise ValueError(f"{counted(missing, 'record')} of {rows.num_rows} have no {column}")
    return same_value(corpus, column, across=True)

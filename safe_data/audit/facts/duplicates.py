"""Duplicates within a split: records with the same media, and with media that are another's, made anew.

A record counts if it is not the first of its kind in its split: so many could be dropped without losing
anything. What two splits share is leakage, and is counted there.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int
from numpy import ndarray

from safe_data.audit.alike.clusters import numbers_by
from safe_data.audit.alike.exact import loaded_rows
from safe_data.audit.alike.media import NONE, exact_picture_numbers, picture_numbers, together
from safe_data.audit.corpus import Corpus
from safe_data.audit.facts.fact import (
    MOST_OFFENDERS,
    Fact,
    FactKind,
    Offender,
    audible,
    loaded,
    not_applicable,
    require_values,
)
from safe_data.audit.matrix import places

Rows = Int[ndarray, " records"]


def duplicate_records(corpus: Corpus) -> Fact:
    """Records whose sound and picture are both those of an earlier record of their split.

    A record without sound, or with a silent one, is compared by its picture, and the other way round.
    """
    rows = loaded(corpus.manifest, "has_audio", "has_image", "pcm_sha256", "pixel_sha256", "peak")
    heard = pc.and_(rows["has_audio"], pc.fill_null(pc.not_equal(rows["peak"], 0.0), True))
    codes = []
    for medium, name in ((heard, "pcm_sha256"), (rows["has_image"], "pixel_sha256")):
        require_values(rows.select([name]).filter(medium), name)
        coded = pc.dictionary_encode(pc.if_else(medium, rows[name], None)).combine_chunks()
        codes.append(np.asarray(pc.fill_null(coded.indices, NONE), np.int64))
    numbers = together(*codes)
    nothing = numbers == NONE
    return repeated(corpus, loaded_rows(corpus)[~nothing], numbers[~nothing], rows.num_rows)


def near_duplicate_sounds(corpus: Corpus) -> Fact:
    """Records whose sound is, or was made of, that of an earlier record of their split.

    Raises:
        ValueError: sounds could not be compared.
    """
    numbered = corpus.manifest.append_column("place", pa.array(np.arange(corpus.manifest.num_rows)))
    rows = np.asarray(audible(numbered, "place")["place"])
    if not len(rows):
        return not_applicable("no loaded record has such a medium")
    return repeated(corpus, rows, numbers_by(corpus, "sound", "near_sound")[rows], len(rows))


def near_duplicate_pictures(corpus: Corpus) -> Fact:
    """Records whose picture was made of that of an earlier record of their split: encoded or sized anew.

    Records that show the very same pixels as an earlier one do not count: a picture gets several sounds on
    purpose, and where the sounds are the same as well, the records are duplicates.

    Raises:
        ValueError: pictures could not be compared.
    """
    near, exact = corpus.once(picture_numbers), corpus.once(exact_picture_numbers)
    rows = np.flatnonzero(exact != NONE)
    if not len(rows):
        return not_applicable("no loaded record has such a medium")
    of_split = corpus.once(places).part_of[rows] * corpus.manifest.num_rows + exact[rows]
    _, firsts = np.unique(of_split, return_index=True)
    rows = np.sort(rows[firsts])
    return repeated(corpus, rows, near[rows], int((exact != NONE).sum()))


def near_duplicate_texts(corpus: Corpus) -> Fact:
    """Records with a text of five words or more that an earlier one of their split has, or nearly has.

    Raises:
        ValueError: what is asked is not known.
    """
    rows = loaded_rows(corpus)
    return repeated(corpus, rows, numbers_by(corpus, "near_text")[rows], len(rows))


def repeated(corpus: Corpus, rows: Rows, numbers: Rows, among: int) -> Fact:
    """How many of the rows have the number of an earlier one of their split, and which they repeat."""
    parts = corpus.once(places).part_of[rows]
    order = np.lexsort((rows, numbers, parts))
    rows, numbers, parts = rows[order], numbers[order], parts[order]
    new = np.append(True, (np.diff(numbers) != 0) | (np.diff(parts) != 0))[: len(rows)]
    firsts = rows[np.maximum.accumulate(np.where(new, np.arange(len(rows)), 0))] if len(rows) else rows
    again = np.sort(rows[~new])
    first_of = dict(zip(rows[~new].tolist(), firsts[~new].tolist(), strict=True))
    offenders = [
        Offender("", (corpus.label(row), corpus.label(first_of[row])))
        for row in again[:MOST_OFFENDERS].tolist()
    ]
    return Fact(len(again), among, tuple(offenders), detail=shares_by_split(corpus, again))


def shares_by_split(corpus: Corpus, affected: Rows) -> str:
    """The share of each split's loaded records that is affected, such as `1.2 % of train, 0.4 % of test`."""
    splits = corpus.manifest["split"]
    counts = pc.value_counts(splits.take(pa.array(affected))).to_pylist()
    ok = splits.filter(pc.equal(corpus.manifest["status"], "ok"))
    totals = {one["values"]: one["counts"] for one in pc.value_counts(ok).to_pylist()}
    found = sorted((one["values"], one["counts"]) for one in counts)
    return ", ".join(f"{100 * count / totals[split]:.1f} % of {split}" for split, count in found)


FACTS: dict[str, FactKind] = {
    "duplicate_records": FactKind(
        duplicate_records, "records with the sound and picture of an earlier record of their split"
    ),
    "near_duplicate_sounds": FactKind(
        near_duplicate_sounds,
        "records whose sound is, or was made of, that of an earlier record of their split",
    ),
    "near_duplicate_pictures": FactKind(
        near_duplicate_pictures, "records whose picture was made of that of an earlier record of their split"
    ),
    "near_duplicate_texts": FactKind(
        near_duplicate_texts, "records with a text of five words or more that an earlier one has, or nearly"
    ),
}

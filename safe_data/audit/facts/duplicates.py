"""Duplicates: records of a split that are one and the same, or whose sound, picture or text is another's.

A duplicate counts twice in training and in every result. What two splits share is in `leakage`.
"""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Bool, Int
from numpy import ndarray

from safe_data.audit.alike.all_alike import alike
from safe_data.audit.alike.clusters import components
from safe_data.audit.alike.likeness import require_all_read
from safe_data.audit.alike.media import (
    NONE,
    exact_picture_numbers,
    exact_sound_numbers,
    picture_numbers,
    sound_numbers,
    together,
)
from safe_data.audit.corpus import Corpus
from safe_data.audit.facts.fact import (
    HASH_DIGITS,
    MOST_OFFENDERS,
    Fact,
    FactKind,
    Offender,
    loaded,
    not_applicable,
    pictured,
    require_values,
    sounding,
)
from safe_data.audit.facts.leakage import split_shares

Numbers = Int[ndarray, " records"]


def duplicate_records(corpus: Corpus) -> Fact:
    """Records with the same sound and the same picture as another of their split.

    Of records with only one medium, or with a silent sound, that medium decides. Re-made copies are counted
    by the facts about near duplicates.
    """
    manifest = corpus.manifest
    loaded(manifest, "status")
    require_values(sounding(manifest, "pcm_sha256"), "pcm_sha256")
    require_values(pictured(manifest, "pixel_sha256"), "pixel_sha256")
    numbers = together(exact_sound_numbers(corpus), exact_picture_numbers(corpus))

    def what(row: int) -> str:
        hashes = [("sound", manifest["pcm_sha256"][row]), ("picture", manifest["pixel_sha256"][row])]
        return " and ".join(f"{name} {one.as_py()[:HASH_DIGITS]}" for name, one in hashes if one.as_py())

    return repeated(corpus, numbers, what)


def near_duplicate_sounds(corpus: Corpus) -> Fact:
    """Records whose sound is that of another record of their split, or a disguise of it."""
    if not sounding(corpus.manifest, "status").num_rows:
        return not_applicable("no record has a sound")
    evidence = alike(corpus, "near_sound").evidence
    return repeated(corpus, sound_numbers(corpus), lambda _: evidence)


def near_duplicate_pictures(corpus: Corpus) -> Fact:
    """Records whose picture is nearly that of another record of their split.

    Records that all show the very same pixels are not counted: a picture gets several sounds on purpose.
    """
    if not pictured(corpus.manifest, "status").num_rows:
        return not_applicable("no record has a picture")
    near, exact = picture_numbers(corpus), exact_picture_numbers(corpus)
    by_split = together(near, _split_of(corpus))
    found, whose = np.unique(by_split, return_inverse=True)
    pixels = np.unique(np.stack([whose, exact]), axis=1)[0]
    remade = np.bincount(pixels, minlength=len(found))[whose] > 1
    evidence = alike(corpus, "near_picture").evidence
    return repeated(corpus, near, lambda _: evidence, counted=remade)


def near_duplicate_texts(corpus: Corpus) -> Fact:
    """Records that have a text of five words or more which is also another's of their split, or nearly."""
    found = alike(corpus, "near_text")
    require_all_read(found)
    numbers = components(corpus.manifest.num_rows, [found])
    numbers[~np.asarray(pc.equal(corpus.manifest["status"], "ok"))] = NONE
    return repeated(corpus, numbers, lambda _: found.evidence)


def repeated(
    corpus: Corpus,
    numbers: Numbers,
    what: Callable[[int], str],
    counted: Bool[ndarray, " records"] | None = None,
) -> Fact:
    """Records whose number another record of their split has as well; -1 is the number of nothing.

    Args:
        corpus: the datasets
        numbers: equal for records that are the same
        what: says of a row what it shares with the others
        counted: which records count, if not all
    """
    manifest = corpus.manifest
    looked_at = numbers != NONE
    by_split = together(numbers, _split_of(corpus))
    _, firsts, whose, counts = np.unique(
        by_split[looked_at], return_index=True, return_inverse=True, return_counts=True
    )
    rows = np.flatnonzero(looked_at)
    many = counts[whose] > 1
    if counted is not None:
        many &= counted[rows]
    affected, groups = rows[many], whose[many]
    different = len(np.unique(groups))
    columns = loaded(manifest, "split", "examples")
    shares = split_shares(manifest.select(["split", "examples"]).take(pa.array(affected)), columns)
    detail = f"{shares}; {len(affected) - different} more than there are different ones" if shares else ""
    chosen = np.unique(groups)[np.argsort(-counts[np.unique(groups)], kind="stable")][:MOST_OFFENDERS]
    offenders = tuple(
        Offender(
            what(int(rows[firsts[group]])),
            tuple(map(corpus.label, affected[groups == group][:MOST_OFFENDERS].tolist())),
        )
        for group in chosen.tolist()
    )
    return Fact(len(affected), len(rows), offenders, detail=detail)


def _split_of(corpus: Corpus) -> Numbers:
    codes = pc.dictionary_encode(pc.fill_null(corpus.manifest["split"], "")).combine_chunks()
    return np.asarray(codes.indices, np.int64)


FACTS: dict[str, FactKind] = {
    "duplicate_records": FactKind(
        duplicate_records, "records with the same sound and picture as another of their split"
    ),
    "near_duplicate_sounds": FactKind(
        near_duplicate_sounds, "records whose sound, or a disguise of it, another of their split has"
    ),
    "near_duplicate_pictures": FactKind(
        near_duplicate_pictures, "records whose picture is another's of their split, encoded or sized anew"
    ),
    "near_duplicate_texts": FactKind(
        near_duplicate_texts, "records with a text of five words or more that another of their split has"
    ),
}

"""Leakage: ids that occur twice, and what records of more than one split share.

What is shared is an id, a group, a sound, a picture or a question. Facts count the records for evaluation
that are affected, not what they share: one picture may be behind every question of a test.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int
from numpy import ndarray

from safe_data.audit.alike.all_alike import alike
from safe_data.audit.alike.clusters import numbers_by
from safe_data.audit.alike.questions import leaking_questions
from safe_data.audit.corpus import Corpus
from safe_data.audit.facts.fact import (
    HASH_DIGITS,
    MOST_OFFENDERS,
    Fact,
    FactKind,
    Offender,
    audible,
    loaded,
    not_applicable,
    of_manifest,
    pictured,
    require_values,
)

TRAIN = "train"
WITHIN_A_DATASET = ("id", "group")  # another dataset may use the same words for other things


def duplicate_ids(manifest: pa.Table) -> Fact:
    """Ids that more than one loaded record has."""
    rows = loaded(manifest, "id", "split")
    require_values(rows, "id", "split")
    ids = rows.group_by("id", use_threads=False).aggregate([("split", "count")])
    repeated = ids.filter(pc.greater(ids["split_count"], 1))["id"].combine_chunks().sort()
    twins = rows.filter(pc.is_in(rows["id"], value_set=repeated[:MOST_OFFENDERS]))
    return Fact(len(repeated), rows.num_rows, _by_value(twins, "id", "id"))


def in_two_splits(corpus: Corpus, of: Callable[..., pa.Table], key: str) -> Fact:
    """Records for evaluation whose value of `key` also occurs in another split.

    Every split but `train` is for evaluation; without a split of that name, all are. Offenders name the first
    record of each split that has the value.
    """
    manifest = corpus.manifest.append_column("place", pa.array(np.arange(corpus.manifest.num_rows)))
    rows = of(manifest, *dict.fromkeys([key, "split", "id", "place", "examples"]))
    require_values(rows, key, "split", "id")
    codes = pc.dictionary_encode(rows[key]).combine_chunks()
    numbers = np.asarray(codes.indices, np.int64)
    if key in WITHIN_A_DATASET:
        numbers = numbers + len(codes.dictionary) * corpus.dataset_of[np.asarray(rows["place"])]
    words = rows[key]
    return _shared(corpus, rows, numbers, lambda place: f"{key} {_short(key, words[place].as_py())}")


def alike_in_two_splits(corpus: Corpus, of: Callable[..., pa.Table], kinds: tuple[str, ...]) -> Fact:
    """Records for evaluation that are like one in another split, by any of these kinds of likeness.

    Raises:
        ValueError: a kind could not be looked for, or not among all records.
    """
    labels = numbers_by(corpus, *kinds)
    manifest = corpus.manifest.append_column("place", pa.array(np.arange(corpus.manifest.num_rows)))
    rows = of(manifest, "split", "id", "place", "examples")
    evidence = alike(corpus, kinds[-1]).evidence
    return _shared(corpus, rows, labels[np.asarray(rows["place"])], lambda _: evidence)


def questions_in_two_splits(corpus: Corpus) -> Fact:
    """Records for evaluation with a question that another split asks on the same media, with the same answer.

    Raises:
        ValueError: media could not be compared.
    """
    found = corpus.once(leaking_questions)
    if not len(found.rows):
        return not_applicable("no question with an answer is asked about a sound or a picture")
    rows = corpus.manifest.select(["split"]).append_column("place", pa.array(np.arange(len(corpus.manifest))))
    rows = rows.take(pa.array(found.rows))
    ones = pa.array(np.ones(len(found.rows), np.int64))
    return _shared(corpus, rows.append_column("examples", ones), found.answer, found.says)


def _shared(
    corpus: Corpus, rows: pa.Table, numbers: Int[ndarray, " rows"], what: Callable[[int], str]
) -> Fact:
    """Records for evaluation whose number another split has as well.

    Args:
        corpus: the datasets
        rows: what is looked at, with its `split`, its `place` in the manifest and its number of `examples`;
            a record may have several
        numbers: the same for rows that share something
        what: what a row shares, in words
    """
    splits = pc.dictionary_encode(rows["split"]).combine_chunks()
    words, of_split = splits.dictionary.to_pylist(), np.asarray(splits.indices, np.int64)
    values, numbers = np.unique(numbers, return_inverse=True)
    present = np.zeros((len(values), len(words)), bool)
    present[numbers, of_split] = True
    shared = present.sum(axis=1) > 1
    asked = of_split != words.index(TRAIN) if TRAIN in words else np.ones(len(of_split), bool)
    affected = asked & shared[numbers]
    everything = loaded(corpus.manifest, "split", "examples")
    places = np.asarray(rows["place"])
    hit = rows.select(["split", "place", "examples"]).filter(pa.array(affected))
    hit = hit.group_by(["place", "split"], use_threads=False).aggregate([("examples", "sum")])
    return Fact(
        hit.num_rows,
        len(np.unique(places[asked])),
        _offenders(corpus, rows, numbers, of_split, shared, what),
        detail=split_shares(hit.rename_columns({"examples_sum": "examples"}), everything),
    )


def _offenders(
    corpus: Corpus,
    rows: pa.Table,
    numbers: Int[ndarray, " rows"],
    of_split: Int[ndarray, " rows"],
    shared: ndarray,
    what: Callable[[int], str],
) -> tuple[Offender, ...]:
    """The first shared values, each with its first record of each split."""
    places = np.flatnonzero(shared[numbers])
    _, firsts = np.unique(np.stack([numbers[places], of_split[places]]), axis=1, return_index=True)
    places = np.sort(places[firsts])
    names: dict[int, list[str]] = {}
    whats: dict[int, str] = {}
    row_of = np.asarray(rows["place"])
    for place in places.tolist():
        number = int(numbers[place])
        if number in names or len(names) < MOST_OFFENDERS:
            names.setdefault(number, []).append(corpus.label(int(row_of[place])))
            whats.setdefault(number, what(place))
    found = sorted((whats[number], tuple(sorted(names[number]))) for number in names)
    return tuple(Offender(word, records) for word, records in found)


def split_shares(affected: pa.Table, everything: pa.Table) -> str:
    """The share of each split that is affected: `29.6 % of test and 31.2 % of its questions, 4.1 % of val …`.

    Args:
        affected: records, with their split and the number of their examples
        everything: the same of all loaded records
    """
    parts = []
    of, out_of = _sums(affected), _sums(everything)
    for split in sorted(of):
        (records, questions), (all_records, all_questions) = of[split], out_of[split]
        asked = f" and {100 * questions / all_questions:.1f} % of its questions" if all_questions else ""
        parts.append(f"{100 * records / all_records:.1f} % of {split}{asked}")
    return ", ".join(parts)


def _sums(rows: pa.Table) -> dict[str, tuple[int, int]]:
    """Records and questions of each split."""
    sums = rows.group_by("split", use_threads=False).aggregate([("split", "count"), ("examples", "sum")])
    return {one["split"]: (one["split_count"], one["examples_sum"] or 0) for one in sums.to_pylist()}


def _by_value(rows: pa.Table, key: str, id_column: str) -> tuple[Offender, ...]:
    """One offender per value of `key`, with its records."""
    records: dict[str, list[str]] = {}
    first = rows.sort_by([(key, "ascending"), ("split", "ascending")]).slice(0, MOST_OFFENDERS**2)
    for row in first.to_pylist():
        records.setdefault(row[key], []).append(f"{row['split']}/{row[id_column]}")
    return tuple(Offender(f"{key} {_short(key, value)}", tuple(found)) for value, found in records.items())


def _short(column: str, value: str) -> str:
    return value[:HASH_DIGITS] if column.endswith("sha256") else value


_SHARED: dict[str, tuple[Callable[..., pa.Table], str, str]] = {
    "ids_in_two_splits": (loaded, "id", "id"),
    "groups_in_two_splits": (loaded, "group", "group"),
    "sound_files_in_two_splits": (audible, "audio_sha256", "sound file"),
    "sounds_in_two_splits": (audible, "pcm_sha256", "decoded sound"),
    "picture_files_in_two_splits": (pictured, "image_sha256", "picture file"),
    "pictures_in_two_splits": (pictured, "pixel_sha256", "decoded picture"),
}
_ALIKE: dict[str, tuple[Callable[..., pa.Table], tuple[str, ...], str]] = {
    "near_sounds_in_two_splits": (audible, ("sound", "near_sound"), "sound, or a disguise of it,"),
    "near_pictures_in_two_splits": (pictured, ("picture", "near_picture"), "picture, or a copy of it,"),
}

FACTS: dict[str, FactKind] = {
    "duplicate_ids": of_manifest(duplicate_ids, "ids that more than one loaded record has"),
    **{
        name: FactKind(
            partial(in_two_splits, of=of, key=key),
            f"records for evaluation whose {what} is in another split too",
        )
        for name, (of, key, what) in _SHARED.items()
    },
    "questions_in_two_splits": FactKind(
        questions_in_two_splits,
        "records for evaluation of which a question, about the same media and with the same answer, is in "
        "another split too",
    ),
    **{
        name: FactKind(
            partial(alike_in_two_splits, of=of, kinds=kinds),
            f"records for evaluation whose {what} is in another split too",
        )
        for name, (of, kinds, what) in _ALIKE.items()
    },
}

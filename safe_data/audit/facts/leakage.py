"""Leakage: ids that occur twice, and ids, groups, sounds or pictures that occur in more than one split."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from safe_data.audit.facts.fact import (
    HASH_DIGITS,
    MOST_OFFENDERS,
    Fact,
    FactKind,
    Offender,
    audible,
    loaded,
    of_manifest,
    pictured,
    require_values,
)

TRAIN = "train"


def duplicate_ids(manifest: pa.Table) -> Fact:
    """Ids that more than one loaded record has."""
    rows = loaded(manifest, "id", "split")
    require_values(rows, "id", "split")
    ids = rows.group_by("id", use_threads=False).aggregate([("split", "count")])
    repeated = ids.filter(pc.greater(ids["split_count"], 1))["id"].combine_chunks().sort()
    twins = rows.filter(pc.is_in(rows["id"], value_set=repeated[:MOST_OFFENDERS]))
    return Fact(len(repeated), rows.num_rows, _by_value(twins, "id", "id"))


def in_two_splits(manifest: pa.Table, of: Callable[..., pa.Table], key: str) -> Fact:
    """Records for evaluation whose value of `key` also occurs in another split.

    Every split but `train` is for evaluation; without a split of that name, all are. The fact counts records,
    not values, since one picture may be behind every question of a test. Offenders name the first record of
    each split that has the value.
    """
    rows = of(manifest, *dict.fromkeys([key, "split", "id", *_counted(manifest)]))
    require_values(rows, key, "split", "id")
    firsts = rows.group_by([key, "split"], use_threads=False).aggregate([("id", "first")])
    splits = firsts.group_by(key, use_threads=False).aggregate([("split", "count")])
    shared = splits.filter(pc.greater(splits["split_count"], 1))[key].combine_chunks().sort()
    asked = _for_evaluation(rows)
    affected = asked.filter(pc.is_in(asked[key], value_set=shared))
    leaking = firsts.filter(pc.is_in(firsts[key], value_set=shared[:MOST_OFFENDERS]))
    offenders = _by_value(leaking, key, "id_first")
    everything = loaded(manifest, "split", *_counted(manifest))
    return Fact(affected.num_rows, asked.num_rows, offenders, detail=split_shares(affected, everything))


def _counted(manifest: pa.Table) -> list[str]:
    """The column that counts questions, if there is one."""
    return [name for name in ("examples",) if name in manifest.schema.names]


def _for_evaluation(rows: pa.Table) -> pa.Table:
    trained = pc.equal(rows["split"], TRAIN)
    return rows.filter(pc.invert(trained)) if pc.any(trained).as_py() else rows


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
    counted = [("split", "count"), *((name, "sum") for name in _counted(rows))]
    sums = rows.group_by("split", use_threads=False).aggregate(counted).to_pylist()
    return {one["split"]: (one["split_count"], one.get("examples_sum") or 0) for one in sums}


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

FACTS: dict[str, FactKind] = {
    "duplicate_ids": of_manifest(duplicate_ids, "ids that more than one loaded record has"),
    **{
        name: of_manifest(
            in_two_splits, f"records for evaluation whose {what} is in another split too", of=of, key=key
        )
        for name, (of, key, what) in _SHARED.items()
    },
}

"""Leakage: ids that occur twice, and ids, groups, sounds or pictures that occur in more than one split."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from safe_data.audit.facts.fact import HASH_DIGITS, MOST_OFFENDERS, Fact, Offender, loaded, require_values


def duplicate_ids(manifest: pa.Table) -> Fact:
    """Ids that more than one loaded record has."""
    rows = loaded(manifest, "id", "split")
    require_values(rows, "id", "split")
    ids = rows.group_by("id", use_threads=False).aggregate([("split", "count")])
    repeated = ids.filter(pc.greater(ids["split_count"], 1))["id"].combine_chunks().sort()
    twins = rows.filter(pc.is_in(rows["id"], value_set=repeated[:MOST_OFFENDERS]))
    return Fact(len(repeated), rows.num_rows, _by_value(twins, "id", "id"))


def in_two_splits(manifest: pa.Table, of: Callable[..., pa.Table], key: str) -> Fact:
    """Values of `key` that occur in more than one split; offenders name the first record in each split."""
    rows = of(manifest, *dict.fromkeys([key, "split", "id"]))
    require_values(rows, key, "split", "id")
    firsts = rows.group_by([key, "split"], use_threads=False).aggregate([("id", "first")])
    splits = firsts.group_by(key, use_threads=False).aggregate([("split", "count")])
    shared = splits.filter(pc.greater(splits["split_count"], 1))[key].combine_chunks().sort()
    leaking = firsts.filter(pc.is_in(firsts[key], value_set=shared[:MOST_OFFENDERS]))
    return Fact(len(shared), rows.num_rows, _by_value(leaking, key, "id_first"))


def _by_value(rows: pa.Table, key: str, id_column: str) -> tuple[Offender, ...]:
    """One offender per value of `key`, with its records."""
    records: dict[str, list[str]] = {}
    first = rows.sort_by([(key, "ascending"), ("split", "ascending")]).slice(0, MOST_OFFENDERS**2)
    for row in first.to_pylist():
        records.setdefault(row[key], []).append(f"{row['split']}/{row[id_column]}")
    return tuple(Offender(f"{key} {_short(key, value)}", tuple(found)) for value, found in records.items())


def _short(column: str, value: str) -> str:
    return value[:HASH_DIGITS] if column.endswith("sha256") else value

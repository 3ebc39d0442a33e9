"""Leakage: what occurs in more than one split, and ids that occur twice."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from safe_data.audit.facts.fact import HASH_SHOWN, OFFENDERS_KEPT, Fact, Offender, _require, loaded


def _duplicate_ids(manifest: pa.Table) -> Fact:
    rows = loaded(manifest, "id", "split")
    _require(rows, "id", "split")
    ids = rows.group_by("id", use_threads=False).aggregate([("split", "count")])
    repeated = ids.filter(pc.greater(ids["split_count"], 1))["id"].combine_chunks().sort()
    twins = rows.filter(pc.is_in(rows["id"], value_set=repeated[:OFFENDERS_KEPT]))
    return Fact(len(repeated), rows.num_rows, _gathered(twins, "id", "id"))


def _in_two_splits(manifest: pa.Table, of: Callable[..., pa.Table], key: str) -> Fact:
    """How many values of `key` occur in more than one split, each with its first record in every split."""
    rows = of(manifest, *dict.fromkeys([key, "split", "id"]))
    _require(rows, key, "split", "id")
    firsts = rows.group_by([key, "split"], use_threads=False).aggregate([("id", "first")])
    splits = firsts.group_by(key, use_threads=False).aggregate([("split", "count")])
    shared = splits.filter(pc.greater(splits["split_count"], 1))[key].combine_chunks().sort()
    kept = firsts.filter(pc.is_in(firsts[key], value_set=shared[:OFFENDERS_KEPT]))
    return Fact(len(shared), rows.num_rows, _gathered(kept, key, "id_first"))


def _gathered(rows: pa.Table, key: str, id_column: str) -> tuple[Offender, ...]:
    """An offender a value of `key`, with its records."""
    records: dict[str, list[str]] = {}
    first = rows.sort_by([(key, "ascending"), ("split", "ascending")]).slice(0, OFFENDERS_KEPT**2)
    for row in first.to_pylist():
        records.setdefault(row[key], []).append(f"{row['split']}/{row[id_column]}")
    return tuple(Offender(f"{key} {_short(key, value)}", tuple(found)) for value, found in records.items())


def _short(column: str, value: str) -> str:
    return value[:HASH_SHOWN] if column.endswith("sha256") else value

"""Facts: one number each about a dataset, computed from its manifest, with the records that caused it.

A fact that could not be measured has no value and says why; it is never 0.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from safe_data.manifest import SCHEMA
from safe_data.measure import QUIET_DB

OFFENDERS_KEPT = 20
HASH_SHOWN = 12
UNMEASURABLE = (pa.ArrowException, KeyError, TypeError, ValueError)


@dataclass(frozen=True)
class Offender:
    """What is wrong (a shared group, a hash, a reason) and the records it is wrong in, as "split/id"."""

    what: str
    records: tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """A number, out of how many it was counted, and the first offenders; without a value, why not."""

    value: float | None
    among: int | None = None
    offenders: tuple[Offender, ...] = ()
    why_not: str | None = None


def compute_facts(manifest: pa.Table) -> dict[str, Fact]:
    """All facts of a manifest; one that cannot be measured says why and leaves the others alone."""
    facts = {}
    for name, measure in FACTS.items():
        try:
            fact = measure(manifest)
        except UNMEASURABLE as error:
            fact = Fact(None, why_not=str(error.args[0]) if error.args else repr(error))
        facts[name] = fact
    return facts


def loaded(manifest: pa.Table, *columns: str) -> pa.Table:
    """These columns of the records that are in a shard.

    Raises:
        ValueError: there are none, so nothing can be said about them.
    """
    rows = manifest.select(columns).filter(pc.equal(manifest["status"], "ok"))
    if not rows.num_rows:
        raise ValueError("no record was loaded, so there is nothing to look at")
    return rows


def pictured(manifest: pa.Table, *columns: str) -> pa.Table:
    """These columns of the loaded records with a picture."""
    return _having(manifest, "has_image", *columns)


def sounding(manifest: pa.Table, *columns: str) -> pa.Table:
    """These columns of the loaded records with a sound."""
    return _having(manifest, "has_audio", *columns)


def audible(manifest: pa.Table, *columns: str) -> pa.Table:
    """As `sounding`, without digital silence: two silent clips are alike without sharing anything."""
    sounds = sounding(manifest, "peak", *columns)
    return sounds.filter(pc.fill_null(pc.not_equal(sounds["peak"], 0.0), True))


def _having(manifest: pa.Table, medium: str, *columns: str) -> pa.Table:
    rows = loaded(manifest, medium, *columns)
    _require(rows, medium)
    return rows.filter(rows[medium])


def _require(rows: pa.Table, *columns: str) -> None:
    for name in columns:
        column = rows[name]
        empty = pc.sum(pc.equal(column, "")).as_py() or 0 if pa.types.is_string(column.type) else 0
        if missing := column.null_count + empty:
            raise ValueError(f"{missing} of {rows.num_rows} rows have no {name}; it was never written")


def _offending(rows: pa.Table, what: str) -> tuple[Offender, ...]:
    first = rows.select(["split", "id", what]).slice(0, OFFENDERS_KEPT).to_pylist()
    return tuple(Offender(f"{what} {row[what]}", (f"{row['split']}/{row['id']}",)) for row in first)


def _wrong_columns(manifest: pa.Table) -> Fact:
    """Columns that are missing or of another type than the format's; columns of one's own may be added."""
    found = dict(zip(manifest.schema.names, manifest.schema.types, strict=True))
    wrong = [
        Offender(f"{field.name} is {found.get(field.name, 'missing')}, the format says {field.type}", ())
        for field in SCHEMA
        if found.get(field.name) != field.type
    ]
    return Fact(len(wrong), len(SCHEMA), tuple(wrong))


def _rows(manifest: pa.Table) -> Fact:
    return Fact(manifest.num_rows)


def _loaded_rows(manifest: pa.Table) -> Fact:
    return Fact(pc.sum(pc.equal(manifest["status"], "ok")).as_py() or 0, manifest.num_rows)


def _load_rate(manifest: pa.Table) -> Fact:
    if not manifest.num_rows:
        raise ValueError("the manifest has no rows")
    rejected = manifest.select(["split", "id", "error"]).filter(
        pc.not_equal(pc.fill_null(manifest["status"], ""), "ok")
    )
    rate = (manifest.num_rows - rejected.num_rows) / manifest.num_rows
    return Fact(rate, None, _offending(rejected, "error"))


def _splits(manifest: pa.Table) -> Fact:
    rows = loaded(manifest, "split")
    _require(rows, "split")
    return Fact(pc.count_distinct(rows["split"]).as_py())


def _count(manifest: pa.Table, of: Callable[..., pa.Table]) -> Fact:
    return Fact(of(manifest).num_rows, loaded(manifest, "status").num_rows)


def _total(manifest: pa.Table, column: str) -> Fact:
    rows = loaded(manifest, column)
    _require(rows, column)
    return Fact(pc.sum(rows[column]).as_py())


def _duplicate_ids(manifest: pa.Table) -> Fact:
    rows = loaded(manifest, "id", "split")
    _require(rows, "id", "split")
    ids = rows.group_by("id", use_threads=False).aggregate([("split", "count")])
    repeated = ids.filter(pc.greater(ids["split_count"], 1))["id"].combine_chunks().sort()
    twins = rows.filter(pc.is_in(rows["id"], value_set=repeated[:OFFENDERS_KEPT]))
    return Fact(len(repeated), rows.num_rows, _gathered(twins, "id", "id"))


def _without_group(manifest: pa.Table) -> Fact:
    rows = loaded(manifest, "split", "id", "group")
    groupless = rows.filter(pc.equal(pc.fill_null(rows["group"], ""), ""))
    return Fact(groupless.num_rows, rows.num_rows, _offending(groupless, "group"))


def _silent_sounds(manifest: pa.Table) -> Fact:
    sounds = sounding(manifest, "split", "id", "peak", "rms_db")
    _require(sounds, "peak", "rms_db")
    quiet = sounds.filter(pc.or_(pc.equal(sounds["peak"], 0.0), pc.less(sounds["rms_db"], QUIET_DB)))
    return Fact(quiet.num_rows, sounds.num_rows, _offending(quiet, "rms_db"))


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


FACTS: dict[str, Callable[[pa.Table], Fact]] = {
    "wrong_columns": _wrong_columns,
    "rows": _rows,
    "loaded": _loaded_rows,
    "load_rate": _load_rate,
    "splits": _splits,
    "sounds": partial(_count, of=sounding),
    "pictures": partial(_count, of=pictured),
    "examples": partial(_total, column="examples"),
    "audio_examples": partial(_total, column="audio_examples"),
    "duplicate_ids": _duplicate_ids,
    "records_without_group": _without_group,
    "silent_sounds": _silent_sounds,
    "ids_in_two_splits": partial(_in_two_splits, of=loaded, key="id"),
    "groups_in_two_splits": partial(_in_two_splits, of=loaded, key="group"),
    "sound_files_in_two_splits": partial(_in_two_splits, of=audible, key="audio_sha256"),
    "sounds_in_two_splits": partial(_in_two_splits, of=audible, key="pcm_sha256"),
    "picture_files_in_two_splits": partial(_in_two_splits, of=pictured, key="image_sha256"),
    "pictures_in_two_splits": partial(_in_two_splits, of=pictured, key="pixel_sha256"),
}

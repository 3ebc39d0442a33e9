"""Counts: how many rows, sounds and pictures there are, and how many are faulty."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from safe_data.audit.facts.fact import Fact, Offender, _offending, _require, loaded, sounding
from safe_data.media.measure import QUIET_DB
from safe_data.shards.manifest import SCHEMA


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


def _without_group(manifest: pa.Table) -> Fact:
    rows = loaded(manifest, "split", "id", "group")
    groupless = rows.filter(pc.equal(pc.fill_null(rows["group"], ""), ""))
    return Fact(groupless.num_rows, rows.num_rows, _offending(groupless, "group"))


def _silent_sounds(manifest: pa.Table) -> Fact:
    sounds = sounding(manifest, "split", "id", "peak", "rms_db")
    _require(sounds, "peak", "rms_db")
    quiet = sounds.filter(pc.or_(pc.equal(sounds["peak"], 0.0), pc.less(sounds["rms_db"], QUIET_DB)))
    return Fact(quiet.num_rows, sounds.num_rows, _offending(quiet, "rms_db"))

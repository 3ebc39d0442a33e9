"""Counts: how many rows, sounds and pictures a dataset has, and how many of them are faulty."""

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc

from safe_data.audit.facts.fact import (
    Fact,
    FactKind,
    Offender,
    first_offenders,
    loaded,
    of_manifest,
    pictured,
    require_values,
    sounding,
)
from safe_data.media.measure import QUIET_DB
from safe_data.shards.manifest import LATER_COLUMNS, SCHEMA


def wrong_columns(manifest: pa.Table) -> Fact:
    """Columns of the format that are missing or have another type; extra columns are allowed.

    A column that an older dataset lacks is not missing.
    """
    found = dict(zip(manifest.schema.names, manifest.schema.types, strict=True))
    wrong = [
        Offender(f"{field.name} is {found.get(field.name, 'missing')}, the format says {field.type}", ())
        for field in SCHEMA
        if found.get(field.name) != field.type and (field.name in found or field.name not in LATER_COLUMNS)
    ]
    return Fact(len(wrong), len(SCHEMA), tuple(wrong))


def all_rows(manifest: pa.Table) -> Fact:
    """Rows of the manifest, rejected ones too."""
    return Fact(manifest.num_rows)


def loaded_rows(manifest: pa.Table) -> Fact:
    """Rows whose record is in a shard."""
    return Fact(pc.sum(pc.equal(manifest["status"], "ok")).as_py() or 0, manifest.num_rows)


def load_rate(manifest: pa.Table) -> Fact:
    """The fraction of all rows whose record is in a shard; offenders are the rejected ones."""
    if not manifest.num_rows:
        raise ValueError("the manifest has no rows")
    rejected = manifest.select(["split", "id", "error"]).filter(
        pc.not_equal(pc.fill_null(manifest["status"], ""), "ok")
    )
    rate = (manifest.num_rows - rejected.num_rows) / manifest.num_rows
    return Fact(rate, None, first_offenders(rejected, "error"))


def split_count(manifest: pa.Table) -> Fact:
    """Splits that have a loaded record."""
    rows = loaded(manifest, "split")
    require_values(rows, "split")
    return Fact(pc.count_distinct(rows["split"]).as_py())


def count(manifest: pa.Table, of: Callable[..., pa.Table]) -> Fact:
    """Loaded records that `of` chooses."""
    return Fact(of(manifest).num_rows, loaded(manifest, "status").num_rows)


def total(manifest: pa.Table, column: str) -> Fact:
    """The sum of a column over the loaded records."""
    rows = loaded(manifest, column)
    require_values(rows, column)
    return Fact(pc.sum(rows[column]).as_py())


def without_group(manifest: pa.Table) -> Fact:
    """Loaded records whose group is missing or empty."""
    rows = loaded(manifest, "split", "id", "group")
    groupless = rows.filter(pc.equal(pc.fill_null(rows["group"], ""), ""))
    return Fact(groupless.num_rows, rows.num_rows, first_offenders(groupless, "group"))


def silent_sounds(manifest: pa.Table) -> Fact:
    """Sounds that are digital silence, or quieter than -60 dBFS."""
    sounds = sounding(manifest, "split", "id", "peak", "rms_db")
    require_values(sounds, "peak", "rms_db")
    quiet = sounds.filter(pc.or_(pc.equal(sounds["peak"], 0.0), pc.less(sounds["rms_db"], QUIET_DB)))
    return Fact(quiet.num_rows, sounds.num_rows, first_offenders(quiet, "rms_db"))


FACTS: dict[str, FactKind] = {
    "wrong_columns": of_manifest(wrong_columns, "columns of the format that are missing or of another type"),
    "rows": of_manifest(all_rows, "records, rejected ones too"),
    "loaded": of_manifest(loaded_rows, "records that are in a shard"),
    "load_rate": of_manifest(load_rate, "fraction of all records that are in a shard"),
    "splits": of_manifest(split_count, "splits that have a loaded record"),
    "sounds": of_manifest(count, "loaded records that have a sound", of=sounding),
    "pictures": of_manifest(count, "loaded records that have a picture", of=pictured),
    "examples": of_manifest(total, "questions and captions about loaded records", column="examples"),
    "audio_examples": of_manifest(total, "of these, those that need the sound", column="audio_examples"),
    "records_without_group": of_manifest(without_group, "loaded records whose group is missing or empty"),
    "silent_sounds": of_manifest(silent_sounds, "sounds that are silence, or quieter than -60 dBFS"),
}

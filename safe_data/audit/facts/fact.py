"""Fact: one number about a dataset, and the records that caused it."""

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

OFFENDERS_KEPT = 20
HASH_SHOWN = 12


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

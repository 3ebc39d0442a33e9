"""Fact: one number about a corpus and the records behind it; and how the kinds of fact choose their rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from safe_data.audit.corpus import Corpus

MOST_OFFENDERS = 20
HASH_DIGITS = 12


@dataclass(frozen=True)
class Offender:
    """What is wrong (a shared group, a hash, a reason), and in which records, each as "split/id"."""

    what: str
    records: tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """A number, the total it was counted among, and the first offenders; without a number, the reason.

    `detail` adds to the number what a person wants to know, such as `29.6 % of test`. Where `applies` is
    False, the dataset has nothing that the fact is about, and a rule about it asks for nothing.
    """

    value: float | None
    among: int | None = None
    offenders: tuple[Offender, ...] = ()
    why_not: str | None = None
    detail: str = ""
    applies: bool = True


class FactKind(NamedTuple):
    """How a fact is computed, and what it says, for the list of all facts."""

    compute: Callable[[Corpus], Fact]
    about: str


def of_manifest(compute: Callable[..., Fact], about: str, **arguments: Any) -> FactKind:
    """A fact that is computed from the table of records alone."""
    return FactKind(lambda corpus: compute(corpus.manifest, **arguments), about)


def not_applicable(why: str) -> Fact:
    """A fact about something that the dataset does not have, such as transcripts."""
    return Fact(None, why_not=why, applies=False)


def loaded(manifest: pa.Table, *columns: str) -> pa.Table:
    """These columns of the records that are in a shard.

    Raises:
        ValueError: no record is in a shard, so nothing can be said.
    """
    rows = manifest.select(columns).filter(pc.equal(manifest["status"], "ok"))
    if not rows.num_rows:
        raise ValueError("no record was loaded, so there is nothing to look at")
    return rows


def pictured(manifest: pa.Table, *columns: str) -> pa.Table:
    """These columns of the loaded records that have a picture."""
    return _having(manifest, "has_image", *columns)


def sounding(manifest: pa.Table, *columns: str) -> pa.Table:
    """These columns of the loaded records that have a sound."""
    return _having(manifest, "has_audio", *columns)


def audible(manifest: pa.Table, *columns: str) -> pa.Table:
    """Like `sounding`, but without digital silence: two silent clips are equal without sharing anything."""
    sounds = sounding(manifest, "peak", *columns)
    return sounds.filter(pc.fill_null(pc.not_equal(sounds["peak"], 0.0), True))


def require_values(rows: pa.Table, *columns: str) -> None:
    """Refuse columns with nulls or empty strings: a fact about them would be about fewer rows.

    Raises:
        ValueError: a value is missing.
    """
    for name in columns:
        column = rows[name]
        empty = pc.sum(pc.equal(column, "")).as_py() or 0 if pa.types.is_string(column.type) else 0
        if missing := column.null_count + empty:
            raise ValueError(f"{missing} of {rows.num_rows} rows have no {name}; it was never written")


def first_offenders(rows: pa.Table, what: str) -> tuple[Offender, ...]:
    """The first rows as offenders, each with its value in the column `what`."""
    first = rows.select(["split", "id", what]).slice(0, MOST_OFFENDERS).to_pylist()
    return tuple(Offender(f"{what} {row[what]}", (f"{row['split']}/{row['id']}",)) for row in first)


def _having(manifest: pa.Table, medium: str, *columns: str) -> pa.Table:
    rows = loaded(manifest, medium, *columns)
    require_values(rows, medium)
    return rows.filter(rows[medium])

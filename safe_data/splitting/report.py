"""Report: what a split reached, which records moved, and what of the splits leaks, as JSON and as text."""

from collections import Counter
from collections.abc import Iterator

import msgspec
import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from safe_data.audit.matrix import NotLookedFor
from safe_data.core.numerals import counted, cut, percent
from safe_data.core.table import COLUMNS, Table, render
from safe_data.splitting.divide import NOWHERE, Divided, Divisible, Wanted

FORMAT_VERSION = 1
_LARGEST_SHOWN, _LONGEST_NAME = 3, 40


class Part(msgspec.Struct, frozen=True):
    """A split or a fold; shares are of the records that are divided, `class_error` is of the class shares.

    `class_error` is the largest difference between the share of a class here and in all that is divided.
    """

    name: str
    wanted: float | None
    reached: float
    records: int
    questions: int
    units: int
    class_error: float | None
    worst_class: str | None


class LargeUnit(msgspec.Struct, frozen=True):
    """A unit, named by a group in it; `share` is of all records."""

    name: str
    records: int
    share: float
    groups: int
    split: str | None


class Moved(msgspec.Struct, frozen=True):
    """How many records went from one split to another."""

    before: str
    after: str
    records: int


class Cleaned(msgspec.Struct, frozen=True):
    """What a kept split loses: the records whose unit an earlier split has, and what is asked about them."""

    split: str
    records: int
    questions: int
    leaking_records: int
    leaking_questions: int
    seen_in: dict[str, int]
    file: str


class Report(msgspec.Struct, frozen=True):
    """What `safe-data split` did; `missed` says where a fraction was not reached."""

    format_version: int
    source: str
    fingerprint: str
    group: str
    stratify: str | None
    seed: int
    records: int
    rejected: int
    units: int
    groups: int
    joined_units: int
    clusters: int | None
    largest: tuple[LargeUnit, ...]
    splits: tuple[Part, ...]
    folds: tuple[Part, ...]
    moved: tuple[Moved, ...]
    cleaned: tuple[Cleaned, ...]
    missed: tuple[str, ...]
    not_looked_for: tuple[NotLookedFor, ...]


def parts_of(
    given: Divisible,
    part: Int[ndarray, " records"],
    names: tuple[str, ...],
    wanted: tuple[float | None, ...],
    questions: Int[ndarray, " records"],
) -> tuple[Part, ...]:
    """What each part has of the records that are divided: those that count and whose part is not -1."""
    inside = given.counts & (part != NOWHERE)
    total = int(inside.sum())
    overall = _class_shares(given, inside)
    found = []
    for number, name in enumerate(names):
        here = inside & (part == number)
        records = int(here.sum())
        errors = np.abs(_class_shares(given, here) - overall) if records else np.zeros(0)
        worst = int(errors.argmax()) if len(errors) else None
        found.append(
            Part(
                name=name,
                wanted=wanted[number],
                reached=records / total if total else 0.0,
                records=records,
                questions=int(questions[here].sum()),
                units=len(np.unique(given.units.of_row[here])),
                class_error=float(errors[worst]) if worst is not None else None,
                worst_class=given.classes.names[worst] if worst is not None else None,
            )
        )
    return tuple(found)


def _class_shares(given: Divisible, chosen: Bool[ndarray, " records"]) -> ndarray:
    codes = given.classes.codes[chosen[given.classes.rows]]
    counts = np.bincount(codes, minlength=len(given.classes.names))
    shares: ndarray = counts / max(1, counts.sum())
    return shares


def wanted_shares(wanted: Wanted) -> tuple[float | None, ...]:
    """The share that each split should have, dev included; None where splits are kept."""
    if not wanted.fractions:
        return (None,) * len(wanted.all_names)
    shares = [fraction / sum(wanted.fractions) for fraction in wanted.fractions]
    if wanted.dev is not None:
        shares = [shares[0] * (1 - wanted.dev), shares[0] * wanted.dev, *shares[1:]]
    return tuple(shares)


def largest_units(given: Divisible, divided: Divided) -> tuple[LargeUnit, ...]:
    """The units with the most records; no split where a kept unit is in several."""
    units, total = given.units, int(given.counts.sum())
    order = np.argsort(-units.sizes, kind="stable")[:_LARGEST_SHOWN]
    found = []
    for unit in order[units.sizes[order] > 0].tolist():
        splits = np.unique(divided.split[given.counts & (units.of_row == unit)])
        records = int(units.sizes[unit])
        where = divided.names[splits[0]] if len(splits) == 1 else None
        found.append(LargeUnit(units.names[unit], records, records / total, int(units.groups[unit]), where))
    return tuple(found)


def moves(given: Divisible, divided: Divided) -> tuple[Moved, ...]:
    """How many records went where, those that stayed included; the most first."""
    rows = np.flatnonzero(given.counts).tolist()
    pairs = Counter((given.now[row], divided.names[divided.split[row]]) for row in rows)
    ordered = sorted(pairs.items(), key=lambda one: (-one[1], one[0]))
    return tuple(Moved(*pair, count) for pair, count in ordered)


def cleaned_of(
    given: Divisible, divided: Divided, questions: Int[ndarray, " records"]
) -> tuple[Cleaned, ...]:
    """What each split but the first loses."""
    found = []
    for number, name in enumerate(divided.names[1:], 1):
        here = given.counts & (divided.split == number)
        lost = here & (divided.leaks != NOWHERE)
        seen = Counter(divided.names[code] for code in divided.leaks[lost].tolist())
        if here.any():
            found.append(
                Cleaned(
                    split=name,
                    records=int(here.sum()),
                    questions=int(questions[here].sum()),
                    leaking_records=int(lost.sum()),
                    leaking_questions=int(questions[lost].sum()),
                    seen_in={split: seen[split] for split in divided.names if split in seen},
                    file=f"{name}.clean.txt",
                )
            )
    return tuple(found)


def missed_parts(parts: tuple[Part, ...], largest: tuple[LargeUnit, ...], tolerance: float) -> Iterator[str]:
    """Where a share is further from the wanted one than `tolerance`, and which unit stands in the way."""
    off = [part for part in parts if part.wanted is not None and abs(part.reached - part.wanted) > tolerance]
    for part in off:
        yield f"{part.name} has {percent(part.reached)} of the records, not {percent(part.wanted or 0)}"
    if off and largest:
        biggest = max(part.wanted or 0 for part in parts)
        one = largest[0]
        within = f", with {one.groups - 1} more groups by what they share," if one.groups > 1 else ""
        alone = f"{cut(one.name, _LONGEST_NAME)}{within} has {percent(one.share)} of them"
        impossible = one.share > biggest + tolerance
        yield f"{alone}, more than any split should have" if impossible else f"the largest is {alone}"


def report_lines(report: Report) -> list[str]:
    """The report in 80 columns."""
    stay = f"  in {counted(report.units, 'unit')} that stay together: {counted(report.groups, 'group')}"
    if report.clusters is not None:
        stay += f", {counted(report.clusters, 'cluster')} of duplicates"
    more = f", and {report.rejected} rejected" if report.rejected else ""
    lines = [f"{report.source}: {counted(report.records, 'record')}{more}", stay]
    lines += ["", *render([_parts_table("split", report.splits, report.stratify)], "text")]
    if report.folds:
        lines += ["", *render([_parts_table("fold", report.folds, report.stratify)], "text")]
    moved = [one for one in report.moved if one.before != one.after]
    if report.cleaned:
        lines += ["", *render([_cleaned_table(report.cleaned)], "text")]
    if moved:
        rows = [(one.before, one.after, one.records) for one in moved]
        lines += ["", *render([Table("moved", ("from", "to", "records"), rows)], "text")]
    elif not report.cleaned:
        lines += ["", "no record moved"]
    lines += ["", *(f"not reached: {line}" for line in report.missed)] if report.missed else []
    lines += [f"not looked for: {one.kind}: {one.why}" for one in report.not_looked_for]
    return [cut(line, COLUMNS) for line in lines]


def _parts_table(what: str, parts: tuple[Part, ...], stratify: str | None) -> Table:
    columns = [what, "wanted", "reached", "records", "questions", "units"]
    columns += [f"{stratify} off by"] if stratify else []
    rows = [
        [part.name, part.wanted, part.reached, part.records, part.questions, part.units]
        + ([part.class_error] if stratify else [])
        for part in parts
    ]
    return Table(f"{what}s", tuple(columns), rows)


def _cleaned_table(cleaned: tuple[Cleaned, ...]) -> Table:
    columns = ("split", "records", "leak", "share", "questions", "leak ", "share ")
    rows = [
        (
            one.split,
            one.records,
            one.leaking_records,
            one.leaking_records / one.records,
            one.questions,
            one.leaking_questions,
            one.leaking_questions / one.questions if one.questions else None,
        )
        for one in cleaned
    ]
    return Table("what the splits share with those before them", columns, rows)

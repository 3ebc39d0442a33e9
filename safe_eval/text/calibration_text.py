"""Calibration tables: temperatures, and every measure before and after them."""

import textwrap
from collections.abc import Iterator
from typing import Literal

from safe_data.core import numerals
from safe_data.core.table import Format, Table, Value, render
from safe_eval.calibration.calibrate import CalibratedArm, CalibrationReport
from safe_eval.statistics.calibration.calibration import Estimate

_MEASURES = {
    "accuracy": "accuracy",
    "confidence": "confidence",
    "ece": "ECE, equal width",
    "ece_equal_mass": "ECE, equal mass",
    "debiased_ece": "ECE, debiased (RMS)",
    "mce": "MCE",
    "smooth_ece": "smooth ECE",
    "brier": "Brier score",
    "nll": "NLL (nats)",
}
_ERRORS = {"classwise_ece": "ECE", "nll": "NLL"}  # of distributions; ECE is classwise

Style = Literal["text", "data"]  # intervals as people read them, or each end in a column of its own


def calibration_lines(report: CalibrationReport, format: Format) -> list[str]:
    """What a report says, in a format."""
    text = [*render(_tables(report, "text"), "text"), *_notes(report)] if format == "text" else None
    return render(_tables(report, "data"), format, report, text)


def _tables(report: CalibrationReport, style: Style) -> list[Table]:
    return [
        *(_of_cell(report, cell, style) for cell in report.cells),
        *([_of_falls(report, style)] if report.falls else []),
        *([_of_choices(report, style)] if report.choices else []),
    ]


def _of_cell(report: CalibrationReport, cell: CalibratedArm, style: Style) -> Table:
    about = cell.before
    title = (
        f"{report.model}/{cell.condition}, seed {cell.seed}: n {about.n} in {about.clusters} clusters, "
        f"temperature {cell.temperature:.3f}"
    )
    rows: list[tuple[Value, ...]] = []
    for field, name in _MEASURES.items():
        sides = (getattr(cell.before, field), getattr(cell.after, field))
        rows.append((name, *(part for side in sides for part in _measured(side, style))))
    return Table(title, _columns("measure", style), rows)


def _of_falls(report: CalibrationReport, style: Style) -> Table:
    """Whether confidence falls where something was taken away."""
    rows = []
    for fall in report.falls:
        ends: tuple[Value, ...] = (fall.ci_low, fall.ci_high)
        if style == "text":
            ends = (numerals.interval(fall.ci_low, fall.ci_high, signed=True),)
        rows.append((f"full − {fall.condition}", fall.seed, fall.difference, *ends, fall.p_value, fall.n))
    columns = ("interval",) if style == "text" else ("low", "high")
    return Table(
        "confidence that falls, before the temperature",
        ("conditions", "seed", "difference", *columns, "p", "n"),
        rows,
        {"difference": numerals.difference, "p": numerals.p_value},
    )


def _of_choices(report: CalibrationReport, style: Style) -> Table:
    """A row for each seed, condition and set of choices; text leaves the intervals to the other formats."""
    rows: list[tuple[Value, ...]] = []
    for found in report.choices:
        sides = [(getattr(found.before, name), getattr(found.after, name, None)) for name in _ERRORS]
        numbers = [part for pair in sides for side in pair for part in _measured(side, style)]
        if style == "text":
            numbers = [side.value if side else None for pair in sides for side in pair]
        about = (found.condition, found.seed, ", ".join(found.choices), found.n, found.temperature)
        rows.append((*about, *numbers))
    names = [f"{name}{when}" for name in _ERRORS.values() for when in ("", " after")]
    if style == "data":
        names = [f"{name}{end}" for name in names for end in ("", " low", " high")]
    title = f"{report.model}: distributions over choices, each set with a temperature of its own"
    return Table(title, ("condition", "seed", "choices", "n", "T", *names), rows)


def _columns(first: str, style: Style) -> tuple[str, ...]:
    if style == "text":
        return (first, "before", "interval", "after", "interval after")
    return (first, "before", "before_low", "before_high", "after", "after_low", "after_high")


def _measured(found: Estimate | float | None, style: Style) -> tuple[Value, ...]:
    """A value with its interval; smooth ECE has none."""
    low = high = None
    if isinstance(found, Estimate):
        low, high = found.interval.low, found.interval.high
    value = found.value if isinstance(found, Estimate) else found
    if style == "data":
        return value, low, high
    return value, numerals.MISSING if low is None else numerals.interval(low, high)


def _notes(report: CalibrationReport) -> Iterator[str]:
    fits = sorted({(cell.seed, cell.dev_n) for cell in report.cells})
    fitted = ", ".join(f"{n} answers (seed {seed})" for seed, n in fits)
    confidence = numerals.percent(report.confidence)
    lines = [
        f"temperature: fitted by NLL on {report.dev.name}, on the answers to the untouched input: {fitted}",
        f"{confidence} intervals, clustered by {report.cluster}; right is the share that the scorer gives",
        *(f"note: {note}" for note in report.notes),
        *dict.fromkeys(
            f"note: no temperature for {', '.join(found.choices)}, seed {found.seed}: {found.why_not}"
            for found in report.choices
            if found.why_not
        ),
    ]
    yield ""
    for line in lines:
        yield from textwrap.wrap(line, 80, subsequent_indent="  ")

"""A calibration in any format: calibrators, and every metric before and after them."""

import textwrap
from collections.abc import Iterator
from typing import Literal

from safe_data.core import numerals
from safe_data.core.table import COLUMNS, Table, Value, render
from safe_eval.calibration.calibrate import CalibratedArm, CalibrationReport
from safe_eval.statistics.calibration.calibration import Estimate
from safe_eval.statistics.calibration.calibrator import MULTICLASS, PLATT, Calibrator

_METRICS = {
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
PLAIN = "plain temperature"
_SHORT = {MULTICLASS: "choices", PLATT: "Platt"}  # calibrators, in a column
_ERRORS = {"classwise_ece": "ECE", "nll": "NLL"}  # of distributions; ECE is classwise

Style = Literal["text", "data"]  # an interval in one column for people, or each end in its own column


CALIBRATION_TABLES = ("calibration", "calibrators", "confidence_drops", "choices")  # their names


def calibration_lines(report: CalibrationReport) -> list[str]:
    """A calibration as text for people."""
    return [*render(calibration_tables(report, "text"), "text"), *_notes(report)]


def calibration_tables(report: CalibrationReport, style: Style = "data") -> list[Table]:
    """The tables of every condition and seed, of the fits, of the falls of confidence, and of choices."""
    return [
        *(_of_arm(report, arm, style) for arm in report.cells),
        *([_of_fits(report)] if any(arm.calibrators for arm in report.cells) else []),
        *([_of_falls(report, style)] if report.falls else []),
        *([_of_choices(report, style)] if report.choices else []),
    ]


def _of_arm(report: CalibrationReport, arm: CalibratedArm, style: Style) -> Table:
    about = arm.before
    title = (
        f"{report.model}/{arm.condition}, seed {arm.seed}: n {about.n} in "
        f"{numerals.counted_clusters(about.clusters, about.effective_clusters)}, "
        f"{'; '.join(map(_fitted, arm.calibrators)) or 'not calibrated'}"
    )
    rows: list[tuple[Value, ...]] = []
    for field, name in _METRICS.items():
        sides = (getattr(arm.before, field), getattr(arm.after, field, None))
        rows.append((name, *(part for side in sides for part in _measured(side, style))))
    facts: dict[str, Value] = {"model": report.model, "condition": arm.condition, "seed": arm.seed}
    facts |= {"n": about.n, "clusters": about.clusters, "effective": about.effective_clusters}
    facts["plain temperature"] = arm.temperature  # the numbers after are of the calibrators
    return Table(title, _columns("metric", style), rows, about=facts, name="calibration")


def _fitted(one: Calibrator) -> str:
    """The parameters of a calibrator, for example "slope 0.550, bias −1.200"."""
    if one.temperature is not None:
        return f"temperature {one.temperature:.3f}"
    return f"slope {numerals.fraction(one.slope)}, bias {numerals.fraction(one.bias)}"


def _of_fits(report: CalibrationReport) -> Table:
    """What was fitted, one row each, and beside it the plain temperature of the same arm."""
    rows: list[tuple[Value, ...]] = []
    for arm in report.cells:
        about = (arm.condition, arm.seed)
        nll = None if arm.after is None else arm.after.nll.value
        for one in arm.calibrators:
            parameters = (one.temperature, one.slope, one.bias)
            rows.append((*about, _SHORT[one.method], *parameters, one.dev_n, one.n, nll))
        if arm.temperature is not None:
            plain = ("plain", arm.temperature, None, None)
            rows.append((*about, *plain, arm.dev_n, arm.before.n, arm.temperature_nll))
    names = ("condition", "seed", "calibrator", "T", "slope", "bias", "dev n", "n", "NLL after")
    title = f"{report.model}: calibrators fitted on dev, and the NLL of test after them"
    return Table(title, names, rows, name="calibrators")


def _of_falls(report: CalibrationReport, style: Style) -> Table:
    """Whether confidence falls where something was removed from the input."""
    rows = []
    for fall in report.falls:
        ends: tuple[Value, ...] = (fall.ci_low, fall.ci_high)
        if style == "text":
            ends = (numerals.interval(fall.ci_low, fall.ci_high, signed=True),)
        rows.append((f"full − {fall.condition}", fall.seed, fall.difference, *ends, fall.p_value, fall.n))
    columns = ("interval",) if style == "text" else ("low", "high")
    return Table(
        "confidence under full minus under a condition, as stated",
        ("conditions", "seed", "difference", *columns, "p", "n"),
        rows,
        {"difference": numerals.difference, "p": numerals.p_value},
        name="confidence_drops",
    )


def _of_choices(report: CalibrationReport, style: Style) -> Table:
    """One row per seed, condition and set of choices; only formats other than text show the intervals."""
    rows: list[tuple[Value, ...]] = []
    for found in report.choices:
        errors = [getattr(side, name, None) for name in _ERRORS for side in (found.before, found.after)]
        numbers = [part for error in errors for part in _measured(error, style)]
        if style == "text":
            numbers = [error.value if error else None for error in errors]
        about = (found.condition, found.seed, ", ".join(found.choices), found.n, found.temperature)
        rows.append((*about, *numbers))
    names = [f"{name}{when}" for name in _ERRORS.values() for when in ("", " after")]
    if style == "data":
        names = [f"{name}{end}" for name in names for end in ("", " low", " high")]
    title = f"{report.model}: distributions over choices, one temperature per set"
    return Table(title, ("condition", "seed", "choices", "n", "T", *names), rows, name="choices")


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
    confidence = numerals.percent(report.confidence)
    lines = [
        f"fitted by NLL on {report.dev.name}, on the answers to the untouched input: a temperature of the "
        "choices where a row has choice_probabilities, else Platt scaling",
        f"{confidence} intervals, clustered by {report.cluster}; right is the score of an answer, in [0, 1]",
        *(f"note: {note}" for note in report.notes),
        *dict.fromkeys(_about_fits(report)),
        *dict.fromkeys(
            f"note: no temperature for {', '.join(found.choices)}, seed {found.seed}: {found.why_not}"
            for found in report.choices
            if found.why_not
        ),
    ]
    yield ""
    for line in lines:
        yield from textwrap.wrap(line, COLUMNS, subsequent_indent="  ")


def _about_fits(report: CalibrationReport) -> Iterator[str]:
    """What a reader must know of the calibrators: bounds, an order turned round, and why there is none."""
    for arm in report.cells:
        if arm.why_not:
            yield f"not calibrated, seed {arm.seed}: {arm.why_not}"
        for one in arm.calibrators:
            if one.bound:
                yield f"note: {one.method}, seed {arm.seed}: {one.bound}"
            if one.slope is not None and one.slope < 0:
                yield (
                    f"note: seed {arm.seed}: the slope is below 0, so surer dev answers are wrong more "
                    "often, and the order of confidences is turned round"
                )
        if arm.temperature_bound:
            yield f"note: {PLAIN}, seed {arm.seed}: {arm.temperature_bound}"
    for found in report.choices:
        if found.bound:
            yield f"note: {', '.join(found.choices)}, seed {found.seed}: {found.bound}"

"""Drift: what vision questions lose while the gate is open, and whether that is more than a run may lose.

A vision question hears nothing (nothing can be lost then), silence, or an irrelevant sound. What is lost is
bounded from below to stop a run, so that a few unlucky questions do not end it, and from above to say that
little was lost.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from jaxtyping import Bool, Int64
from numpy import ndarray

from safe_eval.statistics.paired_score import PairedLoss, items_that_show, paired_loss

IRRELEVANT, SILENT, NO_AUDIO = "vl", "vl_silent", "vl_no_audio"  # the metrics' names begin so
CASES = {IRRELEVANT: "an irrelevant sound", SILENT: "silence", NO_AUDIO: "no audio"}
MEASURED = ("accuracy", "drift", "drift_low", "drift_high", "flips", "kl", "effective_questions")
QUESTIONS = "vl_questions"
CONFIDENCE = 0.95
_POINTS = 100


class DriftedError(Exception):
    """A run was stopped because it was shown to lose more of the base's answers than it may."""


class Drift(NamedTuple):
    """What vision questions lose that hear one kind of sound."""

    heard: str
    accuracy: float
    kl: float
    loss: PairedLoss


def drift_metrics(
    case: str,
    base_right: Bool[ndarray, " questions"],
    right: Bool[ndarray, " questions"],
    groups: Int64[ndarray, " questions"],
    kl: float,
) -> dict[str, float]:
    """The metrics of a case: accuracies, drift and flips as fractions of 1, kl in nats a token.

    `drift_low` and `drift_high` are one-sided 95 % bounds of the accuracy that is lost.
    """
    loss = paired_loss(base_right.astype(float), right.astype(float), groups, CONFIDENCE)
    flips = (loss.lost + loss.gained) / loss.n
    values = (float(right.mean()), loss.loss, loss.low, loss.high, flips, kl, loss.effective)
    return {f"{case}_{name}": value for name, value in zip(MEASURED, values, strict=True)}


def drifts(metrics: Mapping[str, float]) -> list[Drift]:
    """The drift of each case that an evaluation measured."""
    found = []
    for case, heard in CASES.items():
        if f"{case}_drift_low" not in metrics:
            continue
        accuracy, drift, low, high, flips, kl, effective = (metrics[f"{case}_{name}"] for name in MEASURED)
        n = int(metrics[QUESTIONS])
        lost, gained = (round((flips + sign * drift) / 2 * n) for sign in (1, -1))
        found.append(Drift(heard, accuracy, kl, PairedLoss(drift, low, high, lost, gained, n, effective)))
    return found


def shown_above(metrics: Mapping[str, float], limit: float | None) -> list[Drift]:
    """The cases whose drift is above a limit even by its lower bound; none without a limit."""
    return [] if limit is None else [one for one in drifts(metrics) if one.loss.low > limit]


def largest_drift(metrics: Mapping[str, float]) -> float:
    """The drift of the worst case; 0 if none was measured."""
    return max((one.loss.loss for one in drifts(metrics)), default=0.0)


def drift_line(metrics: Mapping[str, float]) -> str:
    """The drift of all cases in one line; empty if none was measured."""
    found = drifts(metrics)
    parts = [f"{_points(one.loss.loss)} {_bounds(one.loss)} with {one.heard}" for one in found]
    return f"VL drift in points {', '.join(parts)}" if found else ""


def drift_table(metrics: Mapping[str, float], limit: float | None) -> list[str]:
    """What was measured on vision questions, a line a case, and what that shows about a limit."""
    found = drifts(metrics)
    width = max((len(one.heard) for one in found), default=0)
    lines = [
        f"VL, {one.heard:{width}}  accuracy {one.accuracy:.3f}, drift {_points(one.loss.loss)} points "
        f"{_bounds(one.loss)}, KL {one.kl:.2g}"
        for one in found
    ]
    return lines if limit is None or not found else [*lines, _judged(found, limit)]


def stop_message(
    out: Path, evaluations: Sequence[Mapping[str, Any]], limit: float, published: int | None
) -> str:
    """Why a run was stopped, what was kept of it, and what to do; the last evaluation is the one that did."""
    last = evaluations[-1]
    worst = max(shown_above(last, limit), key=lambda one: one.loss.low)
    kept = next((line for line in evaluations if line["step"] == published), None)
    if kept is None:
        adapter = "no adapter is written: each evaluation showed as much"
    else:
        heard = f"audio accuracy {kept['audio_accuracy']:.3f}, " if "audio_accuracy" in kept else ""
        lost = _points(largest_drift(kept))
        adapter = f"the adapter is the best state before, of step {published}: {heard}drift {lost} points"
    return (
        f"{out}: stopped after step {last['step']:.0f}, because VL questions lose "
        f"{_points(worst.loss.loss)} points with {worst.heard}\n"
        f"  (one-sided 95 % bound: at least {_points(worst.loss.low)}; "
        f"--drift-stop is {_POINTS * limit:g} {_plural(limit)})\n"
        f"  {adapter}\n"
        "  raise --kl-weight, give vl a larger weight, or lower the learning rates; to train on all\n"
        "  the same, raise --drift-stop (null: never stop); both need another folder, or --force"
    )


def _judged(found: Sequence[Drift], limit: float) -> str:
    """Whether the drift of all cases is shown to be below a limit, and else what would show it."""
    within = f"within {_POINTS * limit:g} {_plural(limit)}"
    above = [one for one in found if one.loss.low > limit]
    if above:
        return f"VL drift is not {within} with {' and '.join(one.heard for one in above)}"
    open_ = [one for one in found if not one.loss.high < limit]
    if not open_:
        return f"VL drift is shown to be {within} (one-sided 95 % bound, {found[0].loss.n} questions)"
    needed = [items_that_show(one.loss, limit, CONFIDENCE) for one in open_]
    said = f"{found[0].loss.n} questions cannot show that VL drift is {within}"
    if None in needed:
        return f"{said}; as much as that was lost in them"
    return f"{said}; about {max(filter(None, needed)):,} would"


def _points(share: float) -> str:
    return f"{round(_POINTS * share, 1) + 0.0:.1f}"  # no minus before a zero


def _bounds(loss: PairedLoss) -> str:
    return f"[{_points(loss.low)}, {_points(loss.high)}]"


def _plural(share: float) -> str:
    return "point" if _POINTS * share == 1 else "points"

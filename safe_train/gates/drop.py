"""Drop: what a gate's decisions lose against always listening, on one slice, with a one-sided upper bound."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.paired_score import difference_interval
from safe_train.gates.gate import Decisions
from safe_train.gates.gate_facts import Drop
from safe_train.gates.outcomes import Outcomes

ADVISED = 1000  # audio questions; fewer mostly cannot bound a drop by 1 point
AUDIO, VL = "audio", "VL"

Lost = Float64[ndarray, " questions"]


@dataclass(frozen=True)
class Limits:
    """How much may be lost on audio and on VL questions, as fractions, and how sure the bound must be."""

    audio: float = 0.01
    vl: float = 0.005
    confidence: float = 0.95


def slice_rows(outcomes: Outcomes, name: str) -> Bool[ndarray, " questions"]:
    """The questions that need the sound (audio), or those that do not (VL)."""
    return outcomes.needs_audio if name == AUDIO else ~outcomes.needs_audio


def group_numbers(outcomes: Outcomes) -> Int64[ndarray, " questions"]:
    """A number for the group of each question; groups stand or fall together."""
    found: Int64[ndarray, " questions"] = np.unique(np.asarray(outcomes.groups), return_inverse=True)[1]
    return found


def upper_bound(lost: Lost, groups: Int64[ndarray, " questions"], confidence: float) -> float | None:
    """The one-sided upper bound of a mean loss, with groups as clusters; None of fewer than two groups.

    It is an end of the interval that every paired difference in a report has: see `difference_interval`.

    >>> round(upper_bound(np.zeros(600), np.arange(600), 0.95), 5)
    0.00498
    """
    return difference_interval(lost, groups, 2 * confidence - 1).high


def drops_of(
    outcomes: Outcomes, decisions: Decisions, tokens: int, limits: Limits
) -> tuple[Drop | None, Drop | None]:
    """The drop on audio and on VL questions, against listening to every question with so many tokens.

    It is None where a slice has no question.
    """
    lost = outcomes.scores[:, outcomes.column(tokens)] - outcomes.under(decisions)
    groups = group_numbers(outcomes)
    audio, vl = (
        _drop(lost[inside], groups[inside], limit, limits.confidence)
        for inside, limit in (
            (slice_rows(outcomes, AUDIO), limits.audio),
            (slice_rows(outcomes, VL), limits.vl),
        )
    )
    return audio, vl


def _drop(lost: Lost, groups: Int64[ndarray, " questions"], limit: float, confidence: float) -> Drop | None:
    if not len(lost):
        return None
    return Drop(
        value=float(lost.mean()),
        high=upper_bound(lost, groups, confidence),
        limit=limit,
        least=upper_bound(np.zeros(len(lost)), groups, confidence),
        questions=len(lost),
        groups=count_clusters(groups),
    )


def can_show(drop: Drop | None) -> bool:
    """Whether so many questions could show that a drop keeps its limit, if no answer changed."""
    return drop is not None and drop.least is not None and drop.least <= drop.limit


def not_shown(drops: Sequence[Drop | None]) -> list[str]:
    """What these questions could not show, however few answers change; nothing where they suffice."""
    lines = []
    for name, drop in zip((AUDIO, VL), drops, strict=True):
        if drop is None:
            lines.append(f"no {name} questions on this split: the drop on them was not measured")
            continue
        asked = f"{drop.questions:,} {name} questions in {drop.groups:,} groups"
        if not can_show(drop):
            if drop.least is None:
                lines.append(f"{asked} bound no drop; groups are what counts, and two at least are needed")
                continue
            needed = ceil(drop.least * drop.groups / drop.limit)  # the bound of no change falls as 1 / groups
            lines.append(
                f"{asked} bound a drop by {100 * drop.least:.2f} points at best; the limit is "
                f"{100 * drop.limit:g}, for which about {needed:,} groups are needed"
            )
        elif name == AUDIO and drop.questions < ADVISED:
            lines.append(f"{asked}, fewer than {ADVISED:,}: they may not show that a small drop is small")
    return lines

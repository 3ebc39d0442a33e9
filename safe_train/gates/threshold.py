"""Threshold: from which score a gate listens, so that little is lost against listening always.

- `upper` (the default) tests thresholds from always listening on, one after the other, each by the upper
  bounds of the drop on audio and on VL questions, and stops at the first that fails. It takes the one before.
- `point` takes the highest threshold whose drop on the split itself is within the limits, which on other
  questions it often is not; it is there to be compared with.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from safe_train.gates.drop import AUDIO, VL, Limits, group_numbers, slice_rows, upper_bound
from safe_train.gates.outcomes import Outcomes

UPPER, POINT = "upper", "point"
LISTEN_ALWAYS = 0.0
LISTEN_NEVER = float(np.nextafter(1.0, 2.0))  # above every score

_STEPS = 100  # thresholds, each of which skips 1 % more of the questions

Scores = Float64[ndarray, " questions"]


@dataclass(frozen=True)
class Tried:
    """A threshold that was tried, the share of questions that it skips, and whether it passed."""

    threshold: float
    skips: float
    passed: bool


@dataclass(frozen=True)
class Choice:
    """The threshold that was chosen, and those that were tried, in their order."""

    threshold: float
    tried: tuple[Tried, ...]

    @property
    def gave_up(self) -> bool:
        """Whether the gate listens to every question because no threshold passed."""
        return self.threshold == LISTEN_ALWAYS


def choose(outcomes: Outcomes, scores: Scores, tokens: int, rule: str, limits: Limits) -> Choice:
    """The threshold of a gate that listens with so many tokens, by a rule.

    Under `upper`, the chance that the chosen threshold loses more than a limit is at most 1 − the
    confidence: the order is fixed before any answer is looked at, so testing may go on, at the same level,
    until the first failure. Listening always loses nothing and needs no test. A threshold must pass on audio
    and on VL questions, each at this level.

    Source: Angelopoulos et al. 2021, "Learn then Test: Calibrating predictive algorithms to achieve risk
    control", arXiv 2110.01052, section 3 (fixed-sequence testing); Bauer 1991, "Multiple testing in clinical
    trials"; Berger 1982 for passing several limits at once (intersection–union). Differs: thresholds are
    quantiles of the scores on the same questions, which look at no answer; and groups are the units.
    """
    slices = [
        _slice(outcomes, tokens, name, limit, limits.confidence)
        for name, limit in ((AUDIO, limits.audio), (VL, limits.vl))
    ]
    tried: list[Tried] = []
    chosen = LISTEN_ALWAYS
    for threshold in thresholds(scores):
        skipped = scores < threshold
        # What has no question was not measured, and does not pass.
        passed = all(one.passes(skipped, rule) for one in slices)
        tried.append(Tried(threshold, float(skipped.mean()), passed))
        if passed:
            chosen = threshold
        elif rule == UPPER:
            break
    return Choice(chosen, tuple(tried))


def thresholds(scores: Scores) -> Iterator[float]:
    """Thresholds that skip ever more of the questions, 1 % at a time; the last skips them all.

    >>> [round(one, 2) for one in thresholds(np.array([0.1, 0.1, 0.6]))]
    [0.6, 1.0]
    """
    steps = np.quantile(scores, np.linspace(0, 1, _STEPS + 1), method="higher")
    yield from np.unique(steps[steps > scores.min()]).tolist()
    yield LISTEN_NEVER


@dataclass(frozen=True)
class _Slice:
    """Audio or VL questions: their rows, their groups, and what each loses where its sound is skipped."""

    rows: Int64[ndarray, " rows"]
    groups: Int64[ndarray, " rows"]
    loses: Float64[ndarray, " rows"]
    limit: float
    confidence: float

    def passes(self, skipped: Bool[ndarray, " questions"], rule: str) -> bool:
        if not len(self.rows):
            return False
        lost = np.where(skipped[self.rows], self.loses, 0.0)
        if rule == POINT:
            found: float | None = float(lost.mean())
        else:
            found = upper_bound(lost, self.groups, self.confidence) if lost.any() else self.least
        return found is not None and found <= self.limit

    @cached_property
    def least(self) -> float | None:
        """The bound if no answer changes, as is so of most thresholds on VL questions."""
        return upper_bound(np.zeros(len(self.rows)), self.groups, self.confidence)


def _slice(outcomes: Outcomes, tokens: int, name: str, limit: float, confidence: float) -> _Slice:
    rows = np.flatnonzero(slice_rows(outcomes, name))
    loses = outcomes.scores[:, outcomes.column(tokens)] - outcomes.scores[:, outcomes.column(0)]
    return _Slice(rows, group_numbers(outcomes)[rows], loses[rows], limit, confidence)

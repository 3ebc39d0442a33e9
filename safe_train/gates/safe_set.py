"""Safe set: the budgets at which listening always does not harm questions that need no sound.

A policy may choose only among them. A budget is out if the one-sided upper bound of what VL questions lose
is above the margin: too few questions show nothing, and put every budget out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from safe_data.core.numerals import accuracy_points
from safe_eval.statistics.intervals import t_interval
from safe_eval.statistics.paired_score import difference_interval
from safe_train.gates.drop import upper_bound
from safe_train.gates.off_policy import Log
from safe_train.gates.outcomes import Outcomes

VL_MARGIN = 0.005  # half a point of accuracy


def in_points(share: float) -> str:
    """A share of accuracy in points.

    >>> in_points(-0.0025)
    '−0.25 points'
    """
    return f"{accuracy_points(share)} points"


@dataclass(frozen=True)
class BudgetLoss:
    """What VL questions lose at a budget against the base, as a share, with the one-sided bounds.

    `low` and `high` are None where there are fewer than two groups of VL questions. `least` is the upper
    bound that so many groups would give if no answer changed, None for a log.
    """

    tokens: int
    questions: int
    groups: int
    loss: float
    low: float | None
    high: float | None
    least: float | None
    margin: float

    @property
    def is_safe(self) -> bool:
        """Whether the loss is shown to be within the margin."""
        return self.tokens == 0 or (self.high is not None and self.high <= self.margin)

    @property
    def is_harmful(self) -> bool:
        """Whether the loss is shown to be above the margin."""
        return self.tokens > 0 and self.low is not None and self.low > self.margin

    @property
    def note(self) -> str:
        """One sentence for people."""
        if self.high is None:
            return f"{self.tokens} audio tokens: dropped, as no VL question shows what they lose"
        loss, high = accuracy_points(self.loss), accuracy_points(self.high)
        found = f"{self.tokens} audio tokens: VL loses {loss}, at most {high}"
        if self.is_safe:
            return f"{found}: kept"
        if self.is_harmful:
            return f"{found}: dropped, it harms VL"
        if self.least is not None and self.least > self.margin:
            return f"{found}: dropped, {self.groups} groups show {accuracy_points(self.least)} at best"
        return f"{found}: dropped, harm is not ruled out"


def budget_losses(
    outcomes: Outcomes,
    *,
    margin: float = VL_MARGIN,
    confidence: float = 0.95,
    log: Log | None = None,
) -> tuple[BudgetLoss, ...]:
    """What VL questions lose at each budget above 0, each with one-sided bounds at this confidence.

    With a log, where a question was asked at one budget only, both means are told by inverse propensity
    scores, which needs many more questions.
    """
    seen = ~outcomes.needs_audio
    groups = np.asarray(outcomes.groups)[seen]
    count, least = len(np.unique(groups)), None
    if log is None and count > 1:
        least = upper_bound(np.zeros(int(seen.sum())), groups, confidence)
    found = []
    for column, tokens in enumerate(outcomes.budgets):
        if tokens == 0:
            continue
        lost = _lost(outcomes, column, log)[seen]
        if count < 2:
            found.append(BudgetLoss(tokens, int(seen.sum()), count, 0.0, None, None, None, margin))
            continue
        if log is None:
            interval = difference_interval(lost, groups, 2 * confidence - 1)
        else:
            width = 1 / float(log.propensities.min())
            interval = t_interval(lost, groups, 2 * confidence - 1, scale=(-width, width))
        ends = interval.low, interval.high, least
        found.append(BudgetLoss(tokens, len(lost), count, float(lost.mean()), *ends, margin))
    return tuple(found)


def safe_budgets(outcomes: Outcomes, losses: Sequence[BudgetLoss]) -> tuple[int, ...]:
    """The budgets of a table that a policy may choose, ascending; no sound is always one."""
    kept = {loss.tokens for loss in losses if loss.is_safe}
    return tuple(tokens for tokens in outcomes.budgets if tokens == 0 or tokens in kept)


def _lost(outcomes: Outcomes, column: int, log: Log | None) -> Float64[ndarray, " questions"]:
    """What each question loses at a budget; with a log, terms whose mean is without bias what all lose."""
    base = outcomes.budgets.index(0)
    if log is None:
        found: Float64[ndarray, " questions"] = outcomes.scores[:, base] - outcomes.scores[:, column]
        return found
    scored = log.at(outcomes.scores) / log.propensities
    return np.where(log.columns == base, scored, 0.0) - np.where(log.columns == column, scored, 0.0)

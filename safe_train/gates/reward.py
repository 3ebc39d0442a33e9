"""Reward: what an answer at each budget is worth to a policy: score − α · cost − γ · irrelevance.

- *cost* of a budget is its share of the largest one, or, measured, the share of its added latency. The base
  alone costs nothing: its pass was made to decide.
- *irrelevance* is 1 where the policy listens to a question that needs no sound, which is what counts as false
  consultation; or, as `influenced`, only where that sound moved the first token by more than 0.1 nat.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from safe_data.core.errors import InputError, check_choices
from safe_eval.results.gates import INFLUENCE_NATS
from safe_train.gates.outcomes import Outcomes
from safe_train.settings.stage_b import Cost, Irrelevance, check_weights


@dataclass(frozen=True)
class Reward:
    """The weights of a reward.

    Raises:
        InputError: a weight is negative or not finite, or no such cost or irrelevance.
    """

    alpha: float = 0.05
    gamma: float = 0.02
    cost: Cost = "tokens"
    irrelevance: Irrelevance = "consulted"

    def __post_init__(self) -> None:
        check_weights("alpha", [self.alpha])
        check_weights("gamma", [self.gamma])
        check_choices(self, cost=get_args(Cost), irrelevance=get_args(Irrelevance))

    @property
    def span(self) -> tuple[float, float]:
        """Between what two numbers the difference of two rewards lies."""
        widest = 1 + self.alpha + self.gamma
        return -widest, widest


def rewards(outcomes: Outcomes, reward: Reward) -> Float64[ndarray, "questions budgets"]:
    """The reward of each question at each budget; NaN where the budget was not tried.

    Raises:
        InputError: the cost is the latency, and it was not measured.

    >>> (0.05 * costs((0, 4, 8, 12), None)).round(4).tolist()
    [0.0, 0.0167, 0.0333, 0.05]
    """
    return np.asarray(outcomes.scores - penalties(outcomes, reward))


def penalties(outcomes: Outcomes, reward: Reward) -> Float64[ndarray, "questions budgets"]:
    """What is taken from the score of each question at each budget, which needs no answer.

    Raises:
        InputError: the cost is the latency, and it was not measured.
    """
    latency = outcomes.latency_ms if reward.cost == "latency" else None
    cost = costs(outcomes.budgets, latency)
    return np.asarray(reward.alpha * cost + reward.gamma * irrelevant(outcomes, reward.irrelevance))


def costs(
    budgets: Sequence[int], latency_ms: Float64[ndarray, " budgets"] | None
) -> Float64[ndarray, " budgets"]:
    """The cost of each budget: 0 for no sound, 1 for the dearest.

    Of measured latencies it is what a budget adds to an answer without sound, never less than nothing.

    Raises:
        InputError: a latency is NaN, none of them is above the first, or no budget is above 0.

    >>> costs((0, 4, 8), np.array([10.0, 13.0, 14.0])).tolist()
    [0.0, 0.75, 1.0]
    """
    spent = np.asarray(budgets, np.float64)
    if latency_ms is not None:
        if not np.isfinite(latency_ms).all():
            raise InputError(
                "cost='latency': the latency of these outcomes was not measured; choose tokens, or measure "
                "it with --latency-questions"
            )
        spent = np.maximum(latency_ms - latency_ms[0], 0.0)
    if not spent.max() > 0:
        raise InputError(f"budgets={list(budgets)}: none of them costs more than no sound")
    found: Float64[ndarray, " budgets"] = spent / spent.max()
    return found


def irrelevant(outcomes: Outcomes, irrelevance: Irrelevance) -> Float64[ndarray, "questions budgets"]:
    """Where listening counts as irrelevant: 1, elsewhere 0."""
    listens = np.asarray(outcomes.budgets) > 0
    found = ~outcomes.needs_audio[:, None] & listens[None, :]
    if irrelevance == "influenced":
        found &= outcomes.influence_kl > INFLUENCE_NATS
    return found.astype(np.float64)

"""Policy values: what choices of budgets earn on a table of outcomes, against an oracle and constants.

Choices must come from a policy that was not fitted on the question's group. Every difference is paired by
question, and its interval is that of whole groups.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Float64, Int64, Shaped
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.statistics.intervals import t_interval
from safe_train.gates.drop import Limits
from safe_train.gates.found import found_of
from safe_train.gates.gate import Decisions
from safe_train.gates.gate_facts import Estimate, Found
from safe_train.gates.outcomes import Outcomes
from safe_train.gates.reward import Reward, rewards

Columns = Int64[ndarray, " questions"]  # the column of the budget that each question got
PerQuestion = Float64[ndarray, " questions"]


class PolicyWorth(msgspec.Struct, frozen=True, kw_only=True):
    """What choices earn: rewards, with two-sided intervals, and what a gate does, as `Found` says it.

    `regret` is the oracle's reward less the choices', `gain` the choices' less the best constant budget's.
    `chosen` is the share of questions by budget.
    """

    reward: Estimate
    oracle: float
    regret: Estimate
    best_constant: int
    best_constant_reward: float
    gain: Estimate
    chosen: dict[str, float]
    found: Found


def worth_of(
    outcomes: Outcomes, decisions: Decisions, reward: Reward, limits: Limits, *, tokens: int | None = None
) -> PolicyWorth:
    """What these choices earn on a table in which every budget was tried.

    Args:
        outcomes: the table
        decisions: the budget of each question, by a policy that was not fitted on its group
        reward: its weights
        limits: how much may be lost, and the confidence
        tokens: the budget that always listening has (default: the largest)

    Raises:
        InputError: a budget was not tried for a question.
    """
    table = rewards(outcomes, reward)
    if np.isnan(table).any():
        raise InputError(
            "not every budget was tried for every question, so what other choices earn is not known; "
            "see the off-policy values"
        )
    columns = outcomes.columns(decisions.tokens)
    groups, spread = np.asarray(outcomes.groups), reward.span
    earned, best = table[np.arange(len(outcomes)), columns], table.max(axis=1)
    constant = int(table.mean(axis=0).argmax())
    return PolicyWorth(
        reward=_mean(earned, groups, spread, limits.confidence),
        oracle=float(best.mean()),
        regret=_mean(best - earned, groups, spread, limits.confidence),
        best_constant=outcomes.budgets[constant],
        best_constant_reward=float(table[:, constant].mean()),
        gain=_mean(earned - table[:, constant], groups, spread, limits.confidence),
        chosen={str(one): float((columns == at).mean()) for at, one in enumerate(outcomes.budgets)},
        found=found_of(outcomes, decisions, outcomes.budgets[-1] if tokens is None else tokens, limits),
    )


def narrowed(outcomes: Outcomes, budgets: Sequence[int]) -> Outcomes:
    """The table with these budgets only.

    Raises:
        InputError: one of them was not tried, or no sound is none of them.
    """
    if 0 not in budgets or len(budgets) < 2:
        raise InputError(f"budgets={list(budgets)}: give 0, which skips the sound, and one more at least")
    at = [outcomes.column(tokens) for tokens in sorted(set(budgets))]
    kept: dict[str, Any] = {
        "budgets": tuple(outcomes.budgets[column] for column in at),
        "answers": tuple(tuple(row[column] for column in at) for row in outcomes.answers),
        "scores": outcomes.scores[:, at],
        "influence_kl": outcomes.influence_kl[:, at],
        "latency_ms": outcomes.latency_ms[at],
    }
    names = ("example_ids", "groups", "question_types", "needs_audio", "states", "facts")
    return Outcomes(**kept, **{name: getattr(outcomes, name) for name in names})


def of_rows(outcomes: Outcomes, rows: Sequence[int] | ndarray) -> Outcomes:
    """The table with these questions only."""
    at = [int(row) for row in rows]
    return Outcomes(
        example_ids=tuple(outcomes.example_ids[row] for row in at),
        groups=tuple(outcomes.groups[row] for row in at),
        question_types=tuple(outcomes.question_types[row] for row in at),
        needs_audio=outcomes.needs_audio[at],
        budgets=outcomes.budgets,
        answers=tuple(outcomes.answers[row] for row in at),
        scores=outcomes.scores[at],
        influence_kl=outcomes.influence_kl[at],
        latency_ms=outcomes.latency_ms,
        states=outcomes.states.of(at),
        facts=outcomes.facts,
    )


def _mean(
    values: PerQuestion, groups: Shaped[ndarray, " questions"], scale: tuple[float, float], confidence: float
) -> Estimate:
    if len(np.unique(groups)) < 2:
        return Estimate(value=float(values.mean()), n=len(values))
    interval = t_interval(values, groups, confidence, scale=scale)
    return Estimate(value=float(values.mean()), low=interval.low, high=interval.high, n=len(values))

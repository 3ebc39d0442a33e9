"""Reference: what an oracle would decide on a table of outcomes, and which constant budget is best."""

import numpy as np

from safe_data.core.errors import InputError
from safe_train.gates.drop import AUDIO, VL, slice_rows
from safe_train.gates.gate import Decisions
from safe_train.gates.gate_facts import BudgetScore, Reference
from safe_train.gates.outcomes import Outcomes
from safe_train.gates.reward import Reward, rewards


def oracle_decisions(outcomes: Outcomes) -> Decisions:
    """Listen only where it makes the answer better, with the fewest tokens that make it best.

    No gate can do so: it looks at the answers. Its score is 1 where it listens.

    >>> import sys
    >>> from dataclasses import replace
    >>> from safe_train.gates.states import States
    >>> one = np.zeros(3)
    >>> table = Outcomes(("a", "b", "c"), ("a", "b", "c"), (None,) * 3, np.array([True] * 3), (0, 4, 8), (),
    ...     np.array([[1.0, 1, 1], [0, 0, 1], [0, 0, 0]]), np.zeros((3, 3)), np.zeros(3),
    ...     States(one, one, one, np.zeros((3, 1), np.float32), 1.0), {})
    >>> oracle_decisions(table).tokens.tolist()
    [0, 8, 0]
    """
    tokens = np.asarray(outcomes.budgets, np.int64)[outcomes.scores.argmax(axis=1)]
    return Decisions(tokens, (tokens > 0).astype(np.float64))


def best_constant(outcomes: Outcomes, alpha: float) -> int:
    """The budget above 0 that has the largest mean score − α · cost when every question has it.

    Raises:
        InputError: no budget above 0 was tried.
    """
    worth = rewards(outcomes, Reward(alpha=alpha, gamma=0.0)).mean(axis=0)
    heard = [column for column, tokens in enumerate(outcomes.budgets) if tokens > 0]
    if not heard:
        raise InputError(f"these outcomes are of the budgets {list(outcomes.budgets)}: none hears anything")
    return outcomes.budgets[max(heard, key=lambda column: float(worth[column]))]


def scores_by_budget(outcomes: Outcomes) -> tuple[BudgetScore, ...]:
    """The mean score of each budget on audio and on VL questions, and the latency of an answer."""
    found = []
    for column, tokens in enumerate(outcomes.budgets):
        latency = float(outcomes.latency_ms[column])
        audio, vl = (mean_of(outcomes.scores[:, column], outcomes, name) for name in (AUDIO, VL))
        found.append(
            BudgetScore(tokens=tokens, audio=audio, vl=vl, latency_ms=None if np.isnan(latency) else latency)
        )
    return tuple(found)


def oracle_reference(outcomes: Outcomes) -> Reference:
    """How much the oracle skips, and what it scores."""
    decisions = oracle_decisions(outcomes)
    skips, scores = (~decisions.listens).astype(np.float64), outcomes.under(decisions)
    return Reference(
        skips=float(skips.mean()),
        skips_audio=mean_of(skips, outcomes, AUDIO),
        audio=mean_of(scores, outcomes, AUDIO),
        vl=mean_of(scores, outcomes, VL),
    )


def mean_of(values: np.ndarray, outcomes: Outcomes, name: str) -> float | None:
    """The mean over the audio questions or over the VL questions; None where there are none."""
    inside = slice_rows(outcomes, name)
    return float(values[inside].mean()) if inside.any() else None

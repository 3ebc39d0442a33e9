"""References on a table: the oracle corrects what can be, as cheaply as can be, and a constant is priced."""

from dataclasses import replace

import numpy as np
import pytest
from made_outcomes import made_outcomes

from safe_data.core.errors import InputError
from safe_train.gates.reference import best_constant, oracle_decisions, oracle_reference, scores_by_budget

MADE = made_outcomes(300)


def test_the_oracle_is_right_wherever_a_budget_is_and_takes_the_cheapest() -> None:
    decisions = oracle_decisions(MADE)
    assert MADE.under(decisions).tolist() == MADE.scores.max(axis=1).tolist()
    for tokens, row in zip(decisions.tokens.tolist(), MADE.scores, strict=True):
        cheaper = row[: MADE.budgets.index(tokens)]
        assert (cheaper < row.max()).all()
    assert decisions.listens.tolist() == (decisions.scores == 1).tolist()
    assert oracle_reference(MADE).skips == 1 - decisions.listens.mean()


def test_a_constant_is_worth_its_score_less_its_cost() -> None:
    scores = np.tile([0.5, 0.90, 0.93], (300, 1))
    made = replace(MADE, scores=scores)
    assert best_constant(made, alpha=0.0) == 8
    assert best_constant(made, alpha=0.1) == 4  # .90 − .05 against .93 − .1
    only_base = replace(made, budgets=(0,), scores=scores[:, :1])
    with pytest.raises(InputError, match="none"):
        best_constant(only_base, alpha=0.0)


def test_means_are_of_audio_and_vl_apart() -> None:
    base = scores_by_budget(MADE)[0]
    assert base.tokens == 0
    assert base.audio == pytest.approx(MADE.scores[MADE.needs_audio, 0].mean())
    assert base.vl == 1.0
    assert base.latency_ms == 10.0
    timeless = replace(MADE, latency_ms=np.full(3, np.nan), needs_audio=np.ones(300, bool))
    assert (scores_by_budget(timeless)[1].latency_ms, scores_by_budget(timeless)[1].vl) == (None, None)

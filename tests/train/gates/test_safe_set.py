"""The safe set: a budget that harms VL questions is out, and so is one that too few questions clear."""

import numpy as np
from made_policies import made_policies

from safe_train.gates.off_policy import draw_log
from safe_train.gates.policy_values import of_rows
from safe_train.gates.safe_set import budget_losses, safe_budgets


def test_a_harmful_budget_is_dropped_and_a_harmless_one_is_kept() -> None:
    outcomes = made_policies(4000, vl_harm=0.03)
    four, eight = budget_losses(outcomes)
    assert four.is_safe
    assert not eight.is_safe
    assert eight.is_harmful
    lost = (outcomes.scores[:, 0] - outcomes.scores[:, 2])[~outcomes.needs_audio]
    assert eight.loss == lost.mean()
    assert "8 audio tokens: VL loses" in eight.note
    assert ": dropped, it harms VL" in eight.note
    assert safe_budgets(outcomes, (four, eight)) == (0, 4)


def test_too_few_questions_clear_no_budget() -> None:
    outcomes = made_policies(200)
    losses = budget_losses(outcomes)
    assert [loss.loss for loss in losses] == [0.0, 0.0]
    assert not any(loss.is_harmful for loss in losses)
    assert "VL loses 0.00, at most 5.82: dropped, 50 groups show 5.82 at best" in losses[0].note
    assert safe_budgets(outcomes, losses) == (0,)


def test_questions_of_one_group_show_nothing() -> None:
    outcomes = of_rows(made_policies(200), [0, 1, 2, 3])
    losses = budget_losses(outcomes)
    assert [loss.high for loss in losses] == [None, None]
    assert "as no VL question shows" in losses[0].note


def test_a_log_tells_the_loss_of_a_budget_without_bias() -> None:
    outcomes = made_policies(2000, vl_harm=0.2)
    truth = budget_losses(outcomes)[1].loss
    told = [budget_losses(outcomes, log=draw_log(2000, 3, seed=seed))[1] for seed in range(60)]
    mean = np.mean([one.loss for one in told])
    assert abs(mean - truth) < 4 * np.std([one.loss for one in told]) / np.sqrt(60)
    assert all(one.high is not None and one.high > one.loss for one in told)

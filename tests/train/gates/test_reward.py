"""Rewards against sums written out, and what cannot be one."""

from dataclasses import replace

import numpy as np
import pytest
from made_policies import made_policies

from safe_data.core.errors import InputError
from safe_train.gates.reward import Reward, costs, irrelevant, penalties, rewards


def test_a_reward_is_the_score_less_cost_and_irrelevance() -> None:
    outcomes = made_policies(40, budgets=(0, 4, 8, 12))
    found = rewards(outcomes, Reward(alpha=0.3, gamma=0.07))
    for row, needs in enumerate(outcomes.needs_audio):
        for column, tokens in enumerate(outcomes.budgets):
            wasted = tokens > 0 and not needs
            expected = outcomes.scores[row, column] - 0.3 * tokens / 12 - 0.07 * wasted
            assert found[row, column] == pytest.approx(expected)
    assert np.allclose(found + penalties(outcomes, Reward(0.3, 0.07)), outcomes.scores)


def test_a_measured_cost_is_the_share_of_the_added_latency() -> None:
    outcomes = made_policies(40)  # 10, 13.4 and 13.8 ms
    found = penalties(outcomes, Reward(alpha=1.0, gamma=0.0, cost="latency"))
    assert found[0].tolist() == pytest.approx([0.0, 3.4 / 3.8, 1.0])


def test_irrelevance_may_ask_that_the_sound_moved_the_answer() -> None:
    outcomes = made_policies(40)
    outcomes.influence_kl[:, 1:] = np.where(np.arange(40) % 4 == 0, 0.11, 0.1)[:, None]
    vl = ~outcomes.needs_audio
    assert irrelevant(outcomes, "consulted")[:, 1].tolist() == vl.astype(float).tolist()
    moved = vl & (np.arange(40) % 4 == 0)
    assert irrelevant(outcomes, "influenced")[:, 1].tolist() == moved.astype(float).tolist()
    assert irrelevant(outcomes, "influenced")[:, 0].sum() == 0


def test_a_latency_that_was_not_measured_is_refused() -> None:
    outcomes = replace(made_policies(40), latency_ms=np.array([10.0, np.nan, 13.0]))
    with pytest.raises(InputError, match="latency of these outcomes was not measured; choose tokens, or"):
        rewards(outcomes, Reward(cost="latency"))
    with pytest.raises(InputError, match="none of them costs more than no sound"):
        costs((0,), None)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"alpha": -0.1}, "alpha=-0.1: must be 0 or more, and finite"),
        ({"gamma": float("nan")}, "gamma=nan: must be"),
        ({"cost": "money"}, "cost='money': is no choice; choose from tokens, latency"),
        ({"irrelevance": "moved"}, "irrelevance='moved': is no choice"),
    ],
)
def test_a_reward_that_is_none_is_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Reward(**options)  # type: ignore[arg-type]

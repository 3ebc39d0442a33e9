"""A policy as the plan calls it, and what it learns by each method."""

import numpy as np
import pytest
import torch
from made_policies import made_policies

from safe_data.core.errors import InputError
from safe_train import AudioPolicyNetwork
from safe_train.gates.drop import Limits
from safe_train.gates.features import features_of
from safe_train.gates.front import chosen_by
from safe_train.gates.learned import SEEN, BudgetGate
from safe_train.gates.policy_fit import Learning, chances_of, chances_out_of_fold, learned, log_for
from safe_train.gates.policy_values import PolicyWorth, narrowed, worth_of
from safe_train.gates.reward import Reward


def test_actions_are_budgets_as_the_plan_calls_them() -> None:
    states = torch.randn(2, 256, generator=torch.Generator().manual_seed(0))
    policy = AudioPolicyNetwork(state_feature_dim=256, token_budgets=[0, 4, 8, 12])
    actions = policy.get_actions(states)
    assert actions.shape == (2,)
    assert actions.dtype == torch.int64
    assert set(actions.tolist()) <= {0, 4, 8, 12}
    likeliest = policy.probabilities(states).argmax(-1)
    assert actions.tolist() == [[0, 4, 8, 12][at] for at in likeliest.tolist()]


def test_drawn_actions_have_the_probabilities() -> None:
    policy = AudioPolicyNetwork(3, [0, 4, 8])
    states = torch.randn(1, 3, generator=torch.Generator().manual_seed(1)).expand(20_000, 3)
    drawn = policy.get_actions(states, torch.Generator().manual_seed(2))
    shares = [(drawn == tokens).float().mean().item() for tokens in (0, 4, 8)]
    assert shares == pytest.approx(policy.probabilities(states[:1])[0].tolist(), abs=0.02)
    again = policy.get_actions(states, torch.Generator().manual_seed(2))
    assert torch.equal(drawn, again)


def test_a_policy_of_a_seed_is_always_the_same_and_leaves_other_draws_alone() -> None:
    torch.manual_seed(5)
    expected = torch.randn(1)
    torch.manual_seed(5)
    one, other = (AudioPolicyNetwork(3, [0, 4], seed=1) for _ in range(2))
    assert torch.equal(torch.randn(1), expected)
    assert torch.equal(one.first.weight, other.first.weight)
    assert not torch.equal(one.first.weight, AudioPolicyNetwork(3, [0, 4], seed=2).first.weight)


@pytest.mark.parametrize("budgets", [[], [4, 0], [0, 0], [-1, 4], [0, 4.5], [True]])
def test_budgets_that_are_none_are_refused(budgets: list[int]) -> None:
    with pytest.raises(InputError, match="ascending order, such as"):
        AudioPolicyNetwork(3, budgets)


@pytest.mark.parametrize("width", [0, -1, 2.5, True])
def test_a_width_that_is_none_is_refused(width: int) -> None:
    with pytest.raises(InputError, match=r"state_feature_dim=.*must be a whole number"):
        AudioPolicyNetwork(width, [0, 4])


@pytest.mark.parametrize(
    ("states", "message"),
    [
        (torch.zeros(3), r"states of shape \(3,\): this policy reads \(questions, 3\)"),
        (torch.zeros(2, 4), r"states of shape \(2, 4\)"),
        (torch.zeros(2, 3, dtype=torch.int64), "must be floating-point numbers"),
        (torch.full((2, 3), torch.nan), "all finite"),
    ],
)
def test_states_that_do_not_fit_are_refused(states: torch.Tensor, message: str) -> None:
    with pytest.raises(InputError, match=message):
        AudioPolicyNetwork(3, [0, 4]).get_actions(states)


def earned(method: str, budgets: tuple[int, ...] = (0, 4, 8), seed: int = 0) -> PolicyWorth:
    """What a policy of a method earns out of fold."""
    outcomes, reward = narrowed(made_policies(800), budgets), Reward()
    steps = 600 if method == "reinforce" else None
    learning = Learning(method=method, steps=steps, folds=2)  # type: ignore[arg-type]
    log = log_for(outcomes, learning, None, seed=seed)
    chances = chances_out_of_fold(outcomes, reward, learning, log, seed=seed)
    return worth_of(outcomes, chosen_by(outcomes, chances), reward, Limits())


def test_full_information_is_close_to_the_oracle_and_far_above_constants() -> None:
    worth = earned("full_information")
    assert worth.regret.value < 0.02
    assert worth.gain.low is not None
    assert worth.gain.low > 0.01
    assert worth.found.false_consultation is not None
    assert worth.found.false_consultation.value < 0.05
    assert worth.chosen["8"] < 0.02  # it hears no more than 4, and costs more


def test_a_policy_chooses_between_on_and_off() -> None:
    worth = earned("full_information", budgets=(0, 4))
    assert set(worth.chosen) == {"0", "4"}
    assert worth.regret.value < 0.02


def test_a_policy_that_draws_its_choices_comes_close_to_full_information() -> None:
    assert earned("reinforce").reward.value > earned("full_information").reward.value - 0.005


def test_a_doubly_robust_policy_learns_more_from_a_log_than_inverse_propensities() -> None:
    doubly, inverse = earned("doubly_robust"), earned("ips")
    assert doubly.reward.value > inverse.reward.value
    assert doubly.gain.value > 0


def test_a_policy_depends_on_its_seed_and_on_nothing_else() -> None:
    outcomes, reward, learning = made_policies(200), Reward(), Learning(steps=20)
    features = features_of(outcomes.states, SEEN)
    one, again, other = (
        chances_of(learned(outcomes, reward, learning, seed=seed), features) for seed in (0, 0, 1)
    )
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_the_gate_chooses_what_the_network_chooses() -> None:
    outcomes = made_policies(300)
    network = learned(outcomes, Reward(), Learning(steps=100))
    assert network.first is not None
    policy = AudioPolicyNetwork(network.first.weight.shape[1], outcomes.budgets)
    with torch.no_grad():
        for layer, stored in ((policy.first, network.first), (policy.last, network.last)):
            layer.weight.copy_(torch.from_numpy(stored.weight))
            layer.bias.copy_(torch.from_numpy(stored.bias))
    inputs = network.standardised(features_of(outcomes.states, SEEN)).astype(np.float32)
    gate = BudgetGate("policy", SEEN, network, outcomes.budgets)
    decided = gate.decide(outcomes.states)
    chances = policy.probabilities(torch.from_numpy(inputs)).detach().numpy()
    assert decided.tokens.tolist() == policy.get_actions(torch.from_numpy(inputs)).tolist()
    assert decided.scores == pytest.approx(1 - chances[:, 0], abs=1e-5)


def test_full_information_needs_all_outcomes() -> None:
    outcomes = made_policies(100)
    outcomes.scores[3, 1] = np.nan
    with pytest.raises(InputError, match="not every question was asked at every budget; choose doubly"):
        log_for(outcomes, Learning(), None, seed=0)

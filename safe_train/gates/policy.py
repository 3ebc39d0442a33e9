"""Policy: a small network that chooses a budget of audio tokens from the base's state.

    AudioPolicyNetwork(state_feature_dim=256, token_budgets=[0, 4, 8, 12]).get_actions(states)

It is fitted to make the expected reward of its own choices large. What each choice is worth is a table of
targets, and what stands in that table is all in which full information, importance weights and a doubly
robust estimate differ (`targets.py`). REINFORCE draws its choices instead.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64, Int64
from numpy import ndarray
from torch import Tensor, nn

from safe_data.core.errors import InputError
from safe_train.gates.gate import are_budgets
from safe_train.gates.network import Layer

HIDDEN_WIDTH = 32
LEARNING_RATE, WEIGHT_DECAY = 0.01, 1.0  # without the decay, 200 steps learn single questions
BASELINE_DECAY = 0.95  # of the running mean reward that REINFORCE subtracts

Follow = Callable[[int, float], None]  # a step, and its expected or drawn mean reward


class AudioPolicyNetwork(nn.Module):
    """States in, a budget of audio tokens for each out: one hidden layer.

    Args:
        state_feature_dim: numbers in a state
        token_budgets: the budgets to choose from, ascending; 0 skips the sound
        hidden_width: units of the hidden layer
        seed: seed of the first weights

    Raises:
        InputError: a width below 1, or budgets that are not whole numbers, 0 or more and ascending.
    """

    def __init__(
        self,
        state_feature_dim: int,
        token_budgets: Sequence[int],
        *,
        hidden_width: int = HIDDEN_WIDTH,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, width in (("state_feature_dim", state_feature_dim), ("hidden_width", hidden_width)):
            if isinstance(width, bool) or not isinstance(width, int) or width < 1:
                raise InputError(f"{name}={width!r}: must be a whole number, at least 1")
        self.token_budgets = check_budgets(token_budgets)
        self.state_feature_dim = state_feature_dim
        with torch.random.fork_rng(devices=[]):  # the caller's own draws stay what they were
            torch.manual_seed(seed)
            self.first = nn.Linear(state_feature_dim, hidden_width)
            self.last = nn.Linear(hidden_width, len(self.token_budgets))
        self.register_buffer("budgets", torch.tensor(self.token_budgets), persistent=False)

    def forward(self, states: Float[Tensor, "questions features"]) -> Float[Tensor, "questions budgets"]:
        """The logarithm of each budget's probability, up to a constant per question."""
        self._check(states)
        logits: Tensor = self.last(torch.relu(self.first(states)))
        return logits

    def probabilities(
        self, states: Float[Tensor, "questions features"]
    ) -> Float[Tensor, "questions budgets"]:
        """How likely each budget is."""
        chances: Tensor = self(states).softmax(-1)
        return chances

    @torch.no_grad()
    def get_actions(
        self, states: Float[Tensor, "questions features"], generator: torch.Generator | None = None
    ) -> Int64[Tensor, " questions"]:
        """The likeliest budget of each question, the smaller one of two alike; drawn with a `generator`.

        Raises:
            InputError: the states have another shape, are no floating-point numbers, or are not all finite.

        >>> AudioPolicyNetwork(3, [0, 4]).get_actions(torch.zeros(2, 3)).shape
        torch.Size([2])
        """
        chances = self.probabilities(states)
        if generator is None:
            at = chances.argmax(-1)
        else:
            at = torch.multinomial(chances, 1, generator=generator)[:, 0]
        budgets: Tensor = self.get_buffer("budgets")[at]
        return budgets

    def _check(self, states: Tensor) -> None:
        if states.ndim != 2 or states.shape[1] != self.state_feature_dim:
            raise InputError(
                f"states of shape {tuple(states.shape)}: this policy reads (questions, "
                f"{self.state_feature_dim})"
            )
        if not states.is_floating_point() or not states.isfinite().all():
            raise InputError(f"states ({states.dtype}): must be floating-point numbers, all finite")


def check_budgets(budgets: Sequence[int]) -> tuple[int, ...]:
    """The budgets as a tuple.

    Raises:
        InputError: they are not whole numbers, 0 or more, ascending, or there is none.

    >>> check_budgets([0, 4])
    (0, 4)
    """
    found = tuple(budgets)
    if not are_budgets(found):
        raise InputError(
            f"token_budgets={list(found)}: give whole numbers, 0 or more, in ascending order, such as "
            "[0, 4, 8, 12]"
        )
    return found


def fit_policy(
    features: Float32[ndarray, "questions features"],
    targets: Float64[ndarray, "questions budgets"],
    budgets: Sequence[int],
    *,
    steps: int = 200,
    seed: int = 0,
    follow: Follow | None = None,
) -> AudioPolicyNetwork:
    """Make the expected target of the policy's choices as large as it gets: every step sees all questions."""
    policy = AudioPolicyNetwork(features.shape[1], budgets, seed=seed)
    states, worth = torch.from_numpy(features), torch.from_numpy(targets).float()
    optimizer = _optimizer(policy)
    for number in range(steps):
        expected = (policy.probabilities(states) * worth).sum(-1).mean()
        step(optimizer, -expected)
        if follow is not None:
            follow(number + 1, float(expected.detach()))
    return policy


def reinforce(
    features: Float32[ndarray, "questions features"],
    rewards: Float64[ndarray, "questions budgets"],
    budgets: Sequence[int],
    *,
    steps: int = 2000,
    seed: int = 0,
    batch_size: int = 256,
    follow: Follow | None = None,
) -> AudioPolicyNetwork:
    """REINFORCE: draw a budget for each question of a batch, and make what paid above the mean likelier.

    It sees the reward of drawn budgets only, as a policy does that learns from answers it gives.

    Source: Williams 1992, "Simple statistical gradient-following algorithms for connectionist reinforcement
    learning", with a running mean as the baseline.
    """
    policy = AudioPolicyNetwork(features.shape[1], budgets, seed=seed)
    states, worth = torch.from_numpy(features), torch.from_numpy(rewards).float()
    generator = torch.Generator().manual_seed(seed)
    optimizer = _optimizer(policy)
    baseline = float(np.nan)
    for number in range(steps):
        rows = torch.randint(len(states), (batch_size,), generator=generator)
        logs = policy(states[rows]).log_softmax(-1)
        drawn = torch.multinomial(logs.detach().exp(), 1, generator=generator)[:, 0]
        paid = worth[rows, drawn]
        mean = float(paid.mean())
        baseline = mean if np.isnan(baseline) else baseline
        chosen = logs.gather(1, drawn[:, None])[:, 0]
        step(optimizer, -((paid - baseline) * chosen).mean())
        baseline = BASELINE_DECAY * baseline + (1 - BASELINE_DECAY) * mean
        if follow is not None:
            follow(number + 1, mean)
    return policy


def step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    """One step downhill."""
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    optimizer.step()


def layer_of(linear: nn.Linear) -> Layer:
    """A layer as a gate stores it."""
    return Layer(linear.weight.detach().double().numpy(), linear.bias.detach().double().numpy())


def _optimizer(policy: AudioPolicyNetwork) -> torch.optim.Optimizer:
    return torch.optim.AdamW(policy.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)

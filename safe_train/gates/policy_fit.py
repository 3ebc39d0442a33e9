"""Policy fit: a policy learned from a table of outcomes or from a log, and its choices out of fold.

A policy sees what the learned gates see, standardised on the rows it is fitted on and clamped. Its choices
about a question that counts come from a policy that was fitted on other groups.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from safe_data.core.errors import InputError, check_at_least_one, check_choices
from safe_eval.statistics.folds import Rows, folds_by_group, out_of_fold
from safe_train.gates.features import Features, features_of, standardised_on
from safe_train.gates.learned import FOLDS, SEEN
from safe_train.gates.network import Layer, Network, softmax
from safe_train.gates.off_policy import Chances, Log, draw_log
from safe_train.gates.outcomes import Outcomes
from safe_train.gates.policy import AudioPolicyNetwork, Follow, fit_policy, layer_of, reinforce
from safe_train.gates.policy_values import of_rows
from safe_train.gates.reward import Reward, penalties, rewards
from safe_train.gates.targets import METHODS, predicted_scores, targets_of
from safe_train.settings.stage_b import Method

FULL_INFORMATION, REINFORCE, DOUBLY_ROBUST = "full_information", "reinforce", "doubly_robust"
_DRAWN_STEPS = 2000  # of REINFORCE; 6,000 are no better
_STEPS = 200


@dataclass(frozen=True)
class Learning:
    """How a policy is learned.

    Raises:
        InputError: no such method, fewer than one step or fewer than two folds.
    """

    method: Method = "full_information"
    steps: int | None = None
    folds: int = FOLDS

    def __post_init__(self) -> None:
        check_choices(self, method=METHODS)
        if self.steps is not None:
            check_at_least_one(self, "steps")
        if self.folds < 2:
            raise InputError(f"folds={self.folds}: must be at least 2")

    @property
    def needs_log(self) -> bool:
        """Whether it learns from one tried budget per question, also where all were tried."""
        return self.method in ("ips", DOUBLY_ROBUST)

    def steps_with(self, *, log: bool) -> int:
        """The number of steps: given, or more where there is no log and every step draws its own choices."""
        if self.steps is not None:
            return self.steps
        return _DRAWN_STEPS if self.method == REINFORCE and not log else _STEPS


def log_for(outcomes: Outcomes, learning: Learning, log: Log | None, *, seed: int) -> Log | None:
    """The log that a method learns from; where none is given and it needs one, every budget is as likely.

    Raises:
        InputError: it needs a log, and not every budget was tried.
    """
    if log is not None and learning.method != FULL_INFORMATION:
        return log
    if not outcomes.is_whole:
        raise InputError(
            f"method={learning.method!r}: not every question was asked at every budget; choose "
            "doubly_robust, ips or reinforce, and name the log of what was tried (--log)"
        )
    return draw_log(len(outcomes), len(outcomes.budgets), seed=seed) if learning.needs_log else None


def learned(
    outcomes: Outcomes,
    reward: Reward,
    learning: Learning,
    log: Log | None = None,
    *,
    seed: int = 0,
    follow: Follow | None = None,
) -> Network:
    """The network of a policy that is learned from all rows of a table."""
    features = features_of(outcomes.states, SEEN)
    standardised = standardised_on(features)
    inputs = standardised(features).astype(np.float32)
    paid, steps = rewards(outcomes, reward), learning.steps_with(log=log is not None)
    if learning.method == REINFORCE and log is None:
        policy = reinforce(inputs, paid, outcomes.budgets, steps=steps, seed=seed, follow=follow)
    else:
        predicted = None
        if learning.method == DOUBLY_ROBUST and log is not None:
            folds = folds_by_group(outcomes.groups, learning.folds, seed=seed)
            predicted = predicted_scores(inputs, log, outcomes.scores, folds) - penalties(outcomes, reward)
        targets = targets_of(learning.method, paid, log, predicted)
        policy = fit_policy(inputs, targets, outcomes.budgets, steps=steps, seed=seed, follow=follow)
    return Network(standardised, *layers_of(policy))


def layers_of(policy: AudioPolicyNetwork) -> tuple[Layer, Layer]:
    """The two layers of a policy as a gate stores them."""
    return layer_of(policy.first), layer_of(policy.last)


def chances_of(network: Network, features: Features) -> Chances:
    """How likely each budget is to be chosen."""
    return softmax(network(features))


def chances_out_of_fold(
    outcomes: Outcomes, reward: Reward, learning: Learning, log: Log | None = None, *, seed: int = 0
) -> Chances:
    """How likely each budget of each question is, by a policy that was fitted on other groups."""
    features = features_of(outcomes.states, SEEN)

    def on_others(fitted: Rows, rows: Rows) -> Float64[ndarray, "rows budgets"]:
        own = log.of(fitted) if log is not None else None
        network = learned(of_rows(outcomes, fitted), reward, learning, own, seed=seed)
        return chances_of(network, features[rows])

    folds = folds_by_group(outcomes.groups, learning.folds, seed=0)
    found: Chances = out_of_fold(folds, on_others)
    return found


def predictions_out_of_fold(
    outcomes: Outcomes, reward: Reward, log: Log, folds: int
) -> Float64[ndarray, "questions budgets"]:
    """The reward of each budget by a model that was fitted on other groups, for doubly robust values."""
    features = features_of(outcomes.states, SEEN)
    inputs = standardised_on(features)(features).astype(np.float32)
    scores = predicted_scores(inputs, log, outcomes.scores, folds_by_group(outcomes.groups, folds))
    return np.asarray(scores - penalties(outcomes, reward))


def mean_and_deviation(values: Sequence[float]) -> tuple[float, float | None]:
    """The mean over seeds and its standard deviation, None for a single seed."""
    found = np.asarray(values, np.float64)
    return float(found.mean()), float(found.std(ddof=1)) if len(found) > 1 else None

"""Targets: what a policy takes each choice to be worth, from all outcomes or from a log.

The expected target under a policy is its expected reward, or an estimate of that without bias:

- `full_information`: the reward itself, where every budget was tried;
- `ips`: of a log, the reward of the tried budget by how rarely it is tried, elsewhere 0;
- `reinforce`: the same, of the reward above the mean, which is REINFORCE with importance weights;
- `doubly_robust`: a model's prediction, corrected by what it was wrong about the tried budget.
"""

from typing import get_args

import numpy as np
import torch
from jaxtyping import Float32, Float64
from numpy import ndarray
from torch import nn

from safe_data.core.errors import InputError
from safe_eval.statistics.folds import Folds, Rows, out_of_fold
from safe_train.gates.off_policy import Log, Table
from safe_train.gates.policy import WEIGHT_DECAY, AudioPolicyNetwork, step
from safe_train.settings.stage_b import Method

METHODS: tuple[str, ...] = get_args(Method)

Features = Float32[ndarray, "questions features"]

_MODEL_STEPS, _MODEL_RATE = 100, 0.02


def targets_of(method: str, rewards: Table, log: Log | None, predicted: Table | None) -> Table:
    """The target of each choice.

    Args:
        method: full_information needs all rewards, the others a log
        rewards: NaN where a budget was not tried
        log: what was tried
        predicted: rewards by a model, for doubly_robust

    Raises:
        InputError: full information is asked for, and a reward is missing.

    >>> log, paid = Log(np.array([1]), np.array([0.25])), np.array([[np.nan, 0.5]])
    >>> targets_of("ips", paid, log, None).tolist()
    [[0.0, 2.0]]
    """
    if method == "full_information":
        if np.isnan(rewards).any():
            raise InputError(
                f"method='full_information': {int(np.isnan(rewards).any(axis=1).sum())} questions were not "
                "asked at every budget; choose doubly_robust, and name the log of what was tried (--log)"
            )
        return rewards
    if log is None:
        raise ValueError(f"{method} needs a log")
    paid, tried = log.at(rewards), np.zeros_like(rewards)
    at = np.arange(len(rewards)), log.columns
    if method == "doubly_robust":
        if predicted is None:
            raise ValueError("a doubly robust target needs predictions")
        tried[at] = (paid - log.at(predicted)) / log.propensities
        return np.asarray(predicted + tried)
    baseline = paid.mean() if method == "reinforce" else 0.0
    tried[at] = (paid - baseline) / log.propensities
    return tried


def predicted_scores(features: Features, log: Log, scores: Table, folds: Folds, *, seed: int = 0) -> Table:
    """The score of each budget by a model of the logged scores, fitted on the other folds.

    The model is the policy's network, whose outputs become chances. It knows nothing of costs, which are
    known without it. Weights that shrink keep it from learning single questions: what it is wrong about
    counts as often as a tried budget is rare.
    """
    budgets = list(range(scores.shape[1]))
    heard = log.at(scores)

    def on_others(fitted: Rows, rows: Rows) -> Float64[ndarray, "rows budgets"]:
        model = AudioPolicyNetwork(features.shape[1], budgets, seed=seed)
        states, wanted = torch.from_numpy(features[fitted]), torch.from_numpy(heard[fitted]).float()
        tried = torch.from_numpy(log.columns[fitted])[:, None]
        optimizer = torch.optim.AdamW(model.parameters(), _MODEL_RATE, weight_decay=WEIGHT_DECAY)
        for _ in range(_MODEL_STEPS):
            given = model(states).gather(1, tried)[:, 0]
            step(optimizer, nn.functional.binary_cross_entropy_with_logits(given, wanted))
        with torch.no_grad():
            found = model(torch.from_numpy(features[rows])).sigmoid().double().numpy()
        return np.asarray(found)

    return np.asarray(out_of_fold(folds, on_others))

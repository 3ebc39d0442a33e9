"""Logistic regression of several classes: the best that a linear reader of features can do."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.statistics.folds import Rows, folds_by_group, out_of_fold

STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)  # C, from the strongest penalty to the weakest
FOLDS = 5
_STEPS = 1000  # of L-BFGS, which mostly needs some dozens

Features = Float64[ndarray, "rows features"]
Classes = Int64[ndarray, " rows"]
Chances = Float64[ndarray, "rows classes"]


@dataclass(frozen=True)
class Logistic:
    """A fit: features are standardised by what it was fitted on, weighed and added up."""

    mean: Float64[ndarray, " features"]
    scale: Float64[ndarray, " features"]
    weights: Float64[ndarray, "features present"]
    bias: Float64[ndarray, " present"]
    present: Int64[ndarray, " present"]  # the classes that the fit has seen
    classes: int

    def chances(self, features: Features) -> Chances:
        """The chance of each class; 0 for those that the fit has not seen."""
        from scipy.special import softmax

        found = np.zeros((len(features), self.classes))
        logits = (features - self.mean) / self.scale @ self.weights + self.bias
        found[:, self.present] = softmax(logits, axis=1)
        return found


def fit_logistic(features: Features, labels: Classes, classes: int, strength: float) -> Logistic:
    """The weights of the least sum of C × NLL and half the squared weights; biases are free.

    Args:
        features: one row for each item, in any unit
        labels: the class of each item, from 0
        classes: how many there are, some of which these items may lack
        strength: C; the smaller, the nearer are the weights to 0

    Raises:
        InputError: there are no items, or a feature is not a finite number.

    Source: Liu & Nocedal 1989, "On the limited memory BFGS method for large scale optimization". Differs:
    the sum is divided by C and the number of items, so that one tolerance fits every size; and it is
    minimised in directions that are about equally steep, which takes far fewer steps.

    >>> fit = fit_logistic(np.array([[0.0], [1.0], [9.0], [10.0]]), np.array([0, 0, 1, 1]), 2, 1.0)
    >>> fit.chances(np.array([[2.0], [8.0]])).argmax(axis=1).tolist()
    [0, 1]
    """
    from scipy.optimize import minimize
    from scipy.special import logsumexp
    from threadpoolctl import threadpool_limits

    if not len(features) or not np.isfinite(features).all():
        raise InputError(f"{len(features)} items: none, or a feature is not a finite number; nothing fits")
    present, truth = np.unique(labels, return_inverse=True)
    mean, spread = features.mean(axis=0), features.std(axis=0)
    scale = np.where(spread > 0, spread, 1.0)
    rows, size = np.arange(len(features)), features.shape[1] * len(present)
    penalty = 1 / (strength * len(rows))

    def loss(flat: Float64[ndarray, " weights"]) -> tuple[float, Float64[ndarray, " weights"]]:
        weights = flat[:size].reshape(-1, len(present))
        logits = inputs @ weights + flat[size:]
        logs = logits - logsumexp(logits, axis=1, keepdims=True)
        pull = np.exp(logs) / len(rows)
        pull[rows, truth] -= 1 / len(rows)
        slope = np.concatenate([(inputs.T @ pull + penalties * weights).ravel(), pull.sum(axis=0)])
        return float(-logs[rows, truth].mean() + (penalties / 2 * weights**2).sum()), slope

    with threadpool_limits(1):  # the last bits depend on how many there are
        standardised = (features - mean) / scale
        spreads, directions = np.linalg.eigh(standardised.T @ standardised / len(rows))
        steepness = np.maximum(spreads, 0.0) / len(present) + penalty
        turned = directions / np.sqrt(steepness)
        inputs, penalties = standardised @ turned, (penalty / steepness)[:, None]
        found = minimize(
            loss,
            np.zeros(size + len(present)),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": _STEPS, "ftol": 1e-12, "gtol": 1e-6},
        )
        weights = turned @ found.x[:size].reshape(-1, len(present))
    return Logistic(mean, scale, weights, found.x[size:], present, classes)


def best_strength(
    features: Features, labels: Classes, classes: int, groups: Sequence[str], *, seed: int = 0
) -> float:
    """The C of `STRENGTHS` that names most items right out of fold, the smallest of equals.

    Folds keep groups whole, so that no item is judged by a fit on its own group.

    Raises:
        InputError: there are fewer than two groups; or see `fit_logistic`.
    """
    folds = folds_by_group(groups, min(FOLDS, len(set(groups))), seed=seed)

    def right(strength: float) -> int:
        def named(fitted: Rows, rows: Rows) -> Classes:
            fit = fit_logistic(features[fitted], labels[fitted], classes, strength)
            return np.asarray(fit.chances(features[rows]).argmax(axis=1))

        return int((out_of_fold(folds, named) == labels).sum())

    return max(STRENGTHS, key=right)

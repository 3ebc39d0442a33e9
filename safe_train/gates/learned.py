"""Learned gates: the chance that hearing corrects the base's answer, from its hidden state and its entropy.

A question's label is 1 where the answer is right with the sound and wrong without it. Such questions are few,
and weigh no more than others, so that a score stays a chance: the threshold, and not the fit, says which
chance is worth listening for. Everything is a full batch on one thread, and follows from the seed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.scorers.scorer import RIGHT_FROM
from safe_eval.statistics.folds import Folds, Rows, out_of_fold
from safe_train.gates.features import Features, features_of, standardised_on
from safe_train.gates.gate import Decisions, check_scores
from safe_train.gates.network import Layer, Network, softmax
from safe_train.gates.outcomes import Outcomes
from safe_train.gates.states import States

SEEN = ("entropy", "hidden")  # confidence and margin follow from the same token and tell nothing more
HIDDEN_WIDTH = 32
FOLDS = 5
FEWEST = 10  # questions of either label, below which nothing can be learned

_STEPS = 200  # of L-BFGS; a linear fit converges sooner

Labels = Bool[ndarray, " questions"]


@dataclass(frozen=True)
class BudgetGate:
    """Chooses the likeliest budget, the smaller of two alike; the score is 1 − the chance of no sound."""

    kind: str
    features: tuple[str, ...]
    network: Network
    budgets: tuple[int, ...]
    needs_state: bool = True

    def decide(self, states: States) -> Decisions:
        """Decide for each question.

        Raises:
            ValueError: see `check_scores`.
        """
        logits = self.network(features_of(states, self.features))
        skips = softmax(logits)[:, self.budgets.index(0)] if 0 in self.budgets else 0.0
        tokens = np.asarray(self.budgets, np.int64)[logits.argmax(axis=1)]
        scores = np.clip(np.zeros(len(tokens)) + 1 - skips, 0.0, 1.0)
        check_scores(self.kind, scores)
        return Decisions(tokens, scores)


def chance_of(
    network: Network, features: Sequence[str]
) -> Callable[[States], Float64[ndarray, " questions"]]:
    """The score of a network with one output: its sigmoid."""
    from scipy.special import expit

    return lambda states: np.asarray(expit(network(features_of(states, features))[:, 0]))


def corrected(outcomes: Outcomes, tokens: int) -> Labels:
    """Which questions are answered right with so many tokens, and wrong without the sound."""
    heard, alone = (outcomes.scores[:, outcomes.column(budget)] >= RIGHT_FROM for budget in (tokens, 0))
    found: Labels = heard & ~alone
    return found


def check_labels(labels: Labels, tokens: int) -> None:
    """Refuse labels that no gate could be learned from.

    Raises:
        InputError: hearing corrects fewer than 10 of the answers, or leaves fewer than 10 as they were.
    """
    counts = int(labels.sum()), int((~labels).sum())
    if min(counts) < FEWEST:
        raise InputError(
            f"hearing with {tokens} tokens corrects {counts[0]} of {len(labels)} answers; a learned gate "
            f"needs {FEWEST} that it corrects and {FEWEST} that it does not: ask more, or fit --kind entropy"
        )


def scores_out_of_fold(
    features: Features, labels: Labels, folds: Folds, fit: Callable[[Features, Labels], Network]
) -> Float64[ndarray, " questions"]:
    """The score of each question by a gate that was not fitted on any question of its group."""
    from scipy.special import expit

    def scored(fitted: Rows, rows: Rows) -> ndarray:
        return np.asarray(expit(fit(features[fitted], labels[fitted])(features[rows])[:, 0]))

    return out_of_fold(folds, scored)


def fit_network(features: Features, labels: Labels, *, hidden: bool, l2: float, seed: int) -> Network:
    """The network whose chances have the least mean NLL, plus l2 / 2 times the squared weights, not biases.

    Targets lie inside (0, 1) by half an answer, so that there is a fit even where all labels are alike.

    Source: Platt 1999, "Probabilistic outputs for support vector machines", for the targets; Liu & Nocedal
    1989, "On the limited memory BFGS method for large scale optimization".
    """
    from scipy.optimize import minimize
    from scipy.special import expit
    from threadpoolctl import threadpool_limits

    standardised = standardised_on(features)
    inputs = standardised(features)
    rights = float(labels.sum())
    targets = np.where(labels, (rights + 1) / (rights + 2), 1 / (len(labels) - rights + 2))
    shapes = _shapes(inputs.shape[1], hidden=hidden)
    penalised = np.concatenate([np.full(int(np.prod(shape)), len(shape) == 2, float) for shape in shapes])

    def loss(flat: Float64[ndarray, " weights"]) -> tuple[float, Float64[ndarray, " weights"]]:
        *first, weight, bias = _parts(flat, shapes)
        inner = np.maximum(inputs @ first[0].T + first[1], 0.0) if first else inputs
        logits = (inner @ weight.T)[:, 0] + bias[0]
        value = float((np.logaddexp(0.0, logits) - targets * logits).mean())
        pull = (expit(logits) - targets)[:, None] / len(targets)
        gradients = [pull.T @ inner, pull.sum(axis=0)]
        if first:
            back = (pull @ weight) * (inner > 0)
            gradients = [back.T @ inputs, back.sum(axis=0), *gradients]
        slope = np.concatenate([gradient.ravel() for gradient in gradients])
        return value + l2 / 2 * float(flat @ (penalised * flat)), slope + l2 * penalised * flat

    with threadpool_limits(1):
        start = _start(shapes, seed, base_rate=float(targets.mean()))
        found = minimize(
            loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS, "ftol": 1e-13, "gtol": 1e-8}
        )
    *first, weight, bias = _parts(found.x, shapes)
    return Network(standardised, Layer(first[0], first[1]) if first else None, Layer(weight, bias))


def _shapes(inputs: int, *, hidden: bool) -> list[tuple[int, ...]]:
    """The shapes of the weights and biases, in the order in which they lie side by side."""
    units = HIDDEN_WIDTH if hidden else inputs
    return [*([(units, inputs), (units,)] if hidden else []), (1, units), (1,)]


def _parts(
    flat: Float64[ndarray, " weights"], shapes: Sequence[tuple[int, ...]]
) -> list[Float64[ndarray, " *shape"]]:
    ends = np.cumsum([int(np.prod(shape)) for shape in shapes])
    return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]


def _start(shapes: Sequence[tuple[int, ...]], seed: int, base_rate: float) -> Float64[ndarray, " weights"]:
    """Weights drawn for ReLU, and the bias that gives every question the share of all that are corrected."""
    rng = np.random.default_rng(seed)
    parts = [
        (rng.standard_normal(shape) * np.sqrt(2 / shape[1]) if len(shape) == 2 else np.zeros(shape)).ravel()
        for shape in shapes
    ]
    if len(shapes) == 2:
        parts[0][:] = 0.0  # a linear gate has one minimum; it need not be looked for from elsewhere
    parts[-1][:] = np.log(base_rate / (1 - base_rate))
    return np.concatenate(parts)

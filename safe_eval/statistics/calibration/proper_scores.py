"""Proper scores: Brier score and NLL per item. Only the true probabilities minimise their expected values."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.statistics.calibration.reliability import (
    Classes,
    Confidences,
    Correct,
    Probabilities,
    check_confidences,
    check_probabilities,
)

SMALLEST_PROBABILITY = 1e-12  # replaces 0, so that one certain error does not make the mean infinite
LARGEST_NLL = float(-np.log(SMALLEST_PROBABILITY))


def brier(confidence: Confidences, correct: Correct) -> Float[ndarray, " items"]:
    """The squared difference between confidence and right (1) or wrong (0), in [0, 1].

    Raises:
        InputError: see `check_confidences`.

    Source: Brier 1950, "Verification of forecasts expressed in terms of probability", for one event.

    >>> brier(np.array([0.9, 0.5]), np.array([1.0, 0.0])).round(2).tolist()
    [0.01, 0.25]
    """
    check_confidences(confidence, correct)
    return np.asarray((confidence - correct) ** 2)


def multiclass_brier(
    probabilities: Probabilities, labels: Classes, *, half: bool = False
) -> Float[ndarray, " items"]:
    """The squared differences summed over the classes, in [0, 2]; with `half`, half of that, in [0, 1].

    Raises:
        InputError: see `check_probabilities`.

    Source: Brier 1950 has the sum. Half of it equals `brier` for two classes.

    >>> multiclass_brier(np.array([[0.9, 0.1]]), np.array([0])).round(3).tolist()
    [0.02]
    """
    check_probabilities(probabilities, labels)
    truth = labels[:, None] == np.arange(probabilities.shape[1])
    total = ((probabilities - truth) ** 2).sum(axis=1)
    return np.asarray(total / 2 if half else total)


def nll(confidence: Confidences, correct: Correct) -> Float[ndarray, " items"]:
    """−log of the probability given to the outcome, in nats. A probability of 0 counts as 1e-12.

    Raises:
        InputError: see `check_confidences`.

    >>> nll(np.array([0.5, 0.9]), np.array([0.0, 1.0])).round(4).tolist()
    [0.6931, 0.1054]
    """
    check_confidences(confidence, correct)
    right = np.log(np.maximum(confidence, SMALLEST_PROBABILITY))
    wrong = np.log(np.maximum(1 - confidence, SMALLEST_PROBABILITY))
    return np.asarray(-(correct * right + (1 - correct) * wrong))


def multiclass_nll(probabilities: Probabilities, labels: Classes) -> Float[ndarray, " items"]:
    """−log of the probability given to the true class, in nats. A probability of 0 counts as 1e-12.

    Raises:
        InputError: see `check_probabilities`.

    >>> multiclass_nll(np.array([[0.5, 0.25, 0.25]]), np.array([0])).round(4).tolist()
    [0.6931]
    """
    check_probabilities(probabilities, labels)
    given = probabilities[np.arange(len(labels)), labels]
    return np.asarray(-np.log(np.maximum(given, SMALLEST_PROBABILITY)))

"""Temperature scaling: one number, fitted on some items, that calibrates the confidences of others."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.statistics.calibration.proper_scores import SMALLEST_PROBABILITY
from safe_eval.statistics.calibration.reliability import (
    Classes,
    Confidences,
    Correct,
    Probabilities,
    check_confidences,
    check_probabilities,
)

_COLDEST, _HOTTEST = 1e-3, 1e3


def fit_temperature(confidence: Confidences, correct: Correct) -> float:
    """The T that minimises the NLL of sigmoid(logit(confidence) / T); above 1 for overconfident answers.

    Raises:
        InputError: see `check_confidences`; or no temperature fits.

    Source: Guo et al. 2017, section 4.2, with the two classes "the answer is right" and "it is wrong".

    >>> round(fit_temperature(np.full(4, 0.9), np.array([1.0, 1.0, 1.0, 0.0])), 3)
    2.0
    """
    check_confidences(confidence, correct)
    logits = _logits(np.stack([confidence, 1 - confidence], axis=1))
    return _fit(logits, np.stack([correct, 1 - correct], axis=1))


def fit_multiclass_temperature(probabilities: Probabilities, labels: Classes) -> float:
    """The T that minimises the NLL of softmax(log(probabilities) / T) over all classes.

    Raises:
        InputError: see `check_probabilities`; or no temperature fits.

    >>> two = np.tile([0.9, 0.1], (4, 1))
    >>> round(fit_multiclass_temperature(two, np.array([0, 0, 0, 1])), 3)
    2.0
    """
    check_probabilities(probabilities, labels)
    truth = (labels[:, None] == np.arange(probabilities.shape[1])).astype(float)
    return _fit(_logits(probabilities), truth)


def apply_temperature(confidence: Confidences, temperature: float) -> Confidences:
    """The confidences at a temperature. The order of the items by confidence does not change.

    Raises:
        InputError: the temperature is not above 0.

    >>> apply_temperature(np.array([0.9]), 2.0).round(4).tolist()
    [0.75]
    """
    return apply_multiclass_temperature(np.stack([confidence, 1 - confidence], axis=1), temperature)[:, 0]


def apply_multiclass_temperature(probabilities: Probabilities, temperature: float) -> Probabilities:
    """The distributions at a temperature. The likeliest class stays the same.

    Raises:
        InputError: the temperature is not above 0.

    >>> apply_multiclass_temperature(np.array([[0.9, 0.1]]), 2.0).round(4).tolist()
    [[0.75, 0.25]]
    """
    if not (np.isfinite(temperature) and temperature > 0):
        raise InputError(f"temperature {temperature} is not above 0")
    return _softmax(_logits(probabilities) / temperature)


def _logits(probabilities: Probabilities) -> Float[ndarray, "items classes"]:
    return np.asarray(np.log(np.maximum(probabilities, SMALLEST_PROBABILITY)))


def _softmax(logits: Float[ndarray, "items classes"]) -> Probabilities:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _fit(logits: Float[ndarray, "items classes"], truth: Float[ndarray, "items classes"]) -> float:
    """The T of the lowest NLL. The NLL is convex in 1/T, so its slope has one root or none."""
    from scipy.optimize import brentq

    def slope(log_inverse: float) -> float:
        return float(((_softmax(logits * np.exp(log_inverse)) - truth) * logits).sum(axis=1).mean())

    coldest, hottest = -np.log(_COLDEST), -np.log(_HOTTEST)
    if slope(coldest) <= 0:
        raise InputError("every answer is right, or as good as: no temperature fits; give more items")
    if slope(hottest) >= 0:
        raise InputError("confidence says nothing about right and wrong here: no temperature fits")
    return float(np.exp(-brentq(slope, hottest, coldest, xtol=1e-12)))

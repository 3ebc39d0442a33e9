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

COLDEST, HOTTEST = 1e-3, 1e3  # the bounds of a temperature


def fit_temperature(confidence: Confidences, correct: Correct) -> float:
    """The T that minimises the NLL of sigmoid(logit(confidence) / T); above 1 for overconfident answers.

    Where a colder or a hotter one is always better, it is the bound: see `bound_reached`. If every confidence
    is 0.5, which no temperature changes, it is 1.

    Raises:
        InputError: see `check_confidences`.

    Source: Guo et al. 2017, section 4.2, with the two classes "the answer is right" and "it is wrong".

    >>> round(fit_temperature(np.full(4, 0.9), np.array([1.0, 1.0, 1.0, 0.0])), 3)
    2.0
    """
    check_confidences(confidence, correct)
    logits = _logits(np.stack([confidence, 1 - confidence], axis=1))
    return _fit(logits, np.stack([correct, 1 - correct], axis=1))


def fit_multiclass_temperature(probabilities: Probabilities, labels: Classes) -> float:
    """The T that minimises the NLL of softmax(log(probabilities) / T) over all classes.

    Items may have different classes: NaN stands where an item has no such class. A probability of 0 counts as
    the smallest of its item that is above 0, and at most as 1e-12. Bounds are those of `fit_temperature`.

    Raises:
        InputError: see `check_probabilities`.

    >>> two = np.tile([0.9, 0.1], (4, 1))
    >>> round(fit_multiclass_temperature(two, np.array([0, 0, 0, 1])), 3)
    2.0
    """
    check_probabilities(np.nan_to_num(probabilities), labels)
    truth = (labels[:, None] == np.arange(probabilities.shape[1])).astype(float)
    return _fit(_logits(probabilities), truth)


def bound_reached(temperature: float) -> str | None:
    """Which bound a fitted temperature reached, and why; None where it lies between them.

    >>> bound_reached(0.001)
    'the temperature reached its bound 0.001: every likelier outcome came, or nearly'
    >>> bound_reached(2.0) is None
    True
    """
    if temperature <= COLDEST:
        return f"the temperature reached its bound {COLDEST:g}: every likelier outcome came, or nearly"
    if temperature >= HOTTEST:
        return f"the temperature reached its bound {HOTTEST:g}: likelier outcomes did not come more often"
    return None


def apply_temperature(confidence: Confidences, temperature: float) -> Confidences:
    """The confidences at a temperature. The order of the items by confidence does not change.

    Raises:
        InputError: the temperature is not above 0.

    >>> apply_temperature(np.array([0.9]), 2.0).round(4).tolist()
    [0.75]
    """
    return apply_multiclass_temperature(np.stack([confidence, 1 - confidence], axis=1), temperature)[:, 0]


def apply_multiclass_temperature(probabilities: Probabilities, temperature: float) -> Probabilities:
    """The distributions at a temperature; NaN stays where an item has no such class.

    The likeliest class stays the same.

    Raises:
        InputError: the temperature is not above 0.

    >>> apply_multiclass_temperature(np.array([[0.9, 0.1]]), 2.0).round(4).tolist()
    [[0.75, 0.25]]
    """
    if not (np.isfinite(temperature) and temperature > 0):
        raise InputError(f"temperature {temperature} is not above 0")
    logits = _logits(probabilities)
    return np.where(np.isnan(probabilities), np.nan, _softmax(logits / temperature))


def _logits(probabilities: Probabilities) -> Float[ndarray, "items classes"]:
    """The logarithms; −inf where an item has no such class."""
    above = np.where(probabilities > 0, probabilities, 1.0)
    smallest = np.minimum(above.min(axis=1, keepdims=True), SMALLEST_PROBABILITY)
    floored = np.where(probabilities > 0, probabilities, smallest)
    return np.where(np.isnan(probabilities), -np.inf, np.log(floored))


def _softmax(logits: Float[ndarray, "items classes"]) -> Probabilities:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _fit(logits: Float[ndarray, "items classes"], truth: Float[ndarray, "items classes"]) -> float:
    """The T of the lowest NLL between the bounds. It is convex in 1/T, so its slope has one root or none."""
    from scipy.optimize import brentq

    finite = np.where(np.isfinite(logits), logits, 0.0)

    def slope(log_inverse: float) -> float:
        return float(((_softmax(logits * np.exp(log_inverse)) - truth) * finite).sum(axis=1).mean())

    reach = np.where(np.isfinite(logits), logits, logits.max(axis=1, keepdims=True))
    if (np.ptp(reach, axis=1) < 1e-12).all():  # equal at any temperature
        return 1.0
    coldest, hottest = -np.log(COLDEST), -np.log(HOTTEST)
    if slope(hottest) >= 0:
        return HOTTEST
    if slope(coldest) <= 0:
        return COLDEST
    return float(np.exp(-brentq(slope, hottest, coldest, xtol=1e-12)))

"""Platt scaling: a slope and a bias on the logit of confidence, fitted on some items to calibrate others."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.statistics.calibration.proper_scores import SMALLEST_PROBABILITY
from safe_eval.statistics.calibration.reliability import Confidences, Correct, check_confidences

STEEPEST = 1e3  # the slope that stands for a temperature of 0.001

_NO_SLOPE = 1e-8  # of logits of standard deviation 1; smaller ones are rounding

Logits = Float[ndarray, " items"]


@dataclass(frozen=True)
class Platt:
    """The calibrated confidence is sigmoid(slope × logit(confidence) + bias); 1 and 0 change nothing."""

    slope: float
    bias: float
    bound: str | None = None  # which end a parameter reached, and why


def fit_platt(confidence: Confidences, correct: Correct) -> Platt:
    """The slope and the bias that minimise the NLL against Platt's targets. There always are some.

    The targets lie inside (0, 1): with r right and w wrong answers, (r + 1)/(r + 2) for a right one and
    1/(w + 2) for a wrong one. So answers that are all right, all wrong or told apart without error have a fit
    too. An answer that scores between is right to the extent of its score. If all confidences are equal, the
    slope is 1 and the bias alone is fitted. A slope below 0 says that surer answers are wrong more often.

    Raises:
        InputError: see `check_confidences`.

    Source: Platt 1999, "Probabilistic outputs for support vector machines", with the logit of the confidence
    as the score; Lin, Lin & Weng 2007, "A note on Platt's probabilistic outputs".

    >>> sure, right = np.full(8, 0.9), np.tile([1.0, 0.0], 4)
    >>> fitted = fit_platt(sure, right)
    >>> fitted.slope, round(fitted.bias, 3), apply_platt(sure, fitted)[0].round(3)
    (1.0, -2.197, np.float64(0.5))
    """
    check_confidences(confidence, correct)
    logits, rights = _logit(confidence), float(correct.sum())
    wrongs = len(correct) - rights
    targets = correct * (rights + 1) / (rights + 2) + (1 - correct) / (wrongs + 2)
    centre, width = float(logits.mean()), float(logits.std())
    if width < 1e-12:
        return Platt(1.0, _bias_at(0.0, logits, targets) - centre)
    slope, bias = _fit((logits - centre) / width, targets)
    slope = 0.0 if abs(slope) < _NO_SLOPE else slope / width
    if abs(slope) <= STEEPEST:
        return Platt(slope, bias - slope * centre)
    slope = float(np.copysign(STEEPEST, slope))
    bound = f"the slope reached its bound {slope:g}: confidences that hardly differ tell right from wrong"
    return Platt(slope, _bias_at(slope, logits - centre, targets) - slope * centre, bound)


def apply_platt(confidence: Confidences, fitted: Platt) -> Confidences:
    """The confidences, calibrated. A slope below 0 turns their order round.

    >>> apply_platt(np.array([0.5]), Platt(1.0, 1.0)).round(4).tolist()
    [0.7311]
    """
    from scipy.special import expit

    return np.asarray(expit(fitted.slope * _logit(confidence) + fitted.bias))


def _logit(confidence: Confidences) -> Logits:
    """A confidence of 0 or 1 counts as 1e-12 away from it."""
    right, wrong = (np.maximum(one, SMALLEST_PROBABILITY) for one in (confidence, 1 - confidence))
    return np.asarray(np.log(right) - np.log(wrong))


def _fit(scores: Logits, targets: Float[ndarray, " items"]) -> tuple[float, float]:
    """Slope and bias by the trust region; the NLL is convex, and grows without end in every direction."""
    from scipy.optimize import minimize
    from scipy.special import expit

    columns = np.stack([scores, np.ones(len(scores))], axis=1)

    def loss(parameters: Float[ndarray, " 2"]) -> tuple[float, Float[ndarray, " 2"]]:
        logits = columns @ parameters
        value = float((np.logaddexp(0, logits) - targets * logits).mean())
        return value, (expit(logits) - targets) @ columns / len(columns)

    def curvature(parameters: Float[ndarray, " 2"]) -> Float[ndarray, "2 2"]:
        chance = expit(columns @ parameters)
        return np.asarray((columns * (chance * (1 - chance))[:, None]).T @ columns / len(columns))

    found = minimize(
        loss, np.zeros(2), jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-10}
    )
    slope, bias = found.x
    return float(slope), float(bias)


def _bias_at(slope: float, logits: Logits, targets: Float[ndarray, " items"]) -> float:
    """The bias of the lowest NLL at a slope."""
    from scipy.optimize import brentq
    from scipy.special import expit

    reach = float(np.abs(slope * logits).max()) + 50.0

    def excess(bias: float) -> float:
        return float((expit(slope * logits + bias) - targets).mean())

    return float(brentq(excess, -reach, reach, xtol=1e-12))

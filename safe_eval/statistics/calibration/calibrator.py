"""Calibrator: what turns stated confidences into calibrated ones, fitted on dev and applied to test.

Answers with a distribution over their choices get a multiclass temperature; all others get Platt scaling.
That is a rule and not a choice by the data, so nothing is picked because it came out well.
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from safe_eval.statistics.calibration.forecasts import Distributions, Forecasts
from safe_eval.statistics.calibration.platt import apply_platt, fit_platt
from safe_eval.statistics.calibration.reliability import Classes, Confidences, Probabilities
from safe_eval.statistics.calibration.temperature import (
    apply_multiclass_temperature,
    bound_reached,
    fit_multiclass_temperature,
)

Method = Literal["multiclass temperature", "Platt scaling"]
MULTICLASS: Method = "multiclass temperature"
PLATT: Method = "Platt scaling"


@dataclass(frozen=True)
class Calibrator:
    """How some answers are calibrated: a temperature, or a slope and a bias."""

    method: Method
    temperature: float | None = None
    slope: float | None = None
    bias: float | None = None
    bound: str | None = None  # which bound a parameter reached, and why
    dev_n: int = 0  # answers it is fitted on
    n: int = 0  # answers that it calibrates


def calibrated(dev: Forecasts, test: Forecasts) -> tuple[Forecasts, tuple[Calibrator, ...]]:
    """The test forecasts with calibrated confidences, and the calibrators, fitted on dev.

    A multiclass temperature is fitted on the dev answers whose distribution has one right choice. The
    confidence of a test answer is then the probability of the choice that it names, at this temperature.
    Platt scaling, for all other test answers, is fitted on the dev answers without a distribution, or on all
    of them if there are none.

    Raises:
        InputError: see `fit_platt` and `fit_multiclass_temperature`.

    >>> sure, right = np.full(8, 0.9), np.tile([1.0, 0.0], 4)
    >>> stated = Forecasts(np.arange(8), np.arange(8), sure, right)
    >>> after, (fitted,) = calibrated(stated, stated)
    >>> fitted.method, after.confidence.round(3)[0]
    ('Platt scaling', np.float64(0.5))
    """
    on, to = _with_distributions(dev, test)
    confidence = test.confidence.copy()
    found: list[Calibrator] = []
    if on is not None and to is not None:
        temperature = fit_multiclass_temperature(*_fitted(on))
        by_choices = to.given
        confidence[by_choices] = _at_temperature(to, temperature)
        bound = bound_reached(temperature)
        counts = int(on.judged.sum()), int(by_choices.sum())
        found.append(Calibrator(MULTICLASS, temperature, bound=bound, dev_n=counts[0], n=counts[1]))
    else:
        by_choices = np.zeros(len(confidence), dtype=bool)
    if not by_choices.all():
        alike = ~dev.with_distribution
        fitted_on = alike if alike.any() else ~alike
        platt = fit_platt(dev.confidence[fitted_on], dev.correct[fitted_on])
        confidence[~by_choices] = apply_platt(test.confidence[~by_choices], platt)
        counts = int(fitted_on.sum()), int((~by_choices).sum())
        fit = Calibrator(PLATT, slope=platt.slope, bias=platt.bias, bound=platt.bound)
        found.append(replace(fit, dev_n=counts[0], n=counts[1]))
    return replace(test, confidence=confidence), tuple(found)


def _with_distributions(dev: Forecasts, test: Forecasts) -> tuple[Distributions | None, Distributions | None]:
    """The distributions of both sides, if dev has some to fit and test some to calibrate."""
    on, to = dev.distributions, test.distributions
    if on is None or to is None or not on.judged.any() or not to.given.any():
        return None, None
    return on, to


def _fitted(on: Distributions) -> tuple[Probabilities, Classes]:
    return on.probabilities[on.judged], on.right[on.judged]


def _at_temperature(of: Distributions, temperature: float) -> Confidences:
    """The probability of the choice that was answered, for each item that has a distribution."""
    cooled = apply_multiclass_temperature(of.probabilities[of.given], temperature)
    return np.asarray(cooled[np.arange(len(cooled)), of.said[of.given]])

"""How often intervals of calibration errors hold, and a planted temperature or bias is found."""

import itertools
from collections.abc import Iterator
from functools import cache, partial

import numpy as np

from benchmarks.simulations.case import Case
from benchmarks.simulations.means import RESAMPLES, holds
from benchmarks.simulations.worlds import clusters_of
from safe_eval.options import Sampling
from safe_eval.statistics.calibration.calibration import calibration
from safe_eval.statistics.calibration.forecasts import Forecasts
from safe_eval.statistics.calibration.platt import apply_platt, fit_platt
from safe_eval.statistics.calibration.temperature import (
    apply_temperature,
    fit_multiclass_temperature,
    fit_temperature,
)

_NAMES = ("ece", "debiased_ece", "mce", "brier")


def answers_of(rng: np.random.Generator, count: int, sharpening: float) -> Forecasts:
    """Forecasts whose chance of being right is shared in a cluster, said more sharply than it is."""
    clusters = clusters_of(rng, count)
    logits = rng.normal(1, 1, size=count)[clusters] + rng.normal(0, 0.5, size=len(clusters))
    correct = (rng.random(len(clusters)) < 1 / (1 + np.exp(-logits))).astype(float)
    return Forecasts(np.arange(len(clusters)), clusters, 1 / (1 + np.exp(-sharpening * logits)), correct)


@cache
def _truth(sharpening: float) -> dict[str, float]:
    """Unsharpened confidences are the chances themselves: there the errors in bins are 0, not noise."""
    found = calibration(answers_of(np.random.default_rng(0), 100_000, sharpening), Sampling(resamples=100))
    calibrated = {} if sharpening != 1 else dict.fromkeys(("ece", "debiased_ece", "mce"), 0.0)
    return {name: getattr(found, name).value for name in _NAMES} | calibrated


def of_errors(rng: np.random.Generator, *, sharpening: float, count: int) -> dict[str, bool]:
    """The interval of each error."""
    sampling = Sampling(resamples=RESAMPLES, seed=int(rng.integers(1 << 30)))
    measured = calibration(answers_of(rng, count, sharpening), sampling)
    truth = _truth(sharpening)
    return {name: holds(getattr(measured, name).interval, truth[name]) for name in _NAMES}


def of_planted(rng: np.random.Generator, *, temperature: float, items: int) -> dict[str, bool]:
    """Whether the temperature of four choices, so many times too large, is found within 10 %."""
    logits = rng.normal(0, 1.5, size=(items, 4))
    right = (rng.random(items)[:, None] > _softmax(logits).cumsum(axis=1)[:, :-1]).sum(axis=1)
    found = fit_multiclass_temperature(_softmax(temperature * logits), right)
    return {"multiclass temperature": abs(found / temperature - 1) <= 0.1}


def of_sure_and_wrong(rng: np.random.Generator, *, items: int) -> dict[str, bool]:
    """Confidence .90 to .999 at 37.5 % right: whether the mean is mended within 5 points of new answers."""
    halves = [(rng.uniform(0.9, 0.999, items), (rng.random(items) < 0.375).astype(float)) for _ in range(2)]
    (dev, right), (test, truth) = halves
    after = {
        "Platt": apply_platt(test, fit_platt(dev, right)),
        "plain temperature": apply_temperature(test, fit_temperature(dev, right)),
    }
    return {name: abs(confidence.mean() - truth.mean()) <= 0.05 for name, confidence in after.items()}


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def cases() -> Iterator[Case]:
    """Calibrated confidences, logits multiplied by 1.3 and 2; a temperature of 8; sure and mostly wrong."""
    for sharpening, count in itertools.product((1.0, 1.3, 2.0), (50, 500)):
        trial = partial(of_errors, sharpening=sharpening, count=count)
        yield Case(f"calibration, logits times {sharpening:g}, {count} clusters", "0.95", trial)
    planted = partial(of_planted, temperature=8.0, items=5000)
    yield Case("a temperature of 8 found within 10 %; 5,000 items", ">= 0.95", planted)
    yield Case(
        "confidence .90 to .999 at 37.5 % right, mended within 5 points; 1,000 items",
        ">= 0.95",
        partial(of_sure_and_wrong, items=1000),
    )

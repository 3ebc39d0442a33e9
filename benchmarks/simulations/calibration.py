"""How often the intervals of calibration errors hold their value on half a million items."""

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


def cases() -> Iterator[Case]:
    """Calibrated confidences, and logits multiplied by 1.3 and 2."""
    for sharpening, count in itertools.product((1.0, 1.3, 2.0), (50, 500)):
        trial = partial(of_errors, sharpening=sharpening, count=count)
        yield Case(f"calibration, logits times {sharpening:g}, {count} clusters", "0.95", trial)

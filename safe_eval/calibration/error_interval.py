"""Error interval: of a calibration error in bins, which noise makes larger and which is never below 0."""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.statistics.intervals import WILSON, percentile_levels, wilson_zero
from safe_eval.statistics.sampling import Interval, Sampling

MIRRORED = "mirrored cluster bootstrap"  # how an interval was made

Errors = Float[ndarray, " resamples"]


def error_interval(
    value: float, errors: Errors, by_chance: Errors, clusters: int, sampling: Sampling
) -> Interval:
    """From the value up to the resamples' upper quantile, and as far down; to 0 where that may be the truth.

    Resamples are biased upwards once more than the value is: their upper quantile is on the safe side, and
    mirrored at the value it makes good the bias below. `by_chance` are the errors of the same resamples with
    the observed gaps taken off, those that a calibrated model would show: a value that 5 % of them reach is
    no evidence against calibration, and its 95 % interval holds 0.

    Where all resamples agree, as they do for a model that is always right and always sure, the interval says
    what clusters not yet seen could do, as that of a mean does.

    Source: Efron & Tibshirani 1993, "An introduction to the bootstrap": section 16.4 for the test.
    Simulated coverage: `python -m benchmarks coverage_simulation`.
    """
    if np.ptp(errors) < 1e-12:
        unseen = wilson_zero(clusters, sampling.confidence)
        return Interval(value * (1 - unseen), value + unseen * (1 - value), WILSON)
    levels = percentile_levels(sampling.confidence, clusters)
    high = max(value, float(np.quantile(errors, levels[1])))
    calibrated = value <= np.quantile(by_chance, levels[1] - levels[0])
    return Interval(0.0 if calibrated else max(0.0, 2 * value - high), high, MIRRORED)

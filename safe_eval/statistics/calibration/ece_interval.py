"""Gaps: right − confidence by bin, summed over clusters: all that an equal-width ECE and its interval need.

One narrow table where `calibration` makes several wide ones, so that every cell of a large file can have it.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.statistics.bootstrap import Resampled, Totals, resampled_totals
from safe_eval.statistics.calibration.reliability import BINS, Confidences, Correct, inner_edges
from safe_eval.statistics.intervals import WILSON, percentile_levels, wilson_zero
from safe_eval.statistics.sampling import Interval, Sampling

LIMIT = "normal limit"  # how the resamples of very many clusters were drawn
_MANY_CLUSTERS = 4_096  # from here on sums of resamples are normal, and drawing clusters only costs time


def gaps_by_bin(confidence: Confidences, correct: Correct) -> Float[ndarray, "items bins"]:
    """Right − confidence of each item in the column of its bin; bins without items are left out.

    >>> gaps_by_bin(np.array([0.25, 0.75]), np.array([0.0, 1.0])).tolist()
    [[-0.25, 0.0], [0.0, 0.25]]
    """
    places = np.searchsorted(inner_edges(confidence, BINS, "equal width"), confidence, side="left")
    return np.where(places[:, None] == np.unique(places), (correct - confidence)[:, None], 0.0)


def gap_error(
    sums: Float[ndarray, "*rows gaps"], sizes: Float[ndarray, "*rows"], classes: int = 1
) -> Float[ndarray, "*rows"]:
    """The ECE that sums of gaps make; classwise ECE of the gaps of all classes side by side.

    >>> float(gap_error(np.array([-0.5, 0.25]), np.array(5.0)))
    0.15
    """
    return np.asarray(np.abs(sums).sum(axis=-1) / sizes / classes)


def measured_gaps(
    totals: Totals, drawn: Resampled | None, sampling: Sampling, classes: int = 1
) -> tuple[float, Interval]:
    """The ECE of the totals of clusters, gaps first and items last, and its interval from their `draws`."""
    whole = totals.sum(axis=0)
    value = float(gap_error(whole[:-1], whole[-1], classes))
    if drawn is None:
        return value, Interval()
    errors = gap_error(drawn[:, :-1], drawn[:, -1], classes)
    by_chance = gap_error(drawn[:, :-1] - whole[:-1], drawn[:, -1], classes)
    interval = error_interval(value, errors, by_chance, len(totals), sampling)
    if interval.method == MIRRORED:
        interval = replace(interval, method=drawn_by(MIRRORED, len(totals)))
    return value, interval


def draws(totals: Totals, sampling: Sampling) -> Resampled | None:
    """Sums of resampled clusters; of very many, from the normal distribution that such sums come to have.

    None of a single cluster, which says nothing about others.
    """
    if len(totals) < 2:
        return None
    if len(totals) < _MANY_CLUSTERS:
        return resampled_totals(totals, sampling)
    spread = np.cov(totals, rowvar=False, bias=True) * len(totals)
    rng = np.random.default_rng(sampling.seed)
    sums = rng.multivariate_normal(totals.sum(axis=0), spread, size=sampling.resamples, method="eigh")
    return np.asarray(sums)


def drawn_by(method: str, clusters: int) -> str:
    """The name of a method with how its resamples were drawn."""
    return method if clusters < _MANY_CLUSTERS else f"{method}, {LIMIT}"


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

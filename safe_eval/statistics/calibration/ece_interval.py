"""ECE interval: equal-width ECE from residuals summed by bin and cluster, and its interval from resamples.

It needs one narrow table where `calibration` makes several wide ones, so every arm of a large file can have
it.
"""

from dataclasses import replace

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import Resampled, Totals, resampled_totals
from safe_eval.statistics.calibration.reliability import BINS, Confidences, Correct, inner_edges
from safe_eval.statistics.intervals import WILSON, Interval, percentile_levels, wilson_zero

MIRRORED = "mirrored cluster bootstrap"  # how an interval was made
NORMAL_LIMIT = "normal limit"  # how the resamples of very many clusters were drawn
_MANY_CLUSTERS = 4_096  # from here on sums of resamples are normal, and drawing clusters only costs time

Errors = Float[ndarray, " resamples"]


def residuals_by_bin(confidence: Confidences, correct: Correct) -> Float[ndarray, "items bins"]:
    """Correct − confidence of each item, in the column of its bin. Bins without items have no column.

    >>> residuals_by_bin(np.array([0.25, 0.75]), np.array([0.0, 1.0])).tolist()
    [[-0.25, 0.0], [0.0, 0.25]]
    """
    places = np.searchsorted(inner_edges(confidence, BINS, "equal width"), confidence, side="left")
    return np.where(places[:, None] == np.unique(places), (correct - confidence)[:, None], 0.0)


def ece_and_interval(
    totals: Totals, drawn: Resampled | None, sampling: Sampling, classes: int = 1
) -> tuple[float, Interval]:
    """ECE from cluster totals, and its interval from their resamples (see `draw_totals`).

    The columns of `totals` and `drawn` are the residuals by bin, then the number of items. With the residuals
    of several classes side by side it is the classwise ECE. Without resamples the interval is not measured.
    """
    whole = totals.sum(axis=0)
    value = float(_ece(whole[:-1], whole[-1], classes))
    if drawn is None:
        return value, Interval()
    errors = _ece(drawn[:, :-1], drawn[:, -1], classes)
    by_chance = _ece(drawn[:, :-1] - whole[:-1], drawn[:, -1], classes)
    interval = error_interval(value, errors, by_chance, len(totals), sampling)
    if interval.method == MIRRORED:
        interval = replace(interval, method=method_name(MIRRORED, len(totals)))
    return value, interval


def draw_totals(totals: Totals, sampling: Sampling) -> Resampled | None:
    """Sums of resampled clusters; None for a single cluster, which says nothing about others.

    Very many clusters are not resampled: their sums are drawn from the normal distribution that such sums
    have in the limit.
    """
    if len(totals) < 2:
        return None
    if len(totals) < _MANY_CLUSTERS:
        return resampled_totals(totals, sampling)
    spread = np.cov(totals, rowvar=False, bias=True) * len(totals)
    rng = np.random.default_rng(sampling.seed)
    sums = rng.multivariate_normal(totals.sum(axis=0), spread, size=sampling.resamples, method="eigh")
    return np.asarray(sums)


def method_name(method: str, clusters: int) -> str:
    """The name of an interval method, with how `draw_totals` draws so many clusters.

    >>> method_name(MIRRORED, 100), method_name(MIRRORED, 10_000)
    ('mirrored cluster bootstrap', 'mirrored cluster bootstrap, normal limit')
    """
    return method if clusters < _MANY_CLUSTERS else f"{method}, {NORMAL_LIMIT}"


def error_interval(
    value: float, errors: Errors, by_chance: Errors, clusters: int, sampling: Sampling
) -> Interval:
    """The interval of a binned calibration error, from the errors of the resamples.

    It ends at the resamples' upper quantile, and equally far below the value. Binned errors
    are biased upwards, and resampling adds the same bias again. So the upper end is on the safe side, and
    mirroring it at the value makes up for the bias below.

    `by_chance` holds the errors of the same resamples without the residuals of the data, as a calibrated
    model would show them. If 5 % of them reach the value, the data does not speak against calibration, and
    the 95 % interval reaches down to 0. If all resamples agree, as for a model that is always right and
    always sure, the interval says what clusters not yet seen could do, like the interval of a mean.

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


def _ece(
    residuals: Float[ndarray, "*rows bins"], sizes: Float[ndarray, "*rows"], classes: int
) -> Float[ndarray, "*rows"]:
    """The ECE of summed residuals."""
    return np.asarray(np.abs(residuals).sum(axis=-1) / sizes / classes)

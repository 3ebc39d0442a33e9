"""BCa: bootstrap intervals corrected for bias and skewness, for a mean or any function of sums."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import Labels, Totals, Values, resampled_totals
from safe_eval.statistics.intervals import (
    FRACTION,
    Interval,
    mean_totals,
    percentile_levels,
    ratio,
    resampled_reach,
    without_spread,
)

BCA = "cluster BCa bootstrap"  # how an interval was made

Statistic = Callable[[Float[ndarray, "*rows columns"]], Float[ndarray, "*rows"]]


def bca_interval(
    values: Values, clusters: Labels, sampling: Sampling, *, scale: tuple[float, float] = FRACTION
) -> Interval:
    """The bias-corrected and accelerated (BCa) interval of a mean under the cluster bootstrap.

    >>> skewed = np.random.default_rng(0).random(200) ** 4
    >>> bca_interval(skewed, np.arange(200), Sampling()).method
    'cluster BCa bootstrap'
    """
    totals = mean_totals(values, clusters)
    if (certain := without_spread(totals, sampling.confidence, scale)) is not None:
        return certain
    return bca_interval_of(ratio, totals, sampling)


def bca_interval_of(statistic: Statistic, totals: Totals, sampling: Sampling) -> Interval:
    """The BCa interval of any function of column sums. One cluster, or no spread: not measured.

    The jackknife for the acceleration leaves out one cluster at a time. Resamples equal to the observed value
    count half.

    Source: Efron 1987, "Better bootstrap confidence intervals".
    """
    if len(totals) < 2:
        return Interval()
    observed = float(statistic(totals.sum(axis=0)))
    drawn = statistic(resampled_totals(totals, sampling))
    left_out = statistic(totals.sum(axis=0) - totals)
    if np.ptp(drawn) < 1e-12 or not np.isfinite(left_out).all():
        return Interval()
    low, high = np.quantile(drawn, bca_levels(drawn, observed, left_out, sampling.confidence))
    return Interval(float(low), float(high), BCA)


def bca_levels(
    drawn: Float[ndarray, " resamples"],
    observed: float,
    left_out: Float[ndarray, " clusters"],
    confidence: float,
) -> tuple[float, float]:
    """The two quantiles of the resamples at which a BCa interval ends, further out for few clusters.

    If bias or acceleration cannot be computed, the quantiles are those that `percentile_levels` gives.

    >>> even = np.linspace(-1, 1, 1001)
    >>> [round(level, 3) for level in bca_levels(even, 0.0, even, 0.95)]
    [0.025, 0.975]
    """
    from scipy.special import ndtr, ndtri

    ties = np.abs(drawn - observed) <= 1e-12 * max(1.0, abs(observed))
    bias = float(ndtri((((drawn < observed) & ~ties).sum() + ties.sum() / 2) / len(drawn)))
    influence = left_out.mean() - left_out
    spread = float((influence**2).sum())
    if not np.isfinite(bias) or not spread:
        return percentile_levels(confidence, len(left_out))
    acceleration = float((influence**3).sum()) / (6 * spread**1.5)
    z = np.array([-1.0, 1.0]) * resampled_reach(confidence, len(left_out)) + bias
    low, high = ndtr(bias + z / (1 - acceleration * z))
    return float(low), float(high)

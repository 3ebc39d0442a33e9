"""Half level: how much of a disturbance takes away half of what an undisturbed input adds.

A curve runs from the mildest to the hardest level. Its places are severities: numbers that grow from level to
level, such as the negative of a signal-to-noise ratio.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import Labels, cluster_totals, resampled_totals
from safe_eval.statistics.intervals import CLUSTER_BOOTSTRAP, Interval, percentile_levels
from safe_eval.statistics.paired_score import difference_interval
from safe_eval.statistics.seeds import seed_difference
from safe_eval.statistics.two_way import interval_of, two_way, wider

BEFORE, NEVER = -np.inf, np.inf  # half is gone at the mildest level already, or not even at the hardest
_ANYWHERE = (BEFORE, NEVER)

Curves = Float[ndarray, "*rows levels"]
Scores = Float[ndarray, "seeds columns items"]


@dataclass(frozen=True)
class HalfLevel:
    """The severity at which half of the gain is gone, and what the gain is.

    `severity` is infinite where the curve does not cross within its levels (see `BEFORE` and `NEVER`), and
    NaN without a gain. An end of `interval` may be infinite, or lie beyond the levels. The interval is empty
    where the severity is not finite, or nothing shows how much another cluster or seed would differ.
    """

    gain: float
    gain_interval: Interval
    severity: float
    interval: Interval
    of_each_seed: tuple[float, ...]


def non_increasing(curves: Curves) -> Curves:
    """Each curve made to fall or stay level: values that rise are pooled with those before them.

    Source: Barlow, Bartholomew, Bremner & Brunk 1972, "Statistical inference under order restrictions", the
    min-max formula of isotonic regression, with equal weights.

    >>> non_increasing(np.array([0.9, 0.5, 0.7, 0.1])).round(3).tolist()
    [0.9, 0.6, 0.6, 0.1]
    """
    levels = curves.shape[-1]
    sums = np.concatenate([np.zeros((*curves.shape[:-1], 1)), np.cumsum(curves, axis=-1)], axis=-1)
    fitted = np.full(curves.shape, np.inf)
    for first in range(levels):  # the least over all starts of the greatest mean up to any end
        greatest = np.full(curves.shape[:-1], -np.inf)
        for end in range(levels - 1, first - 1, -1):
            mean = (sums[..., end + 1] - sums[..., first]) / (end + 1 - first)
            greatest = np.maximum(greatest, mean)
            fitted[..., end] = np.minimum(fitted[..., end], greatest)
    return fitted


def crossings(
    curves: Curves, heights: Float[ndarray, "*rows"], severities: Float[ndarray, " levels"]
) -> Float[ndarray, "*rows"]:
    """The severity at which each curve has fallen to a height, on the straight line between two levels.

    >>> curves, places = np.array([[0.875, 0.375, 0.125], [0.9, 0.8, 0.7]]), np.array([0.0, 10.0, 20.0])
    >>> crossings(curves, np.array([0.5, 0.5]), places).tolist()
    [7.5, inf]
    """
    fitted = non_increasing(curves)
    below = fitted <= heights[..., None] + 1e-12
    at = below.argmax(axis=-1)
    before = np.maximum(at - 1, 0)
    low = np.take_along_axis(fitted, at[..., None], axis=-1)[..., 0]
    high = np.take_along_axis(fitted, before[..., None], axis=-1)[..., 0]
    fallen = np.divide(high - heights, high - low, out=np.ones_like(high), where=high > low)
    found = severities[before] + np.clip(fallen, 0.0, 1.0) * (severities[at] - severities[before])
    exactly = np.abs(low - heights) <= 1e-12
    found = np.where((at == 0) & ~exactly, BEFORE, found)
    return np.where(below.any(axis=-1), found, NEVER)


def half_level(
    scores: Scores, severities: Float[ndarray, " levels"], clusters: Labels, sampling: Sampling
) -> HalfLevel:
    """The severity at which an accuracy lies halfway between the undisturbed input and no input at all.

    The columns of `scores` are the undisturbed input, each level from the mildest on, and no input. The curve
    is that of the mean over seeds, made to fall by `non_increasing`, so that it crosses once. The interval is
    of resamples of clusters, in which the three kinds of columns stay together. One that shows no gain counts
    toward both ends. Over seeds, it is the wider, at each end, of that and of the two-way t.

    >>> items = (np.arange(200) * 7 % 200) / 200
    >>> curve = np.stack([items < share for share in (0.9, 0.7, 0.3, 0.1)]).astype(float)[None]
    >>> found = half_level(curve, np.array([-10.0, 0.0]), np.arange(200), Sampling(resamples=200))
    >>> found.gain, round(found.severity, 3), found.interval.low < -5 < found.interval.high
    (0.8, -5.0, True)
    """
    differences = scores[:, 0] - scores[:, -1]
    if len(scores) > 1:
        gain_interval = seed_difference(differences, clusters, sampling).inference.interval
    else:
        gain_interval = difference_interval(differences[0], clusters, sampling.confidence)
    of_each = tuple(float(_severity(one.mean(axis=-1), severities)) for one in scores)
    together = scores.mean(axis=0)
    severity = float(_severity(together.mean(axis=-1), severities))
    interval = Interval()
    if np.isfinite(severity):
        drawn, count = _drawn(together, severities, clusters, sampling)
        interval = _interval(drawn, count, sampling.confidence)
        if len(scores) > 1:
            interval = _over_seeds(interval, severity, of_each, drawn, count, sampling.confidence)
    return HalfLevel(float(differences.mean()), gain_interval, severity, interval, of_each)


def _severity(
    means: Float[ndarray, "*rows columns"], severities: Float[ndarray, " levels"]
) -> Float[ndarray, "*rows"]:
    full, none = means[..., 0], means[..., -1]
    found = crossings(means[..., 1:-1], (full + none) / 2, severities)
    return np.where(full > none + 1e-12, found, np.nan)


def _drawn(
    scores: Float[ndarray, "columns items"],
    severities: Float[ndarray, " levels"],
    clusters: Labels,
    sampling: Sampling,
) -> tuple[Float[ndarray, " resamples"], int]:
    """The severity in each resample of clusters, and the number of clusters."""
    columns = np.concatenate([scores, np.ones((1, scores.shape[1]))]).T
    totals = cluster_totals(columns, clusters)
    sums = resampled_totals(totals, sampling)
    return _severity(sums[:, :-1] / sums[:, -1:], severities), len(totals)


def _interval(drawn: Float[ndarray, " resamples"], clusters: int, confidence: float) -> Interval:
    if clusters < 2 or (drawn == drawn[0]).all():
        return Interval()
    low, high = percentile_levels(confidence, clusters)
    lows, highs = (np.where(np.isnan(drawn), beyond, drawn) for beyond in (BEFORE, NEVER))
    return Interval(
        float(np.quantile(lows, low, method="lower")),  # not between two draws: one may be infinite
        float(np.quantile(highs, high, method="higher")),
        CLUSTER_BOOTSTRAP,
    )


def _over_seeds(
    of_clusters: Interval,
    severity: float,
    of_each: tuple[float, ...],
    drawn: Float[ndarray, " resamples"],
    clusters: int,
    confidence: float,
) -> Interval:
    """The interval for new clusters and new seeds; empty where a seed or too many resamples do not cross."""
    finite = drawn[np.isfinite(drawn)]
    if not np.isfinite(of_each).all() or len(finite) < confidence * len(drawn) or clusters < 2:
        return Interval()
    ways = (
        (float(finite.var(ddof=1)), clusters - 1.0),
        (float(np.var(of_each, ddof=1)) / len(of_each), len(of_each) - 1.0),
    )
    found = two_way(severity, ways)
    return of_clusters if found is None else wider(interval_of(found, confidence), of_clusters, _ANYWHERE)

"""Seeds: how much a score varies between training seeds, and how much of that is item noise."""

import math
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import Labels, cluster_totals
from safe_eval.statistics.intervals import DIFFERENCE, FRACTION, Interval
from safe_eval.statistics.paired_score import difference_interval
from safe_eval.statistics.score_interval import effective_clusters, score_interval
from safe_eval.statistics.seed_std import SeedStd, split_std
from safe_eval.statistics.two_way import TWO_WAY_T, Inference, infer, interval_of, two_way, wider

SeedScores = Float[ndarray, "seeds items"]

_UNSEEN = 3.3  # clusters that may yet change, squared, where none has: 1.645 of their roots are −log 0.05


@dataclass(frozen=True)
class SeedSpread:
    """A metric of several training seeds, all scored on the same items.

    - `std`: the standard deviation of the seeds' means, reported as mean ± std.
    - `noise_std`: the part of `std` explained by item noise alone.
    - `seed_std`: the part left for real differences between seeds, and `seed_std_high` its upper limit.
    - `sampling_stderr`: the standard error of the mean over the choice of items.
    """

    means: tuple[float, ...]
    mean: float
    std: float | None  # None for one seed
    noise_std: float | None
    seed_std: float | None
    seed_std_high: float | None  # one-sided, at the confidence of the interval
    sampling_stderr: float | None
    interval: Interval  # over clusters and seeds at once
    n: int
    clusters: int
    effective_clusters: float


@dataclass(frozen=True)
class SeedDifference:
    """A difference over seeds: its spread, and its interval, its p value and its one-sided tests."""

    spread: SeedSpread
    inference: Inference


@dataclass(frozen=True)
class _Crossed:
    """Scores of seeds × items, as sums over clusters."""

    means: Float[ndarray, " seeds"]
    over_items: float | None  # the variance of the mean over the choice of clusters
    noise: float | None  # the variance that item noise alone gives the mean of a seed
    n: int
    clusters: int
    effective: float


def seed_spread(
    scores: SeedScores, clusters: Labels, sampling: Sampling, *, scale: tuple[float, float] = FRACTION
) -> SeedSpread:
    """Split the spread over seeds into differences between seeds, item noise, and the choice of items.

    Item noise is the clustered standard error of the residuals: a score less the means of its item and its
    seed, as in a two-way analysis of variance with one score per seed and item. The interval is the wider, at
    each end, of the two-way t and of `score_interval` of the items' means over seeds, which holds near the
    ends of the scale. It does not pass them.

    Raises:
        InputError: `scores` is not seeds × items with one cluster label per item, or outside the scale.

    Source: Searle, Casella & McCulloch 1992, "Variance components", on clusters.

    >>> spread = seed_spread(np.array([[1.0, 1, 0, 0], [1.0, 1, 1, 0]]), np.arange(4), Sampling())
    >>> spread.mean, round(spread.std, 3)
    (0.625, 0.177)
    """
    crossed, interval = _cross(scores, clusters), Interval()
    if (ways := _ways(crossed)) is not None:
        interval = score_interval(scores.mean(axis=0), clusters, sampling.confidence, scale=scale)
        if (found := two_way(float(crossed.means.mean()), ways)) is not None:
            interval = wider(interval_of(found, sampling.confidence), interval, scale)
    return _spread(crossed, scores, interval, sampling.confidence, scale)


def linear_spread(
    values: SeedScores, clusters: Labels, sampling: Sampling, *, scale: tuple[float, float]
) -> SeedSpread:
    """The same of an aggregate, by values of the items whose mean it is; see `results.linear_values`.

    Such values lie anywhere, so the interval is the two-way t alone, cut off at the ends of the scale.
    Without any spread it is Wilson's limit for clusters not yet seen.
    """
    crossed, interval = _cross(values, clusters), Interval()
    if (ways := _ways(crossed)) is not None:
        found = infer(float(crossed.means.mean()), ways, crossed.clusters, sampling, scale)
        interval = wider(found.interval, Interval(), scale)
    return _spread(crossed, values, interval, sampling.confidence, scale)


def seed_difference(
    differences: SeedScores,
    clusters: Labels,
    sampling: Sampling,
    *,
    scale: tuple[float, float] = DIFFERENCE,
) -> SeedDifference:
    """A mean difference over seeds, with the interval, the p value and the one-sided tests of one two-way t.

    Few changes, or none, show Student's t too little spread. So clusters that may yet change are added to it,
    fewer the more have changed. The interval of the one-sided tests is also no narrower than that of the
    items' means over seeds by `difference_interval`.

    Raises:
        InputError: see `seed_spread`.

    >>> found = seed_difference(np.zeros((3, 600)), np.arange(600), Sampling()).inference
    >>> round(found.interval.low, 4), round(found.one_sided.low, 4), found.p_value
    (-0.0059, -0.005, 1.0)
    """
    crossed, found = _cross(differences, clusters), Inference()
    changed = float(np.abs(differences).mean())
    unseen = _unseen(changed, crossed.effective) if scale == DIFFERENCE else 0.0
    if (ways := _ways(crossed, unseen)) is not None:
        found = infer(float(crossed.means.mean()), ways, crossed.clusters, sampling, scale)
    one_sided = found.one_sided
    if one_sided.method == TWO_WAY_T:
        over_seeds, narrower = differences.mean(axis=0), sampling.equivalence_confidence
        one_sided = wider(one_sided, difference_interval(over_seeds, clusters, narrower, scale=scale), scale)
    spread = _spread(crossed, differences, found.interval, sampling.confidence, scale)
    return SeedDifference(spread, replace(found, one_sided=one_sided))


def always_right(scores: SeedScores, *, right_from: float) -> Bool[ndarray, " items"]:
    """Which items every seed gets right: its score is `right_from` or more.

    >>> always_right(np.array([[0.0, 0.3, 1.0], [0.0, 1.0, 1.0]]), right_from=0.5).tolist()
    [False, False, True]
    """
    return np.asarray((scores >= right_from).all(axis=0))


def always_wrong(scores: SeedScores, *, right_from: float) -> Bool[ndarray, " items"]:
    """Which items every seed gets wrong: its score is below `right_from`.

    >>> always_wrong(np.array([[0.0, 0.3, 1.0], [0.0, 1.0, 1.0]]), right_from=0.5).tolist()
    [True, False, False]
    """
    return np.asarray((scores < right_from).all(axis=0))


def _cross(scores: SeedScores, clusters: Labels) -> _Crossed:
    if scores.ndim != 2 or not scores.size or scores.shape[1] != len(clusters):
        raise InputError(
            f"scores of shape {scores.shape} beside {len(clusters)} clusters: give seeds × items"
        )
    seeds, n = scores.shape
    totals = cluster_totals(np.column_stack([scores.T, np.ones(n)]), clusters)
    sums, sizes = totals[:, :-1], totals[:, -1]
    means, count = scores.mean(axis=1), len(sizes)
    over_items = noise = None
    if count > 1:
        residuals = sums - sizes[:, None] * means
        few = count / (count - 1) / n**2
        over_items = float((residuals.mean(axis=1) ** 2).sum() * few)
        apart = (
            residuals - residuals[:, :1]
        )  # removes what all seeds share, so that equal ones give exactly 0
        scatter = apart - apart.mean(axis=1, keepdims=True)
        noise = float((scatter**2).sum() * few / (seeds - 1)) if seeds > 1 else None
    return _Crossed(means, over_items, noise, n, count, effective_clusters(sizes))


def _ways(crossed: _Crossed, unseen: float = 0.0) -> tuple[tuple[float, float], ...] | None:
    """The variance of the mean by clusters and by seeds; None for one cluster or one seed."""
    seeds = len(crossed.means)
    if crossed.over_items is None or seeds < 2:
        return None
    means = crossed.means - crossed.means[0]
    of_clusters = (crossed.over_items + unseen, max(crossed.effective - 1, 1.0))
    return of_clusters, (float(means.var(ddof=1)) / seeds, seeds - 1.0)


def _unseen(changed: float, effective: float) -> float:
    """The variance of clusters that may yet change as a whole, fading as more of them have changed.

    It has no source: without any change it gives the limits of `mean_bounds`, and with a few about the p
    values of the exact McNemar test (`python -m benchmarks coverage_simulation`).
    """
    return _UNSEEN / effective**2 / (1 + changed * effective / 2)


def _spread(
    crossed: _Crossed, scores: SeedScores, interval: Interval, confidence: float, scale: tuple[float, float]
) -> SeedSpread:
    span = scale[1] - scale[0]
    differing = float(np.ptp(scores, axis=0).mean()) / span if math.isfinite(span) else 1.0
    of_seeds = (
        SeedStd()
        if len(crossed.means) < 2
        else split_std(crossed.means, crossed.noise, crossed.effective, differing, confidence, span=span)
    )
    return SeedSpread(
        means=tuple(map(float, crossed.means)),
        mean=float(crossed.means.mean()),
        std=of_seeds.std,
        noise_std=of_seeds.noise_std,
        seed_std=of_seeds.seed_std,
        seed_std_high=of_seeds.high,
        sampling_stderr=None if crossed.over_items is None else math.sqrt(crossed.over_items),
        interval=interval,
        n=crossed.n,
        clusters=crossed.clusters,
        effective_clusters=crossed.effective,
    )

"""Seeds: how much a score varies between training seeds, and how much of that is item noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import Labels, Values, count_clusters
from safe_eval.statistics.intervals import Interval, clustered_stderr

TWO_WAY_T = "cluster and seed t"  # how an interval was made

SeedScores = Float[ndarray, "seeds items"]


@dataclass(frozen=True)
class SeedSpread:
    """A metric of several training seeds, all scored on the same items.

    - `std`: the standard deviation of the seeds' means, reported as mean ± std.
    - `noise_std`: the part of `std` explained by item noise alone.
    - `seed_std`: the part left for real differences between seeds.
    - `sampling_stderr`: the standard error of the mean over the choice of items.
    """

    means: tuple[float, ...]
    mean: float
    std: float | None  # None for one seed
    noise_std: float | None
    seed_std: float | None
    sampling_stderr: float | None
    interval: Interval  # over clusters and seeds at once
    n: int
    clusters: int


def seed_spread(scores: SeedScores, clusters: Labels, sampling: Sampling) -> SeedSpread:
    """Split the spread over seeds into differences between seeds, item noise, and the choice of items.

    Item noise is the clustered standard error of the residuals: a score less the means of its item and its
    seed, as in a two-way analysis of variance with one score per seed and item.

    Raises:
        InputError: `scores` is not seeds × items with one cluster label per item.

    Source: Searle, Casella & McCulloch 1992, "Variance components", on clusters.

    >>> spread = seed_spread(np.array([[1.0, 1, 0, 0], [1.0, 1, 1, 0]]), np.arange(4), Sampling())
    >>> spread.mean, round(spread.std, 3)
    (0.625, 0.177)
    """
    means = _check(scores, clusters).mean(axis=1)
    seeds = len(means)
    std = float((means - means[0]).std(ddof=1)) if seeds > 1 else None  # equal means give exactly 0
    noise = _noise_variance(scores, clusters) if seeds > 1 else None
    return SeedSpread(
        means=tuple(map(float, means)),
        mean=float(means.mean()),
        std=std,
        noise_std=None if noise is None else math.sqrt(noise),
        seed_std=None if noise is None or std is None else math.sqrt(max(0.0, std**2 - noise)),
        sampling_stderr=clustered_stderr(scores.mean(axis=0), clusters),
        interval=two_way_interval(
            scores.ravel(), np.tile(clusters, seeds), np.repeat(np.arange(seeds), len(clusters)), sampling
        ),
        n=scores.shape[1],
        clusters=count_clusters(clusters),
    )


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


def two_way_interval(values: Values, clusters: Labels, seeds: Labels, sampling: Sampling) -> Interval:
    """The interval of a mean over crossed clusters and seeds: for new clusters and new seeds at once.

    It adds the variance by clusters and the variance by seeds, and takes Student's t with the degrees of
    freedom of that sum. It may reach beyond the scale. One cluster, one seed or no spread: not measured.

    Source: Cameron, Gelbach & Miller 2011, "Robust inference with multiway clustering", section 2;
    Satterthwaite 1946, "An approximate distribution of estimates of variance components". Differs: both terms
    contain the variance of single answers, which is not subtracted once, because the result could be
    negative. A bootstrap of three seeds (Owen 2007, the pigeonhole) covered the truth in only 80 % of trials
    when seeds differ most; this interval covers it in about 95 % (`python -m benchmarks
    coverage_simulation`).

    >>> values, numbers = np.array([0.0, 1.0, 1.0, 1.0]), np.arange(4)
    >>> two_way_interval(values, numbers % 2, numbers // 2, Sampling()).method
    'cluster and seed t'
    """
    by_cluster, by_seed = clustered_stderr(values, clusters), clustered_stderr(values, seeds)
    if by_cluster is None or by_seed is None:
        return Interval()
    ways = ((by_cluster, count_clusters(clusters)), (by_seed, count_clusters(seeds)))
    return interval_of_ways(float(values.mean()), ways, sampling)


def one_sided_over_seeds(differences: SeedScores, clusters: Labels, sampling: Sampling) -> Interval:
    """The interval of two one-sided tests of a mean difference, for new clusters and new seeds at once.

    Not measured where `two_way_interval` is not, nor below a confidence of 75 %, where such tests are idle.
    """
    if sampling.equivalence_confidence <= 0.5:
        return Interval()
    seeds = len(differences)
    return two_way_interval(
        differences.ravel(),
        np.tile(clusters, seeds),
        np.repeat(np.arange(seeds), len(clusters)),
        replace(sampling, confidence=sampling.equivalence_confidence),
    )


def interval_of_ways(value: float, ways: Sequence[tuple[float, int]], sampling: Sampling) -> Interval:
    """The interval of a value from (standard error, number of clusters) in each way of clustering."""
    from scipy.special import stdtrit  # scipy.stats takes half a second to load

    variance = sum(stderr**2 for stderr, _ in ways)
    if variance < 1e-24:
        return Interval()
    freedom = variance**2 / sum(stderr**4 / (count - 1) for stderr, count in ways)
    reach = float(stdtrit(freedom, (1 + sampling.confidence) / 2)) * math.sqrt(variance)
    return Interval(value - reach, value + reach, TWO_WAY_T)


def _noise_variance(scores: SeedScores, clusters: Labels) -> float | None:
    """The variance that item noise alone would give the means of equally good seeds."""
    seeds = len(scores)
    moved = scores - scores[0]  # removes what all seeds share, so that equal seeds give exactly 0
    scatter = moved - moved.mean(axis=0) - moved.mean(axis=1, keepdims=True) + moved.mean()
    stderrs = [clustered_stderr(row, clusters) for row in scatter]
    variances = [stderr**2 for stderr in stderrs if stderr is not None]
    return float(np.mean(variances)) * seeds / (seeds - 1) if variances else None


def _check(scores: SeedScores, clusters: Labels) -> SeedScores:
    if scores.ndim != 2 or not scores.size or scores.shape[1] != len(clusters):
        raise InputError(
            f"scores of shape {scores.shape} beside {len(clusters)} clusters: give seeds × items"
        )
    return scores

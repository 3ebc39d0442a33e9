"""Separation: how much more one kind of question loses than another, where both come in the same clusters.

A video may have questions about its sound and about its picture, so the two mean losses are not independent.
What each cluster adds to both is summed first, and the clusters are the units of the standard error.
"""

import math
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.statistics.bootstrap import Labels, cluster_codes
from safe_eval.statistics.intervals import CLUSTER_T, DIFFERENCE, Interval
from safe_eval.statistics.score_interval import LEAST_CLUSTERS, effective_clusters
from safe_eval.statistics.seeds import SeedScores
from safe_eval.statistics.two_way import TWO_WAY_T

_UNSEEN = 0.35  # of a cluster of typical size that may yet turn out otherwise, as in the score interval


@dataclass(frozen=True)
class Losses:
    """What each item of one kind lost in each seed, and the cluster of each item."""

    values: SeedScores
    clusters: Labels


@dataclass(frozen=True)
class Separation:
    """The mean loss of one kind of items less that of another, with an interval and a p value that agree."""

    value: float
    first: float
    second: float
    of_each_seed: tuple[float, ...]
    stderr: float | None = None  # None: not measured, because one kind has a single cluster
    freedom: float | None = None
    interval: Interval = field(default_factory=Interval)
    p_value: float | None = None
    test: str | None = None


@dataclass(frozen=True)
class _Kind:
    """One kind of items by cluster: its share of the items, and what the cluster adds to the mean."""

    means: Float[ndarray, " seeds"]
    shares: Float[ndarray, " clusters"]
    pulls: Float[ndarray, " clusters"]
    unseen: float  # the variance of the mean from what is not seen

    @property
    def variance(self) -> float:
        """The variance of the mean."""
        return float((self.pulls**2).sum()) + self.unseen


def separation(first: Losses, second: Losses, confidence: float) -> Separation:
    """The difference of two mean losses, between −2 and 2, over clusters that may hold items of both kinds.

    The standard error is that of a difference of two means by clusters. A typical cluster of each kind that
    may yet turn out otherwise is added, less of it the more clusters' worth of change there are: where
    nothing changed, or all, the interval still has a width. The degrees of freedom are the effective number
    of clusters, weighted by what they add to the variance, less one; a kind of question with fewer than two
    effective clusters gives no interval. Several seeds that answered the same
    items add the variance between seeds. The p value is that of the same t.

    Raises:
        InputError: a kind has no items, or the seeds differ in number.

    Source: Bell & McCaffrey 2002, "Bias reduction in standard errors for linear regression with multi-stage
    samples", CR2, for two means; Satterthwaite 1946 for the degrees of freedom. Over seeds: Cameron, Gelbach
    & Miller 2011, "Robust inference with multiway clustering". The added cluster has no source: it was chosen
    by simulation (`python -m benchmarks coverage_simulation`).

    >>> heard = Losses(np.tile([1.0, 1.0, 1.0, 0.0], 10)[None], np.arange(40))
    >>> seen = Losses(np.zeros((1, 40)), np.arange(40))
    >>> found = separation(heard, seen, 0.95)
    >>> found.value, round(found.interval.low, 2), round(found.interval.high, 2), found.p_value < 0.001
    (0.75, 0.61, 0.89, True)
    """
    if not len(first.values) == len(second.values) > 0:
        raise InputError(f"{len(first.values)} and {len(second.values)} seeds cannot be set apart")
    codes, count = cluster_codes(np.concatenate([first.clusters, second.clusters]))
    at = len(first.clusters)
    one, other = _kind(first, codes[:at], count), _kind(second, codes[at:], count)
    of_each = one.means - other.means
    found = Separation(
        value=float(of_each.mean()),
        first=float(one.means.mean()),
        second=float(other.means.mean()),
        of_each_seed=tuple(map(float, of_each)),
    )
    if min(effective_clusters(kind.shares) for kind in (one, other)) < LEAST_CLUSTERS - 1e-9:
        return found
    variance = float(((one.pulls - other.pulls) ** 2).sum()) + one.unseen + other.unseen
    adds = one.shares * one.variance + other.shares * other.variance
    ways = [(variance, max(1.0, effective_clusters(adds) - 1))]
    if len(of_each) > 1:
        between = float((of_each - of_each[0]).var(ddof=1)) / len(of_each)
        ways.append((between, len(of_each) - 1.0))
    return _tested(found, ways, confidence)


def _kind(losses: Losses, codes: Int[ndarray, " items"], count: int) -> _Kind:
    if not losses.values.size or losses.values.shape[1] != len(codes):
        raise InputError(
            f"losses of shape {losses.values.shape} beside {len(codes)} clusters: none to compare"
        )
    means = losses.values.mean(axis=1)
    of_items = losses.values.mean(axis=0)
    mean = float(of_items.mean())
    n = len(codes)
    shares = np.bincount(codes, minlength=count) / n
    there = shares > 0
    pulls = np.bincount(codes, weights=of_items - mean, minlength=count) / n
    pulls = pulls / np.sqrt(np.where(shares < 1, 1 - shares, 1.0))
    effective = effective_clusters(shares[there])
    moved = float(np.abs(of_items - np.median(of_items)).mean())
    unseen = _UNSEEN / effective**2 / (1 + effective * moved) ** 2
    return _Kind(means, shares, pulls, unseen)


def _tested(found: Separation, ways: list[tuple[float, float]], confidence: float) -> Separation:
    """The interval and the p value of one t; `ways` are the variances with their degrees of freedom."""
    from scipy.special import stdtr, stdtrit  # scipy.stats takes half a second to load

    variance = sum(part for part, _ in ways)
    freedom = variance**2 / sum(part**2 / own for part, own in ways)
    stderr = math.sqrt(variance)
    reach = float(stdtrit(freedom, (1 + confidence) / 2)) * stderr
    lowest, highest = 2 * DIFFERENCE[0], 2 * DIFFERENCE[1]
    method = CLUSTER_T if len(ways) == 1 else TWO_WAY_T
    low, high = max(lowest, found.value - reach), min(highest, found.value + reach)
    return replace(
        found,
        stderr=stderr,
        freedom=freedom,
        interval=Interval(low, high, method),
        p_value=float(2 * stdtr(freedom, -abs(found.value) / stderr)),
        test=method,
    )

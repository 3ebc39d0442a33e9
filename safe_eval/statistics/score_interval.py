"""Score interval: the interval of a mean in clusters, which holds near 0 and 1 and for unequal clusters.

A bootstrap of few, unequal or nearly unanimous clusters sees too little spread. Here the clusters decide how
many independent items the scores are worth, and the interval is that of a share of so many items.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.statistics.bootstrap import Labels, Values, cluster_totals
from safe_eval.statistics.intervals import (
    FRACTION,
    Interval,
    mean_totals,
    wilson_interval,
    wilson_zero,
)

SCORE = "clustered score"  # how an interval was made
LEAST_CLUSTERS = 2.0  # effective ones, below which no interval is given
FEW_CLUSTERS = 20.0  # effective ones, below which intervals are said to be uncertain

LEAST_EFFECT = 0.25  # items less alike than by chance make an interval at most half as wide
UNKNOWN = 0.5  # items that count as wholly alike within clusters, beside those seen to differ from the mean

Numbers = float | Float[ndarray, "*rows"]


@dataclass(frozen=True)
class Worth:
    """A mean, and how many independent items and equal clusters its scores are worth."""

    mean: float
    items: float
    clusters: float


def effective_clusters(sizes: Float[ndarray, " clusters"]) -> float:
    """The number of equal clusters that would weigh as much as these: (Σn)² / Σn².

    Source: Kish 1965, "Survey Sampling", section 11.7.

    >>> effective_clusters(np.array([4.0, 4.0])), round(effective_clusters(np.array([99.0, 1.0])), 2)
    (2.0, 1.02)
    """
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def count_effective(clusters: Labels) -> float:
    """The number of equal clusters that would weigh as much as those of these items.

    >>> count_effective(np.array(["a", "a", "b", "b"]))
    2.0
    """
    return effective_clusters(mean_totals(np.zeros(len(clusters)), clusters)[:, 1])


def score_interval(
    values: Values, clusters: Labels, confidence: float, *, scale: tuple[float, float] = FRACTION
) -> Interval:
    """The interval of a mean of scores on a scale; of fewer than two effective clusters, none.

    At each end it is the wider of Wilson's and Jeffreys' intervals, because Wilson's covers too little on one
    side of a rare share and Jeffreys' on the other. Items count as `worth` says, less for few clusters, by
    the ratio of the quantiles of the normal distribution and of Student's t. No lower end is above the one of
    a perfect score in so many clusters, and no upper end below the one of 0, so that a first mistake does not
    narrow the interval.

    Raises:
        InputError: there are no items, or a score lies outside the scale.

    Source: Wilson 1927; Brown, Cai & DasGupta 2001, "Interval estimation for a binomial proportion"; Korn &
    Graubard 1998, "Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data", for the effective number of items.

    >>> interval = score_interval(np.ones(100), np.arange(100), 0.95)
    >>> round(interval.low, 3), interval.high, interval.method
    (0.962, 1.0, 'clustered score')
    """
    lowest, highest = scale
    placed = (values - lowest) / (highest - lowest)
    if len(placed) and not -1e-9 <= placed.min() <= placed.max() <= 1 + 1e-9:
        raise InputError(f"a score lies outside [{lowest:g}, {highest:g}]")
    found = worth(np.clip(placed, 0.0, 1.0), clusters)
    if found.clusters < LEAST_CLUSTERS - 1e-9:
        return Interval()
    few = float(narrowing(found.clusters, (1 - confidence) / 2))
    unseen = wilson_zero(found.clusters * few, confidence)
    low, high = _share_interval(found.mean, found.items * few, confidence)
    low, high = min(low, 1 - unseen), max(high, unseen)
    return Interval(lowest + low * (highest - lowest), lowest + high * (highest - lowest), SCORE)


def worth(values: Values, clusters: Labels) -> Worth:
    """How much scores in [0, 1] are worth, given that the items of a cluster stand or fall together.

    How alike they are (the intracluster correlation) is estimated from all pairs of items, each item with the
    same weight, and not from the cluster sums, of which the largest clusters decide. Half an item that is
    wholly alike is added. So without any spread the clusters count and not their items, and with much of it
    the data decide. Items of a cluster may also be less alike than chance makes them, as two questions of
    which a constant reply gets one right; then they are worth more. Graded scores spread less than
    right-or-wrong ones of the same mean and are worth more, too, but never so much that a cluster not yet
    seen counts for nothing.

    Source: Donner & Koval 1980, "The estimation of intraclass correlation in the analysis of family data",
    for pairs of items; Kish 1965, section 8.2, for the design effect. The added half was chosen by simulation
    (`python -m benchmarks.coverage_simulation means`). Differs: where items are less alike, each cluster
    counts by its own size, since none has less than no variance.

    >>> found = worth(np.tile([0.0, 1.0], 50).repeat(2), np.arange(200) // 2)
    >>> round(found.items), found.clusters
    (100, 100.0)
    """
    mean = min(max(float(values.mean()), 0.0), 1.0) if len(values) else 0.0
    apart = values - mean
    columns = np.stack([apart, apart**2, np.ones(len(values))], axis=1)
    sums, squares, sizes = cluster_totals(columns, clusters).T
    n, effective = float(sizes.sum()), effective_clusters(sizes)
    of_shares = mean * (1 - mean) * n  # the spread if every score were 0 or 1
    spread = float(squares.sum()) / of_shares if of_shares > 0 else 1.0
    spread = min(1.0, spread + 1 / effective)
    several, unknown = sizes > 1, UNKNOWN * spread
    together = float(((sums**2 - squares)[several] / (sizes[several] - 1)).sum())
    alike = (together + unknown) / (float(squares[several].sum()) + unknown)
    effect = float(sizes @ np.maximum(1 + alike * (sizes - 1), 0.0)) / n
    return Worth(mean, n / max(effect, LEAST_EFFECT) / spread, effective)


def _share_interval(share: float, n: float, confidence: float) -> tuple[float, float]:
    """The wider of Wilson's and Jeffreys' intervals, at each end."""
    from scipy.special import betaincinv

    wilson, risk = wilson_interval(share, n, confidence), (1 - confidence) / 2
    right, wrong = share * n + 0.5, (1 - share) * n + 0.5
    low = 0.0 if share <= 0 else float(betaincinv(right, wrong, risk))
    high = 1.0 if share >= 1 else float(betaincinv(right, wrong, 1 - risk))
    return min(low, wilson.low or 0.0), max(high, 1.0 if wilson.high is None else wilson.high)


def narrowing(clusters: Numbers, risk: float) -> Numbers:
    """By how much fewer items count where there are few clusters; each end of an interval errs with `risk`.

    It is the squared ratio of the quantiles of the normal distribution and of Student's t.

    >>> round(float(narrowing(20.0, 0.025)), 3)
    0.877
    """
    from scipy.special import stdtrit  # scipy.stats takes half a second to load

    return np.asarray((NormalDist().inv_cdf(risk) / stdtrit(np.maximum(clusters - 1, 1.0), risk)) ** 2)

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
from safe_eval.statistics.bootstrap import Labels, Values
from safe_eval.statistics.intervals import FRACTION, Interval, mean_totals, wilson_interval

SCORE = "clustered score"  # how an interval was made

_UNSEEN = 0.35  # of a cluster of typical size that may yet turn out otherwise, where none has


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


def score_interval(
    values: Values, clusters: Labels, confidence: float, *, scale: tuple[float, float] = FRACTION
) -> Interval:
    """The interval of a mean of scores on a scale; of one effective cluster, none.

    It is the wider of Wilson's and Jeffreys' intervals at each end, because Wilson's covers too little on the
    one side of a rare share and Jeffreys' on the other. Items count as `worth` says, less for few clusters,
    by the ratio of the quantiles of Student's t and of the normal distribution.

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
    if found.clusters <= 1 + 1e-9:
        return Interval()
    n = found.items * _narrowing(found.clusters, confidence)
    wilson, jeffreys = wilson_interval(found.mean, n, confidence), _jeffreys(found.mean, n, confidence)
    low, high = min(wilson.low or 0.0, jeffreys[0]), max(wilson.high or 0.0, jeffreys[1])
    return Interval(lowest + low * (highest - lowest), lowest + high * (highest - lowest), SCORE)


def worth(values: Values, clusters: Labels) -> Worth:
    """How much scores in [0, 1] are worth, given that the items of a cluster stand or fall together.

    The variance by clusters is corrected for the pull of each cluster on the mean, which matters where one is
    large. A part of a typical cluster that may turn out otherwise is added to what was seen, less of it the
    more clusters' worth of both outcomes there are. So without any spread the clusters count and not their
    items, and with much of it the data decide.

    Source: Bell & McCaffrey 2002, "Bias reduction in standard errors for linear regression with multi-stage
    samples", CR2, for a mean. The added part has no source: it was chosen by
    simulation (`python -m benchmarks coverage_simulation`).

    >>> found = worth(np.tile([0.0, 1.0], 50).repeat(2), np.arange(200) // 2)
    >>> round(found.items), found.clusters
    (99, 100.0)
    """
    sums, sizes = mean_totals(values, clusters).T
    n, mean = float(sizes.sum()), float(values.mean())
    effective = effective_clusters(sizes)
    if effective <= 1 + 1e-9:
        return Worth(mean, 1.0, effective)
    typical, of_items = n / effective, float(((values - mean) ** 2).sum())
    by_cluster = float(((sums - mean * sizes) ** 2 / (1 - sizes / n)).sum())
    unseen = _UNSEEN * typical / (1 + effective * min(mean, 1 - mean))
    effect = max(1.0, (by_cluster + unseen * typical) / (of_items + unseen))
    graded = (mean * (1 - mean) * n + unseen) / (of_items + unseen)  # 1 where every score is 0 or 1
    return Worth(mean, n / effect * max(1.0, graded), effective)


def _narrowing(clusters: float, confidence: float) -> float:
    from scipy.special import stdtrit  # scipy.stats takes half a second to load

    normal = NormalDist().inv_cdf((1 + confidence) / 2)
    return float(normal / stdtrit(max(clusters - 1, 1.0), (1 + confidence) / 2)) ** 2


def _jeffreys(mean: float, n: float, confidence: float) -> tuple[float, float]:
    from scipy.special import betaincinv

    right, wrong, risk = mean * n + 0.5, (1 - mean) * n + 0.5, (1 - confidence) / 2
    low = 0.0 if mean <= 0 else float(betaincinv(right, wrong, risk))
    return low, 1.0 if mean >= 1 else float(betaincinv(right, wrong, 1 - risk))

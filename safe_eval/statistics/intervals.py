"""Standard errors and intervals of a mean, with whole clusters as the unit of sampling.

Questions about one clip stand or fall together, so clusters are resampled, never single questions. All draws
depend on the seed alone: neither on the order of the items nor on what else is computed.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import (
    Labels,
    Totals,
    Values,
    cluster_totals,
    count_clusters,
    resampled_totals,
)

CLUSTER_BOOTSTRAP, WILSON = "cluster bootstrap", "wilson"  # how an interval was made
CLUSTER_T = "cluster t"

# The lowest and the highest possible score, and the same for a difference of two scores.
FRACTION, DIFFERENCE = (0.0, 1.0), (-1.0, 1.0)


@dataclass(frozen=True)
class Interval:
    """A confidence interval and the method that made it. All None: not measured."""

    low: float | None = None
    high: float | None = None
    method: str | None = None


def clustered_stderr(values: Values, clusters: Labels) -> float | None:
    """The standard error of a mean whose items come in clusters; None for a single cluster.

    Source: Miller 2024, "Adding Error Bars to Evals", equation 4. Differs: times C/(C − 1), for C clusters,
    since that equation is too small for few of them.

    >>> clustered_stderr(np.array([0.0, 1.0, 0.0, 1.0]), np.array(["a", "b", "c", "d"]))
    0.28867513459481287
    """
    sums, sizes = mean_totals(values - values.mean() if len(values) else values, clusters).T
    if len(sums) < 2:
        return None
    return float(np.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum()) / sizes.sum())


def mean_interval(
    values: Values, clusters: Labels, sampling: Sampling, *, scale: tuple[float, float] = FRACTION
) -> Interval:
    """The percentile interval of a mean under the cluster bootstrap; of a difference with `scale=DIFFERENCE`.

    If every cluster has the same mean, all resamples agree and would claim certainty. Then the interval
    says what clusters not yet seen could do: a share of them, up to Wilson's upper limit for 0 of C
    clusters, may lie at either end of the scale. For a mean of 0 or 1 that is Wilson's interval.

    A single cluster gives no interval, because nothing shows how much another one would differ. Resampling
    few clusters gives too narrow an interval, and `percentile_levels` corrects that.

    >>> unanimous = mean_interval(np.ones(100), np.arange(100), Sampling())
    >>> round(unanimous.low, 3), unanimous.high, unanimous.method
    (0.963, 1.0, 'wilson')
    """
    totals = mean_totals(values, clusters)
    if (certain := without_spread(totals, sampling.confidence, scale)) is not None:
        return certain
    drawn = ratio(resampled_totals(totals, sampling))
    return percentile_interval(drawn, len(totals), sampling.confidence)


def percentile_interval(drawn: Float[ndarray, " resamples"], clusters: int, confidence: float) -> Interval:
    """The interval that resamples of clusters end at `percentile_levels`."""
    low, high = np.quantile(drawn, percentile_levels(confidence, clusters))
    return Interval(float(low), float(high), CLUSTER_BOOTSTRAP)


def percentile_levels(confidence: float, clusters: int) -> tuple[float, float]:
    """The two quantiles of the resamples that end an interval, further out for few clusters.

    C resampled clusters spread by a factor √((C − 1)/C) too little, and their quantiles are the normal
    distribution's where Student's t with C − 1 degrees of freedom is due.

    Source: Hesterberg 2015, "What teachers should know about the bootstrap", expanded percentiles.

    >>> [round(level, 4) for clusters in (10, 50, 1000) for level in percentile_levels(0.95, clusters)]
    [0.0086, 0.9914, 0.0212, 0.9788, 0.0248, 0.9752]
    """
    from scipy.special import ndtr

    reach = resampled_reach(confidence, clusters)
    return float(ndtr(-reach)), float(ndtr(reach))


def resampled_reach(confidence: float, clusters: int) -> float:
    """How many standard deviations of the resamples an interval reaches out; see `percentile_levels`."""
    from scipy.special import stdtrit  # scipy.stats takes half a second to load

    return float(np.sqrt(clusters / (clusters - 1)) * stdtrit(clusters - 1, (1 + confidence) / 2))


def t_interval(
    values: Values, clusters: Labels, confidence: float, *, scale: tuple[float, float] = FRACTION
) -> Interval:
    """Mean ± Student's t with C − 1 degrees of freedom × the clustered standard error.

    Source: Cameron, Gelbach & Miller 2008, "Bootstrap-based improvements for inference with clustered
    errors". It may pass the ends of the scale; nothing is cut off.

    >>> t_interval(np.array([0.0, 1.0, 0.0, 1.0]), np.arange(4), 0.95).method
    'cluster t'
    """
    from scipy.special import stdtrit

    if (certain := without_spread(mean_totals(values, clusters), confidence, scale)) is not None:
        return certain
    stderr = clustered_stderr(values, clusters) or 0.0
    reach = stderr * float(stdtrit(count_clusters(clusters) - 1, (1 + confidence) / 2))
    return Interval(float(values.mean()) - reach, float(values.mean()) + reach, CLUSTER_T)


def wilson_interval(share: float, n: float, confidence: float) -> Interval:
    """Wilson's interval of a share of n independent trials; divide n by the design effect for clustered ones.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    >>> interval = wilson_interval(0.7, 10, 0.95)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.3968, 0.8922)
    """
    if not 0 <= share <= 1 or not n > 0:
        raise InputError(f"a share of {share} in {n} trials is none; give one in [0, 1] of 1 trial or more")
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    reach = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    return Interval(max(0.0, float(centre - reach)), min(1.0, float(centre + reach)), WILSON)


def wilson_zero(n: float, confidence: float) -> float:
    """Wilson's upper limit of a share of which n trials saw nothing.

    >>> round(wilson_zero(100, 0.95), 4)
    0.037
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return z**2 / (n + z**2)


def mean_totals(values: Values, clusters: Labels) -> Totals:
    """Each cluster's sum and its number of items."""
    return cluster_totals(np.stack([values, np.ones(len(values))], axis=1), clusters)


def ratio(totals: Float[ndarray, "*rows columns"]) -> Float[ndarray, "*rows"]:
    """The mean that a sum and a number of items make."""
    return np.asarray(totals[..., 0] / totals[..., 1])


def without_spread(totals: Totals, confidence: float, scale: tuple[float, float]) -> Interval | None:
    """The interval where nothing can be resampled: one cluster, or all of one mean; else None."""
    means = ratio(totals)
    if len(means) < 2:
        return Interval()
    if np.ptp(means) >= 1e-12:
        return None
    return _unanimous(float(means.mean()), len(means), confidence, scale)


def _unanimous(value: float, clusters: int, confidence: float, scale: tuple[float, float]) -> Interval:
    lowest, highest = scale
    if not lowest <= value <= highest:
        return Interval()
    unseen = wilson_zero(clusters, confidence)
    return Interval(value - unseen * (value - lowest), value + unseen * (highest - value), WILSON)

"""Paired comparisons: what changed between two sets of scores of the same items, and whether by chance."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.statistics.bootstrap import count_clusters, portions
from safe_eval.statistics.intervals import clustered_stderr, mean_interval, mean_totals, t_interval
from safe_eval.statistics.sampling import DIFFERENCE, Interval, Labels, Sampling, Values

MCNEMAR, SIGN_FLIP = "exact McNemar", "cluster sign-flip permutation"  # how a p value was made
_FEW_SIZES = 64


def mcnemar_mid_p(gained: int, lost: int) -> float:
    """McNemar's p value with half the probability of the observed split: rejects a true null nearer to 5 %.

    Source: Fagerland, Lydersen & Laake 2013, "The McNemar test for binary matched-pairs data: mid-p and
    asymptotic are better than exact conditional"; 1 without any change.

    >>> round(mcnemar_mid_p(3, 11), 8), round(mcnemar_mid_p(7, 7), 6), mcnemar_mid_p(0, 0)
    (0.03515625, 0.895264, 1.0)
    """
    exact, changes = mcnemar(gained, lost), gained + lost
    if not changes:
        return 1.0
    from scipy.special import gammaln  # scipy.stats takes half a second to load

    ways = gammaln(changes + 1) - gammaln(gained + 1) - gammaln(lost + 1)
    observed = math.exp(ways - changes * math.log(2))
    return 1 - observed / 2 if gained == lost else exact - observed


def mcnemar(gained: int, lost: int) -> float:
    """The exact two-sided p value of as many or more changes going one way, were both ways equally likely.

    Source: McNemar 1947 with the binomial distribution in place of the normal one; 1 without any change.
    The pairs are taken as independent; a clustered interval stands beside every p value.

    >>> round(mcnemar(3, 11), 6), mcnemar(7, 7), mcnemar(0, 0)
    (0.057373, 1.0, 1.0)
    """
    if gained < 0 or lost < 0:
        raise ValueError(f"counts of changes cannot be negative: gained {gained}, lost {lost}")
    from scipy.special import bdtr

    if gained == lost:
        return 1.0
    return min(1.0, 2 * float(bdtr(min(gained, lost), gained + lost, 0.5)))


@dataclass(frozen=True)
class PairedDifference:
    """a − b over the same items; McNemar's p values are None unless every score is 0 or 1.

    `p_value` flips whole clusters. McNemar's take items as independent: read them where no two items share a
    cluster, else they reject too often.
    """

    difference: float
    stderr: float | None
    interval: Interval
    gained: int
    lost: int
    p_value: float
    mcnemar: float | None
    mcnemar_mid_p: float | None
    n: int
    clusters: int


def paired_difference(
    a: Values, b: Values, clusters: Labels, sampling: Sampling, *, scale: tuple[float, float] = DIFFERENCE
) -> PairedDifference:
    """Compare two scores of each item, with the percentile interval of the paired cluster bootstrap.

    >>> better = paired_difference(np.ones(20), np.zeros(20), np.arange(20), Sampling())
    >>> better.difference, better.gained, better.lost, better.p_value < 0.001
    (1.0, 20, 0, True)
    """
    if not len(a) == len(b) == len(clusters):
        raise InputError(f"{len(a)} scores beside {len(b)} in {len(clusters)} clusters are no pairs")
    differences = a - b
    gained, lost = int((differences > 0).sum()), int((differences < 0).sum())
    exact, mid_p = mcnemar_p_values(a, b)
    return PairedDifference(
        difference=float(differences.mean()),
        stderr=clustered_stderr(differences, clusters),
        interval=mean_interval(differences, clusters, sampling, scale=scale),
        gained=gained,
        lost=lost,
        p_value=sign_flip(differences, clusters, sampling),
        mcnemar=exact,
        mcnemar_mid_p=mid_p,
        n=len(a),
        clusters=count_clusters(clusters),
    )


def mcnemar_p_values(a: Values, b: Values) -> tuple[float | None, float | None]:
    """McNemar's exact p value and mid-p, whatever the clusters; None unless every score is 0 or 1.

    >>> mcnemar_p_values(np.array([1.0, 1.0, 0.0]), np.array([0.0, 1.0, 0.0]))
    (1.0, 0.5)
    >>> mcnemar_p_values(np.array([1.0, 0.3]), np.array([0.0, 1.0]))
    (None, None)
    """
    if not _right_or_wrong(a, b):
        return None, None
    gained, lost = int((a > b).sum()), int((a < b).sum())
    return mcnemar(gained, lost), mcnemar_mid_p(gained, lost)


def sign_flip(differences: Values, clusters: Labels, sampling: Sampling) -> float:
    """The two-sided p value of a mean difference, were each cluster's sign a coin's throw.

    Source: Fisher 1935, "The Design of Experiments", section 21, on clusters. Counts the data itself among
    the draws, so the smallest p value is 1 / (resamples + 1).

    >>> sign_flip(np.full(10, 0.3), np.arange(10), Sampling()) < 0.01
    True
    """
    totals = mean_totals(differences, clusters)[:, 0]
    observed = abs(totals.sum()) - 1e-9  # sums in another order may differ in their last bits
    flipped = _flipped_totals(np.abs(totals).round(12), sampling)
    return (int((np.abs(flipped) >= observed).sum()) + 1) / (sampling.resamples + 1)


def paired_test(a: Values, b: Values, clusters: Labels, sampling: Sampling) -> tuple[float, str]:
    """The p value of a paired difference, and its test.

    McNemar's where every answer is right or wrong and no two that changed share a cluster. It takes them as
    independent, and would reject a true null in 19 % of clustered data (`benchmarks coverage_simulation`).
    Elsewhere its p values can still be had (`mcnemar_p_values`), to stand beside this one.
    """
    changed = clusters[a != b]
    if _right_or_wrong(a, b) and len(np.unique(changed)) == len(changed):
        return mcnemar(int((a > b).sum()), int((a < b).sum())), MCNEMAR
    return sign_flip(a - b, clusters, sampling), SIGN_FLIP


def _right_or_wrong(a: Values, b: Values) -> bool:
    return bool(np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all())


def _flipped_totals(totals: Float[ndarray, " clusters"], sampling: Sampling) -> Float[ndarray, " resamples"]:
    """The sum of all totals with signs drawn anew: by how many flip of each size, or bit by bit."""
    sizes, counts = np.unique(totals[totals > 0], return_counts=True)
    rng = np.random.default_rng(sampling.seed)
    flipped = []
    if len(sizes) < max(_FEW_SIZES, counts.sum() / 16):
        for resamples in portions(sampling.resamples, max(1, len(sizes))):
            heads = rng.binomial(counts, 0.5, size=(resamples, len(sizes)))
            flipped.append((2 * heads - counts) @ sizes)
        return np.concatenate(flipped)
    every = np.repeat(sizes, counts)
    for resamples in portions(sampling.resamples, len(every)):
        drawn = rng.integers(0, 256, size=(resamples, -(-len(every) // 8)), dtype=np.uint8)
        bits = np.unpackbits(drawn, axis=1, count=len(every)).astype(float)
        flipped.append(2 * (bits @ every) - every.sum())
    return np.concatenate(flipped)


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests against ± margin, as an interval and as a p value that agree with each other.

    Equivalent: the interval (90 % for tests at 5 %) lies inside the margin. Different: it lies outside it.
    Undecided: it crosses an end, or nothing could be measured; more items may tell.
    """

    margin: float
    difference: float
    interval: Interval
    p_value: float | None  # None where no spread was seen and Wilson's limit decides
    verdict: Literal["equivalent", "different", "undecided"]


def equivalence(
    differences: Values,
    clusters: Labels,
    margin: float,
    sampling: Sampling,
    *,
    scale: tuple[float, float] = DIFFERENCE,
) -> Equivalence:
    """Test whether a mean difference lies within ± margin, in the unit of the scores (0.005 is half a point).

    Source: Schuirmann 1987, "A comparison of the two one-sided tests procedure …"; Student's t with C − 1
    degrees of freedom for C clusters. Differs: where all clusters agree, the limit for clusters not yet seen
    decides instead of a spread of 0.

    >>> noise = np.random.default_rng(0).normal(0, 0.1, 10_000)
    >>> equivalence(noise, np.arange(10_000), 0.005, Sampling()).verdict
    'equivalent'
    """
    if not (np.isfinite(margin) and margin > 0):
        raise InputError(f"margin {margin} is not above 0; half a point of accuracy is 0.005")
    interval = t_interval(differences, clusters, _two_one_sided(sampling), scale=scale)
    difference = float(differences.mean())
    return Equivalence(
        margin=margin,
        difference=difference,
        interval=interval,
        p_value=_p_value(difference, clustered_stderr(differences, clusters), clusters, margin),
        verdict=equivalence_verdict(interval, margin),
    )


def _two_one_sided(sampling: Sampling) -> float:
    if sampling.equivalence_confidence <= 0.5:
        raise InputError(f"confidence {sampling.confidence} is too low for two one-sided tests; give 0.95")
    return sampling.equivalence_confidence


def _p_value(difference: float, stderr: float | None, clusters: Labels, margin: float) -> float | None:
    """The larger of the two one-sided p values."""
    from scipy.special import stdtr

    if not stderr:
        return None
    return float(stdtr(count_clusters(clusters) - 1, (abs(difference) - margin) / stderr))


def equivalence_verdict(interval: Interval, margin: float) -> Literal["equivalent", "different", "undecided"]:
    """Whether an interval of two one-sided tests lies inside ± margin, outside, or across an end."""
    if interval.low is None or interval.high is None:
        return "undecided"
    if -margin < interval.low and interval.high < margin:
        return "equivalent"
    return "different" if interval.low > margin or interval.high < -margin else "undecided"

"""Intervals, standard errors and paired tests, with whole clusters as the unit of sampling.

Questions about one clip stand or fall together, so clusters are resampled, never single questions. All draws
depend on the seed alone: neither on the order of the items nor on what else is computed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from safe_data.errors import InputError

CLUSTER_BOOTSTRAP, WILSON = "cluster bootstrap", "wilson"  # how an interval was made
MCNEMAR, SIGN_FLIP = "exact McNemar", "cluster sign-flip permutation"  # how a p value was made

FRACTION, DIFFERENCE = (0.0, 1.0), (-1.0, 1.0)  # between what a score, or a difference of two, can lie
_CELLS_AT_ONCE = 1 << 21  # bounds the memory of the draws to a few tens of MB

Values = Float[ndarray, " items"]
Labels = Shaped[ndarray, " items"]


@dataclass(frozen=True)
class Interval:
    """A confidence interval and how it was made; all None where it could not be measured."""

    low: float | None = None
    high: float | None = None
    method: str | None = None


@dataclass(frozen=True)
class Sampling:
    """How much is drawn, and from which seed."""

    confidence: float = 0.95
    resamples: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.5 < self.confidence < 1:
            raise InputError(f"confidence {self.confidence} is not between 0.5 and 1; 95 % is 0.95")
        if self.resamples < 100:
            raise InputError(f"resamples {self.resamples} is too few for an interval; give at least 100")
        if self.seed < 0:
            raise InputError(f"seed {self.seed} is negative; seeds are 0 or more")

    @property
    def equivalence_confidence(self) -> float:
        """The confidence of the interval that decides equivalence: 0.90 for two one-sided tests at 0.05."""
        return 2 * self.confidence - 1


def clustered_stderr(values: Values, clusters: Labels) -> float | None:
    """The standard error of a mean whose items come in clusters; None for a single cluster.

    Source: Miller 2024, "Adding Error Bars to Evals", equation 4. Differs: times C/(C − 1), for C clusters,
    since that equation is too small for few of them.

    >>> clustered_stderr(np.array([0.0, 1.0, 0.0, 1.0]), np.array(["a", "b", "c", "d"]))
    0.28867513459481287
    """
    sums, sizes = _cluster_totals(values - values.mean(), clusters)
    if len(sums) < 2:
        return None
    return float(np.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum()) / sizes.sum())


def mean_interval(
    values: Values, clusters: Labels, sampling: Sampling, *, scale: tuple[float, float] = FRACTION
) -> Interval:
    """The percentile interval of a mean under the cluster bootstrap; of a difference with `scale=DIFFERENCE`.

    Where every cluster has the same mean, all resamples agree and would claim certainty. There the interval
    says what clusters not yet seen could do: up to a share of them, Wilson's upper limit for 0 of C
    clusters, may lie at either end of the scale. For a mean of 0 or 1 that is Wilson's interval.

    A single cluster is not measured: nothing tells how much another one would differ.

    >>> unanimous = mean_interval(np.ones(100), np.arange(100), Sampling())
    >>> round(unanimous.low, 3), unanimous.high, unanimous.method
    (0.963, 1.0, 'wilson')
    """
    return mean_intervals(values, clusters, sampling, (sampling.confidence,), scale)[0]


def mean_intervals(
    values: Values,
    clusters: Labels,
    sampling: Sampling,
    confidences: Sequence[float],
    scale: tuple[float, float] = FRACTION,
) -> list[Interval]:
    """The intervals of several confidences from the same draws, else as `mean_interval`."""
    sums, sizes = _cluster_totals(values, clusters)
    if len(sums) < 2:
        return [Interval() for _ in confidences]
    means = sums / sizes
    if np.ptp(means) < 1e-12:
        value = float(means.mean())
        return [_unanimous(value, len(sums), confidence, scale) for confidence in confidences]
    drawn = _resampled_means(sums, sizes, sampling)
    ends = [np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2]) for confidence in confidences]
    return [Interval(float(low), float(high), CLUSTER_BOOTSTRAP) for low, high in ends]


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


def sign_flip(differences: Values, clusters: Labels, sampling: Sampling) -> float:
    """The two-sided p value of a mean difference, were each cluster's sign a coin's throw.

    Source: Fisher 1935, "The Design of Experiments", section 21, on clusters. Counts the data itself among
    the draws, so the smallest p value is 1 / (resamples + 1).

    >>> sign_flip(np.full(10, 0.3), np.arange(10), Sampling()) < 0.01
    True
    """
    totals, _ = _cluster_totals(differences, clusters)
    sizes, counts = np.unique(np.abs(totals).round(12), return_counts=True)
    observed = abs(totals.sum()) - 1e-9  # sums in another order may differ in their last bits
    rng = np.random.default_rng(sampling.seed)
    as_extreme = 0
    for resamples in _portions(sampling.resamples, len(sizes)):
        heads = rng.binomial(counts, 0.5, size=(resamples, len(sizes)))
        as_extreme += int((np.abs((2 * heads - counts) @ sizes) >= observed).sum())
    return (as_extreme + 1) / (sampling.resamples + 1)


def paired_test(a: Values, b: Values, clusters: Labels, sampling: Sampling) -> tuple[float, str]:
    """The p value of a paired difference, and its test: McNemar's where every answer is right or wrong."""
    if np.isin(a, (0, 1)).all() and np.isin(b, (0, 1)).all():
        return mcnemar(int((a > b).sum()), int((a < b).sum())), MCNEMAR
    return sign_flip(a - b, clusters, sampling), SIGN_FLIP


def wilson_zero(n: int, confidence: float) -> float:
    """Wilson's upper limit of a share of which n trials saw nothing.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".

    >>> round(wilson_zero(100, 0.95), 4)
    0.037
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return z**2 / (n + z**2)


def _unanimous(value: float, clusters: int, confidence: float, scale: tuple[float, float]) -> Interval:
    lowest, highest = scale
    if not lowest <= value <= highest:
        return Interval()
    unseen = wilson_zero(clusters, confidence)
    return Interval(value - unseen * (value - lowest), value + unseen * (highest - value), WILSON)


def _cluster_totals(
    values: Values, clusters: Labels
) -> tuple[Float[ndarray, " clusters"], Float[ndarray, " clusters"]]:
    """Each cluster's sum and its number of items."""
    if len(values) != len(clusters) or not len(values):
        raise InputError(f"{len(values)} scores in {len(clusters)} clusters: nothing can be said of them")
    if not np.isfinite(values).all():
        raise InputError("a score is not a finite number")
    _, codes = np.unique(clusters, return_inverse=True)
    return np.bincount(codes, weights=values), np.bincount(codes).astype(float)


def _resampled_means(
    sums: Float[ndarray, " clusters"], sizes: Float[ndarray, " clusters"], sampling: Sampling
) -> Float[ndarray, " resamples"]:
    """The mean over the items of C clusters drawn with replacement, for each resample.

    Clusters alike in sum and size are one kind, drawn by how many there are: right or wrong answers make a
    few kinds of many clusters, and a resample costs as much as there are kinds.
    """
    totals = np.stack([sums.round(12), sizes], axis=1)  # 0.1 + 0.2 and 0.3 are no two kinds
    kinds, counts = np.unique(totals, axis=0, return_counts=True)
    every, clusters = np.repeat(kinds, counts, axis=0), len(sums)
    few_kinds = len(kinds) < clusters / 8
    rng = np.random.default_rng(sampling.seed)
    means = []
    for resamples in _portions(sampling.resamples, len(kinds) if few_kinds else clusters):
        if few_kinds:
            drawn = rng.multinomial(clusters, counts / clusters, size=resamples) @ kinds
        else:
            drawn = every[rng.integers(0, clusters, size=(resamples, clusters))].sum(axis=1)
        means.append(drawn[:, 0] / drawn[:, 1])
    return np.concatenate(means)


def _portions(resamples: int, width: int) -> list[int]:
    """The resamples in portions whose draws fit in memory."""
    at_once = max(1, _CELLS_AT_ONCE // width)
    return [min(at_once, resamples - start) for start in range(0, resamples, at_once)]

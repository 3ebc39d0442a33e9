"""Planned power: how often data that is not there yet would show what it is planned for.

Clusters are drawn from what is assumed, and judged by the intervals that judge real answers, so a plan says
what a verdict will do.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.statistics.sample_size import bounded_reach, skew_reach

TRIALS = 2000  # that a power is the share of: ± 1 point
_MOST_SIZES = 8  # of clusters that are told apart
_MOST_CLUSTERS = 10**8  # more than that nobody asks
_STRIDE, _PRECISION = 1.5, 1.002  # of the search for a number
_EXACT = 12  # items that a cluster may lose or gain, beyond which nearly equal numbers are put together

Kinds = Float[ndarray, " kinds"]
Trials = Float[ndarray, " trials"]


@dataclass(frozen=True)
class Changes:
    """Items of which a share is lost and a share gained, alike to some degree within a cluster.

    `sizes` are those of some clusters; new ones have the same sizes equally often.
    """

    lost: float
    gained: float
    sizes: tuple[float, ...]
    correlation: float

    def __post_init__(self) -> None:
        if min(self.lost, self.gained) < -1e-12 or self.lost + self.gained > 1 + 1e-12:
            raise InputError(f"shares of {self.lost} lost and {self.gained} gained cannot be")


@dataclass(frozen=True)
class Shown:
    """What a plan is to show: that a mean difference lies above `above`, below `below`, or both.

    Each end of the interval errs with the probability `risk`.
    """

    risk: float
    above: float | None = None
    below: float | None = None


def power_of_difference(changes: Changes, shown: Shown, clusters: int) -> float:
    """The share of trials in which so many clusters show it, by the bounds of a bounded mean.

    >>> nothing = Changes(0.0, 0.0, (1.0,), 0.0)
    >>> [power_of_difference(nothing, Shown(0.05, above=-0.005), count) for count in (597, 598)]
    [0.0, 1.0]
    """
    mean, variance, third, effective = _trials(changes, clusters)
    skew = np.clip(skew_reach(variance, third, shown.risk), -1.0, 1.0)
    found = np.ones(len(mean), dtype=bool)
    if shown.above is not None:
        found &= mean - bounded_reach(variance, -skew, effective, 1 + mean, shown.risk) > shown.above
    if shown.below is not None:
        found &= mean + bounded_reach(variance, skew, effective, 1 - mean, shown.risk) < shown.below
    return float(found.mean())


def fewest_clusters(power_of: Callable[[int], float], power: float, start: float) -> int | None:
    """The fewest clusters with this power, searched from `start`; None if no number has it.

    It is found to within 0.2 %, or a few clusters, because with single answers the power rises and falls.
    """
    few = many = max(2, math.ceil(start))
    if power_of(many) >= power:
        while few > 1 and power_of(few) >= power:
            few, many = math.floor(few / _STRIDE), few
    else:
        while power_of(many) < power:
            few, many = many, math.ceil(many * _STRIDE)
            if many > _MOST_CLUSTERS:
                return None
    while many - few > 1 and many / max(few, 1) > _PRECISION:
        middle = (few + many) // 2
        few, many = (few, middle) if power_of(middle) >= power else (middle, many)
    return many


def least_effect(power_of: Callable[[float], float], power: float, most: float) -> float | None:
    """The least number in (0, most] with this power, where more of it has more; None if none has."""
    low, high = 0.0, most
    if power_of(high) < power:
        return None
    for _ in range(18):
        middle = (low + high) / 2
        low, high = (low, middle) if power_of(middle) >= power else (middle, high)
    return high


@lru_cache(maxsize=1)  # a search for a margin looks at the same trials again and again
def _trials(changes: Changes, clusters: int) -> tuple[Trials, Trials, Trials, Trials]:
    """The means of trials, the variances and third moments of their clusters, and the effective numbers."""
    means, sizes, chances = _kinds(changes)
    trials = TRIALS if len(means) > 1 else 1
    counts = np.random.default_rng(0).multinomial(clusters, chances, size=trials).astype(float)
    items = counts @ sizes
    mean, square, cube = (counts @ (sizes * means**power) / items for power in (1, 2, 3))
    variance = np.maximum(square - mean**2, 0.0)
    third = cube - 3 * mean * square + 2 * mean**3
    return mean, variance, third, items**2 / (counts @ sizes**2)


@lru_cache(maxsize=1)
def _kinds(changes: Changes) -> tuple[Kinds, Kinds, Kinds]:
    """The mean differences that a cluster can have, its size, and the chance of both."""
    means, sizes, chances = [], [], []
    for size, share in sizes_and_shares(changes.sizes):
        chance = _net_chances(size, changes)
        net = np.arange(-size, size + 1)
        kind = _kinds_of(net)
        joined = np.bincount(kind, weights=chance)
        mean = np.bincount(kind, weights=chance * net) / np.maximum(joined, 1e-300) / size
        kept = joined > 1e-10
        means.append(mean[kept])
        sizes.append(np.full(int(kept.sum()), float(size)))
        chances.append(share * joined[kept])
    chance = np.concatenate(chances)
    return np.concatenate(means), np.concatenate(sizes), chance / chance.sum()


def _kinds_of(net: Int[ndarray, " nets"]) -> Int[ndarray, " nets"]:
    """Numbers for net changes, the same for large ones that are nearly equal."""
    large = np.maximum(np.abs(net), _EXACT)
    kind = np.minimum(np.abs(net), _EXACT) + np.floor(np.log(large / _EXACT) / math.log(1.15)).astype(int)
    return np.unique(np.sign(net) * kind, return_inverse=True)[1]


def sizes_and_shares(sizes: Sequence[float]) -> list[tuple[int, float]]:
    """A few whole sizes with their shares, which have the same mean; many sizes are put into classes.

    >>> sizes_and_shares([2.25])
    [(2, 0.75), (3, 0.25)]
    """
    every, counts = np.unique(np.asarray(sizes, dtype=float), return_counts=True)
    shares: dict[int, float] = {}
    of_class = np.floor(np.log(every) / math.log(1.25)) if len(every) > _MOST_SIZES else np.arange(len(every))
    for one in np.unique(of_class):
        inside = of_class == one
        mean, share = (
            float(np.average(every[inside], weights=counts[inside])),
            counts[inside].sum() / len(sizes),
        )
        above = mean - math.floor(mean)
        for size, part in ((math.floor(mean), 1 - above), (math.floor(mean) + 1, above)):
            if part > 1e-9:
                shares[size] = shares.get(size, 0.0) + float(share * part)
    return list(shares.items())


def _net_chances(size: int, changes: Changes) -> Float[ndarray, " nets"]:
    """The chance of each net change of a cluster, from −size to size: two beta-binomials, one of the rest."""
    of_lost = beta_binomial(size, changes.lost, changes.correlation)
    chances = np.zeros(2 * size + 1)
    rest = changes.gained / (1 - changes.lost) if changes.lost < 1 else 0.0
    for lost in np.flatnonzero(of_lost > 1e-12).tolist():
        of_gained = beta_binomial(size - lost, rest, changes.correlation)
        chances[size - lost : 2 * (size - lost) + 1] += of_lost[lost] * of_gained
    return chances


def beta_binomial(size: int, share: float, correlation: float) -> Float[ndarray, " counts"]:
    """The chance of each count from 0 to size.

    Source: Skellam 1948, "A probability distribution derived from the binomial distribution by regarding the
    probability of success as variable between the sets of trials".
    """
    from scipy.special import betaln, gammaln

    counts = np.arange(size + 1)
    if share <= 0 or share >= 1 or correlation >= 1:
        chances = np.zeros(size + 1)
        chances[0], chances[-1] = 1 - share, chances[-1] + share
        return chances if size else np.ones(1)
    ways = gammaln(size + 1) - gammaln(counts + 1) - gammaln(size - counts + 1)
    if correlation < 1e-6:
        return np.asarray(np.exp(ways + counts * math.log(share) + (size - counts) * math.log1p(-share)))
    right, wrong = share * (1 / correlation - 1), (1 - share) * (1 / correlation - 1)
    mixed = betaln(counts + right, size - counts + wrong) - betaln(right, wrong)
    return np.asarray(np.exp(ways + mixed))

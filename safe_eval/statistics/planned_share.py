"""Planned share: how often so many answers would show that a share is at least so large."""

from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.statistics.planned_power import TRIALS, beta_binomial, sizes_and_shares
from safe_eval.statistics.score_interval import LEAST_EFFECT, UNKNOWN, narrowing

Trials = Float[ndarray, " trials"]
Kinds = Float[ndarray, " kinds"]


@dataclass(frozen=True)
class Share:
    """A share of items, which are alike to some degree within a cluster.

    `sizes` are those of some clusters; new ones have the same sizes equally often.
    """

    share: float
    sizes: tuple[float, ...] = (1.0,)
    correlation: float = 0.0


def power_of_share(assumed: Share, limit: float, risk: float, clusters: int) -> float:
    """The share of trials in which the lower end of the score interval of so many clusters reaches the limit.

    >>> power_of_share(Share(1.0), 0.8, 0.025, 15), power_of_share(Share(1.0), 0.8, 0.025, 20)
    (0.0, 1.0)
    """
    sizes, right, chances = _kinds(assumed)
    trials = TRIALS if len(chances) > 1 else 1
    counts = np.random.default_rng(0).multinomial(clusters, chances, size=trials).astype(float)
    return float((lower_ends(counts, sizes, right, risk) >= limit - 1e-9).mean())


@lru_cache(maxsize=1)
def _kinds(assumed: Share) -> tuple[Kinds, Kinds, Kinds]:
    """The size of a cluster, its right items, and the chance of both."""
    some = [
        (size, beta_binomial(size, assumed.share, assumed.correlation) * share)
        for size, share in sizes_and_shares(assumed.sizes)
    ]
    sizes = np.concatenate([np.full(size + 1, float(size)) for size, _ in some])
    right = np.concatenate([np.arange(size + 1.0) for size, _ in some])
    chances = np.concatenate([chance for _, chance in some])
    kept = chances > 1e-12
    return sizes[kept], right[kept], chances[kept] / chances[kept].sum()


def lower_ends(
    counts: Float[ndarray, "trials kinds"],
    sizes: Float[ndarray, " kinds"],
    right: Float[ndarray, " kinds"],
    risk: float,
) -> Trials:
    """The lower end of `score_interval` for many trials at once, each with so many clusters of each kind.

    Every cluster of a kind has the same size and as many right items. 0 below two effective clusters.
    """
    from scipy.special import betaincinv  # scipy.stats takes half a second to load

    items = counts @ sizes
    share, effective = counts @ right / items, items**2 / (counts @ sizes**2)
    few = narrowing(effective, risk)
    effect = np.maximum(_effect(counts, sizes, right, share), LEAST_EFFECT)
    worth = few * items / effect
    jeffreys = betaincinv(share * worth + 0.5, (1 - share) * worth + 0.5, risk)
    square = NormalDist().inv_cdf(risk) ** 2
    spread = share * (1 - share) / worth + square / (4 * worth**2)
    wilson = (share + square / (2 * worth) - np.sqrt(square * spread)) / (1 + square / worth)
    unseen = square / (few * effective + square)
    low = np.minimum(np.minimum(wilson, np.where(share > 0, jeffreys, 0.0)), 1 - unseen)
    return np.where(effective < 2 - 1e-9, 0.0, low)


def _effect(
    counts: Float[ndarray, "trials kinds"],
    sizes: Float[ndarray, " kinds"],
    right: Float[ndarray, " kinds"],
    share: Trials,
) -> Trials:
    """The design effect of `score_interval.worth` for right-or-wrong items."""
    several = sizes > 1
    count, size, of_right = counts[:, several], sizes[several], right[several]
    mean = share[:, None]
    squares = of_right * (1 - mean) ** 2 + (size - of_right) * mean**2
    together = (count * ((of_right - size * mean) ** 2 - squares) / (size - 1)).sum(axis=1)
    alike = (together + UNKNOWN) / ((count * squares).sum(axis=1) + UNKNOWN)
    by_kind = sizes * np.maximum(1 + alike[:, None] * (sizes - 1), 0.0)
    return np.asarray((counts * by_kind).sum(axis=1) / (counts @ sizes))

"""Planned seeds: how often so many trained seeds would show that they agree, or what their mean gains."""

import math

import numpy as np

from safe_eval.statistics.planned_power import TRIALS, Shown

_MOST_SEEDS = 1000


def power_of_agreement(
    seed_std: float, at_most: float, seeds: int, *, noise: float, risk: float | None
) -> float:
    """The probability that the standard deviation between seeds is found to be at most so much.

    `noise` is the variance that item noise gives the mean of a seed. The upper limit of the standard
    deviation must be at most so much, which errs with the probability `risk`; without a risk, the value.

    Source: the limit of `statistics.seed_std`, for many clusters: the sum of squares of the seeds' means has
    the chi-squared distribution.

    >>> round(power_of_agreement(0.001, 0.005, 3, noise=0.0, risk=0.05), 3)
    0.723
    """
    from scipy.special import chdtr, chdtri  # scipy.stats takes half a second to load

    freedom, variance = seeds - 1, seed_std**2 + noise
    if variance <= 0:
        return 1.0
    quantile = freedom if risk is None else float(chdtri(freedom, 1 - risk))
    return float(chdtr(freedom, quantile * (at_most**2 + noise) / variance))


def power_over_seeds(
    difference: float, shown: Shown, seeds: int, clusters: int, *, of_items: float, seed_std: float
) -> float:
    """The share of trials in which the interval over clusters and seeds shows it.

    `of_items` is the variance of the mean difference by the choice of items. All seeds are taken to change
    the same items; if they do not, their mean is more certain.

    Source: the two-way t of `statistics.seeds`.
    """
    from scipy.special import stdtrit

    rng = np.random.default_rng(0)
    between = seed_std**2 / seeds
    mean = rng.normal(difference, math.sqrt(of_items + between), size=TRIALS)
    by_seed = between * rng.chisquare(seeds - 1, size=TRIALS) / (seeds - 1)
    by_cluster = of_items * rng.chisquare(clusters - 1, size=TRIALS) / (clusters - 1)
    variance = np.maximum(by_seed + by_cluster, 1e-24)
    freedom = variance**2 / np.maximum(by_seed**2 / (seeds - 1) + by_cluster**2 / (clusters - 1), 1e-48)
    reach = -stdtrit(freedom, shown.risk) * np.sqrt(variance)
    found = np.ones(TRIALS, dtype=bool)
    if shown.above is not None:
        found &= mean - reach > shown.above
    if shown.below is not None:
        found &= mean + reach < shown.below
    return float(found.mean())


def seeds_that_show(
    room: float, *, over_items: float, std: float, clusters: int, seeds: int, risk: float
) -> int | None:
    """How many seeds would bring an end of the interval over clusters and seeds so near to the mean.

    `over_items` is the standard error of the mean over the choice of items, and `std` the standard deviation
    of the seeds' means; both are taken to stay. None if no number would, because the items are too few.

    >>> seeds_that_show(0.02, over_items=0.005, std=0.01, clusters=200, seeds=3, risk=0.025)
    4
    """
    from scipy.special import stdtrit

    if not (over_items > 0 or std > 0):  # then the clusters not yet seen decide
        return None
    for count in range(seeds + 1, _MOST_SEEDS):
        of_seeds = std**2 / count
        variance = over_items**2 + of_seeds
        freedom = variance**2 / (over_items**4 / (clusters - 1) + of_seeds**2 / (count - 1))
        if -float(stdtrit(freedom, risk)) * math.sqrt(variance) <= room:
            return count
    return None


def seeds_that_agree(at_most: float, *, std: float, noise_std: float, seeds: int, risk: float) -> int | None:
    """How many seeds of this standard deviation would show that, without item noise, it is at most so much.

    None if no number would, because the items are too few.

    >>> seeds_that_agree(0.005, std=0.003, noise_std=0.001, seeds=3, risk=0.05)
    10
    """
    from scipy.special import chdtri

    for count in range(seeds + 1, _MOST_SEEDS):
        highest = std**2 * (count - 1) / float(chdtri(count - 1, 1 - risk))
        if highest - noise_std**2 <= at_most**2:
            return count
    return None

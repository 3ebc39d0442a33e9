"""Seed std: the standard deviation between training seeds without item noise, and its upper limit."""

import math
from dataclasses import dataclass

from jaxtyping import Float
from numpy import ndarray


@dataclass(frozen=True)
class SeedStd:
    """The standard deviation of the seeds' means, what item noise gives, the rest, and the rest's limit."""

    std: float | None = None  # None for one seed
    noise_std: float | None = None
    seed_std: float | None = None
    high: float | None = None  # the one-sided upper limit of `seed_std`


def split_std(
    means: Float[ndarray, " seeds"],
    noise: float | None,
    effective: float,
    differing: float,
    confidence: float,
    *,
    span: float = 1.0,
) -> SeedStd:
    """Remove item noise from the spread of two or more seeds, and bound what is left.

    `noise` is the variance that item noise gives the mean of a seed; None where it is not known. `effective`
    clusters were asked, and the seeds differ in a share `differing` of the items.

    The limit is that of a difference of two variances. It takes seeds as normally distributed: three of them
    bound their standard deviation by 4.4 times the one observed. Where seeds hardly differ in any cluster,
    the limit is what clusters not yet seen could do: half the range of the seeds' scores.

    Source: Ting, Burdick, Graybill, Jeyaratnam & Lu 1990, "One-sided confidence intervals on linear
    combinations of variances"; Burdick & Graybill 1992, "Confidence Intervals on Variance Components". For
    clusters not yet seen: the rule of three, and Popoviciu's inequality.

    >>> import numpy as np
    >>> found = split_std(np.array([0.70, 0.71, 0.72]), 0.00005, 1000, 0.1, 0.95)
    >>> round(found.std, 4), round(found.seed_std, 4), round(found.high, 4)
    (0.01, 0.0071, 0.0436)
    """
    between = float((means - means[0]).var(ddof=1))  # equal means give exactly 0
    std = math.sqrt(between)
    if noise is None:
        return SeedStd(std)
    left = math.sqrt(max(0.0, between - noise))
    if effective <= 1 + 1e-9:
        return SeedStd(std, math.sqrt(noise), left)
    seeds = len(means)
    bounded = _limit(between, seeds - 1.0, noise, (seeds - 1) * (effective - 1), confidence)
    unseen = 0.0
    if math.isfinite(span):
        none_of_them = 1 - (1 - confidence) ** (1 / effective)
        unseen = none_of_them / 2 * span / (1 + differing * effective / 2)
    return SeedStd(std, math.sqrt(noise), left, max(left, unseen, math.sqrt(bounded)))


def _limit(between: float, freedom: float, noise: float, of_noise: float, confidence: float) -> float:
    """The upper limit of the difference of two mean squares, at least 0."""
    from scipy.special import chdtri, fdtri  # scipy.stats takes half a second to load

    least = float(chdtri(freedom, confidence)) / freedom  # quantiles of F with infinitely many in the other
    most = float(chdtri(of_noise, 1 - confidence)) / of_noise
    ratio = float(fdtri(freedom, of_noise, 1 - confidence))
    above, below = 1 / least - 1, 1 - 1 / most
    both = ((1 - ratio) ** 2 - (above * ratio) ** 2 - below**2) / ratio
    reach = (above * between) ** 2 + (below * noise) ** 2 + both * between * noise
    return max(0.0, between - noise + math.sqrt(max(0.0, reach)))

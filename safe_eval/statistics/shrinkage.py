"""Shrinkage: the values of many small slices, each drawn toward their mean as far as it is uncertain.

The best and the worst of many small slices are so mostly by chance. If slices are taken as draws from one
population, the data say how far they truly differ, and each value gives way to the mean by as much as its own
items cannot carry.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.statistics.score_interval import Worth

FEWEST_SLICES = 4  # of fewer, the best estimate of each is its own value, whatever the others are

_HALVINGS = 60

Slices = Float[ndarray, " slices"]


@dataclass(frozen=True)
class Shrunken:
    """The value of each slice given all of them, with its interval.

    `weights` says how much of each is its own value; the rest is `mean`. `between` is the standard deviation
    of true values.
    """

    values: Slices
    low: Slices
    high: Slices
    weights: Slices
    mean: float
    between: float


def sampling_variances(found: Sequence[Worth]) -> Slices:
    """The variance of each slice's mean of scores in [0, 1], as if its true mean were the common one.

    A slice of two items, both right, shows no spread, and still its mean is uncertain. So the spread is that
    of the common mean, and the slice says how many independent items it is worth. Half an item is added to
    each end of the common mean, so that it is never certain either.

    >>> sampling_variances([Worth(1.0, 2.0, 2.0), Worth(0.5, 8.0, 8.0)]).round(3).tolist()
    [0.121, 0.03]
    """
    items, means = np.array([one.items for one in found]), np.array([one.mean for one in found])
    common = (items @ means + 0.5) / (items.sum() + 1)
    variances: Slices = common * (1 - common) / items
    return variances


def paule_mandel(values: Slices, variances: Slices) -> tuple[float, float]:
    """The mean of true values, and their variance: 0 where chance explains how much the slices differ.

    Raises:
        InputError: there are fewer than two slices, or a variance is not above 0.

    Source: Paule & Mandel 1982, "Consensus values and weighting factors".

    >>> mean, variance = paule_mandel(np.array([0.2, 0.5, 0.8]), np.array([0.01, 0.01, 0.01]))
    >>> round(mean, 6), round(variance, 6)
    (0.5, 0.08)
    """
    if len(values) != len(variances) or len(values) < 2 or not (variances > 0).all():
        raise InputError(
            f"{len(values)} values with {len(variances)} variances: give two or more of each, all variances "
            "above 0"
        )

    def spread(between: float) -> float:
        weights = 1 / (variances + between)
        return float(weights @ (values - weights @ values / weights.sum()) ** 2)

    low, high = 0.0, 0.0
    if spread(0.0) > len(values) - 1:
        high = float(np.ptp(values) ** 2)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if spread(middle) > len(values) - 1 else (low, middle)
    weights = 1 / (variances + high)
    return float(weights @ values / weights.sum()), high


def shrink(values: Slices, variances: Slices, confidence: float) -> Shrunken:
    """Each value drawn toward the mean, with an interval that knows that mean and spread are estimates.

    Raises:
        InputError: there are fewer than four slices, or a variance is not above 0.

    Source: Morris 1983, "Parametric empirical Bayes inference: theory and applications", section 5, for
    unequal variances. Differs: the variance of true values is Paule and Mandel's.

    >>> shrunk = shrink(np.array([0.2, 0.5, 0.5, 0.6, 0.7]), np.full(5, 0.04), 0.95)
    >>> shrunk.values.round(2).tolist(), shrunk.weights.round(2).tolist(), shrunk.between
    ([0.35, 0.5, 0.5, 0.55, 0.6], [0.5, 0.5, 0.5, 0.5, 0.5], 0.0)
    """
    count = len(values)
    if count < FEWEST_SLICES:
        raise InputError(f"{count} slices cannot be shrunk; it takes {FEWEST_SLICES} or more")
    mean, between = paule_mandel(values, variances)
    weights = 1 / (variances + between)
    toward_mean = (count - 3) / (count - 1) * variances * weights
    shrunken = mean + (1 - toward_mean) * (values - mean)
    typical = float(weights @ variances / weights.sum())
    of_spread = 2 / (count - 3) * toward_mean**2 * (typical + between) * weights * (values - mean) ** 2
    of_mean = weights / weights.sum()
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * np.sqrt(
        variances * (1 - (1 - of_mean) * toward_mean) + of_spread
    )
    return Shrunken(
        values=shrunken,
        low=shrunken - reach,
        high=shrunken + reach,
        weights=1 - toward_mean,
        mean=mean,
        between=float(np.sqrt(between)),
    )

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

FEWEST_SLICES = 4  # fewer put no limit to how much slices may differ

_HALVINGS = 60
_WIDEST, _STEPS = 0.5, 400  # the largest standard deviation of values in [0, 1], and steps up to it

Slices = Float[ndarray, " slices"]


@dataclass(frozen=True)
class Shrunken:
    """The value of each slice given all of them, with its interval.

    `weights` says how much of each is its own value; nearly all of the rest is `mean`. `between` is the
    standard deviation of true values, by `paule_mandel`.
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
    """Values in [0, 1], each drawn toward the mean as far as its own items cannot carry it.

    How much true values differ is itself uncertain. So every variance of them counts by how likely it makes
    the data, from 0 to the largest that values in [0, 1] can have, and the intervals are wider for it.

    Raises:
        InputError: there are fewer than four slices, a value outside [0, 1], or a variance not above 0.

    Source: Morris 1983, "Parametric empirical Bayes inference: theory and applications", whose corrections
    approximate this average. Differs: it is computed, since they are rough where variances differ much.

    >>> shrunk = shrink(np.array([0.2, 0.5, 0.5, 0.6, 0.7]), np.array([0.04, 0.04, 0.04, 0.04, 0.4]), 0.95)
    >>> shrunk.values.round(2).tolist(), shrunk.weights.round(2).tolist(), shrunk.between
    ([0.32, 0.48, 0.48, 0.54, 0.5], [0.55, 0.55, 0.55, 0.55, 0.15], 0.0)
    """
    if len(values) < FEWEST_SLICES:
        raise InputError(f"{len(values)} slices cannot be shrunk; it takes {FEWEST_SLICES} or more")
    if not ((values >= 0) & (values <= 1)).all():
        raise InputError(f"values from {values.min():g} to {values.max():g} are not in [0, 1]; scale them")
    _, between = paule_mandel(values, variances)
    spreads = _WIDEST * ((np.arange(_STEPS) + 0.5) / _STEPS) ** 2  # finer near 0
    weights = 1 / (variances + spreads[:, None] ** 2)
    totals = weights.sum(axis=1)
    means = weights @ values / totals
    apart = (weights * (values - means[:, None]) ** 2).sum(axis=1)
    likely = (np.log(weights).sum(axis=1) - np.log(totals) - apart + 3 * np.log(spreads)) / 2
    shares = np.exp(likely - likely.max())
    shares /= shares.sum()
    drawn = variances * weights
    given = values + drawn * (means[:, None] - values)
    shrunken = shares @ given
    spread = variances * (1 - drawn) + drawn**2 / totals[:, None] + (given - shrunken) ** 2
    reach = NormalDist().inv_cdf((1 + confidence) / 2) * np.sqrt(shares @ spread)
    return Shrunken(
        values=shrunken,
        low=shrunken - reach,
        high=shrunken + reach,
        weights=1 - shares @ drawn,
        mean=float(shares @ means),
        between=float(np.sqrt(between)),
    )

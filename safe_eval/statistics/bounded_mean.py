"""Bounds of a mean of bounded scores in clusters, which never pass a worse model where a better one fails.

A bootstrap or Student's t sees no spread where nothing changed, and claims certainty. Here one more cluster
is added at the worst end of the scale, so the bounds change smoothly as changes get rarer, and hold for none.
"""

from functools import lru_cache

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.statistics.bootstrap import Labels, Values
from safe_eval.statistics.intervals import Interval, mean_totals, ratio
from safe_eval.statistics.score_interval import effective_clusters

BOUNDED = "bounded cluster mean"  # how an interval was made

_LEVELS = 64  # graded means are split between neighbours on a grid of so many steps
_STEP, _LONGEST = 0.1, 20_000  # of the integral, in standard deviations
_FADED = 20.0  # where the integrand has fallen by e^−20
_MOST_STEPS, _CLOSE = 100, 1e-11  # of the search for a bound

Kinds = tuple[Float[ndarray, " kinds"], Float[ndarray, " kinds"]]  # the means of clusters, and their weights


def mean_bounds(
    values: Values, clusters: Labels, confidence: float, *, scale: tuple[float, float] = (-1.0, 1.0)
) -> Interval:
    """The lower and the upper bound of a mean, each at this one-sided confidence.

    Whole clusters are weighted at random, by the Dirichlet distribution of their effective number, together
    with one more cluster at the end of the scale. The upper bound is a quantile of that mean. It never falls
    when a score rises, and for right-or-wrong items without clusters it is Clopper and Pearson's.

    Raises:
        InputError: there are no items, a score lies outside the scale, or no such confidence.

    Source: Gaffke 2005, "Three test statistics for a nonparametric one-sided hypothesis on the mean of a
    nonnegative variable"; Learned-Miller & Thomas 2020, "A new confidence interval for the mean of a bounded
    random variable". Differs: clusters of unequal size weigh as Kish's effective number.

    >>> unchanged = mean_bounds(np.zeros(600), np.arange(600), 0.95)
    >>> round(unchanged.low, 5), round(unchanged.high, 5)
    (-0.00498, 0.00498)
    """
    if not 0.5 < confidence < 1:
        raise InputError(f"confidence {confidence} is not between 0.5 and 1; 95 % is 0.95")
    lowest, highest = scale
    placed, weights = _placed(values, clusters, scale)
    high = _upper(_kinds(placed, weights), 1 - confidence)
    low = 1 - _upper(_kinds(1 - placed, weights), 1 - confidence)
    return Interval(lowest + low * (highest - lowest), lowest + high * (highest - lowest), BOUNDED)


def tail_probabilities(
    values: Values, clusters: Labels, limit: float, *, scale: tuple[float, float] = (-1.0, 1.0)
) -> tuple[float, float]:
    """The p values of two one-sided tests: that the true mean is at most −limit, or at least limit.

    A bound of `mean_bounds` lies at the limit where its p value is 1 − confidence.

    >>> below, above = tail_probabilities(np.zeros(600), np.arange(600), 0.005)
    >>> round(below, 4) == round(above, 4) == 0.0494
    True
    """
    lowest, highest = scale
    placed, weights = _placed(values, clusters, scale)
    at = (limit - lowest) / (highest - lowest)
    kinds, turned = _kinds(placed, weights), _kinds(1 - placed, weights)
    return _exceeds(turned[0] - at, turned[1]), _exceeds(kinds[0] - at, kinds[1])


def _placed(
    values: Values, clusters: Labels, scale: tuple[float, float]
) -> tuple[Float[ndarray, " clusters"], Float[ndarray, " clusters"]]:
    """The mean of each cluster, from 0 to 1 on the scale, and its weight."""
    lowest, highest = scale
    totals = mean_totals(values, clusters)
    means, sizes = ratio(totals), totals[:, 1]
    if means.min() < lowest - 1e-9 or means.max() > highest + 1e-9:
        raise InputError(f"a score lies outside [{lowest:g}, {highest:g}]")
    placed = np.clip((means - lowest) / (highest - lowest), 0.0, 1.0)
    return placed, effective_clusters(sizes) * sizes / sizes.sum()


def _kinds(means: Float[ndarray, " clusters"], weights: Float[ndarray, " clusters"]) -> Kinds:
    """Clusters of one mean joined to one kind, and the added cluster at 1."""
    values, of_kind = np.unique(means.round(12), return_inverse=True)
    if len(values) > _LEVELS:
        values, joined = _on_grid(means, weights)
    else:
        joined = np.bincount(of_kind, weights=weights)
    if values[-1] < 1:
        values, joined = np.append(values, 1.0), np.append(joined, 0.0)
    joined[-1] += 1
    return values, joined


def _on_grid(means: Float[ndarray, " clusters"], weights: Float[ndarray, " clusters"]) -> Kinds:
    """Each mean split between its neighbours on a grid, which keeps the mean and never lowers the bound."""
    places = means * _LEVELS
    below = np.minimum(places.astype(int), _LEVELS - 1)
    share = places - below
    joined = np.bincount(below, weights=weights * (1 - share), minlength=_LEVELS + 1)
    joined += np.bincount(below + 1, weights=weights * share, minlength=_LEVELS + 1)
    return np.arange(_LEVELS + 1) / _LEVELS, joined


def _upper(kinds: Kinds, risk: float) -> float:
    """The mean that the random one exceeds with probability `risk`."""
    values, weights = kinds
    return _searched(values.tobytes(), weights.tobytes(), risk)


@lru_cache(maxsize=256)  # the tables of one run ask for the bounds of the same pair many times
def _searched(values_bytes: bytes, weights_bytes: bytes, risk: float) -> float:
    """What `_upper` gives, by a search.

    The search starts near the mean: far from it, the steps of the integral are too coarse. Probits of the
    probability are nearly straight, so a line through two of them soon meets that of the risk.

    Source: Dowell & Jarratt 1971, "A modified regula falsi method for computing the root of an equation"
    (Illinois).
    """
    values, weights = np.frombuffer(values_bytes), np.frombuffer(weights_bytes)
    whole = weights.sum()
    low = float(weights @ values / whole)
    reach = float(np.sqrt(weights @ (values - low) ** 2 / whole / (whole + 1)))
    high = min(1.0, low + 2 * reach)
    while high < 1 and _exceeds(values - high, weights) > risk:
        low, high = high, min(1.0, high + reach)
    above, below = (_probit(_exceeds(values - end, weights), risk) for end in (low, high))
    kept = 0.0  # the sign of the end that the last step moved
    for _ in range(_MOST_STEPS):
        meeting = (low * below - high * above) / (below - above) if below < above else (low + high) / 2
        found = _probit(_exceeds(values - meeting, weights), risk)
        if abs(found) < _CLOSE or high - low < _CLOSE:
            return meeting
        if found > 0:
            low, above, below = meeting, found, below / 2 if kept > 0 else below
        else:
            high, below, above = meeting, found, above / 2 if kept < 0 else above
        kept = found
    return high


def _probit(probability: float, risk: float) -> float:
    """How many standard deviations a probability lies above a risk."""
    from scipy.special import ndtri  # scipy.stats takes half a second to load

    return float(ndtri(min(max(probability, 1e-300), 1 - 1e-16)) - ndtri(risk))


def _exceeds(values: Float[ndarray, " kinds"], weights: Float[ndarray, " kinds"]) -> float:
    """The probability that Σ value × Gamma(weight) is above 0, from its characteristic function.

    Source: Davies 1973, "Numerical inversion of a characteristic function", on gamma variables.
    """
    used = (weights > 0) & (values != 0)
    values, weights = values[used], weights[used]
    if not (values > 0).any():
        return 0.0
    if not (values < 0).any():
        return 1.0
    values = values / np.sqrt((weights * values**2).sum())
    times = _STEP * (np.arange(_steps(values, weights)) + 0.5)
    at = values[:, None] * times
    angle, fading = weights @ np.arctan(at), weights @ np.log1p(at**2) / 2
    return float(0.5 + _STEP * (np.sin(angle) * np.exp(-fading) / times).sum() / np.pi)


def _steps(values: Float[ndarray, " kinds"], weights: Float[ndarray, " kinds"]) -> int:
    """How many steps the integral takes until its integrand has faded."""
    steps = 64
    while steps < _LONGEST and weights @ np.log1p((values * _STEP * steps) ** 2) / 2 < _FADED:
        steps *= 2
    return min(steps, _LONGEST)

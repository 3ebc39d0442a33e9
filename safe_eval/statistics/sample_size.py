"""Sample size: how many times as many clusters like these would move the end of an interval to a limit.

What was seen is taken to stay as it is, so the value stays and the ends move towards it. A row of a table is
enough: the ends say how much the clusters vary.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from safe_eval.statistics.balanced_interval import BALANCED
from safe_eval.statistics.bounded_mean import BOUNDED
from safe_eval.statistics.intervals import WILSON
from safe_eval.statistics.score_interval import LEAST_EFFECT, SCORE, UNKNOWN, Numbers, narrowing

_MOST_TIMES = 1e6  # more than that nobody asks
_MOST_ITEMS = 1e12
_ADDED = 1.5  # clusters that the added one of `mean_bounds` counts as, beside those observed
_HALVINGS = 50


@dataclass(frozen=True)
class WouldShow:
    """About how many clusters and items like those observed would show something; or how many seeds."""

    clusters: int | None = None
    items: int | None = None
    seeds: int | None = None

    def __str__(self) -> str:
        """
        >>> str(WouldShow(1200, 4800)), str(WouldShow(598, 598))
        ('about 1,200 clusters (4,800 items) like these would', 'about 598 items like these would')
        """
        if self.clusters is None or self.items is None:
            return f"about {self.seeds:,} seeds like these would"
        if self.clusters == self.items:
            return f"about {self.items:,} items like these would"
        return f"about {self.clusters:,} clusters ({self.items:,} items) like these would"


@dataclass(frozen=True)
class Found:
    """A value and its interval, each end of which errs with the probability `risk`.

    `clusters` is the effective number, and `scale` has the lowest and the highest possible value.
    """

    value: float
    low: float
    high: float
    method: str | None
    risk: float
    clusters: float
    items: int
    scale: tuple[float, float]


def would_show(found: Found, limits: Sequence[float], clusters: int) -> WouldShow | None:
    """The clusters and items that would move the ends to all limits; None if they are there, or none would.

    `clusters` is the number of those observed, of any size.
    """
    open_ = [limit for limit in limits if not _is_beyond(found, limit)]
    every = [times_that_show(found, limit) for limit in open_]
    times = [one for one in every if one is not None]
    if not times or len(times) < len(every) or max(times) > _MOST_TIMES / 2:
        return None
    needed = max(clusters + 1, math.ceil(max(times) * clusters))
    return WouldShow(needed, max(found.items + 1, math.ceil(max(times) * found.items)))


def _is_beyond(found: Found, limit: float) -> bool:
    """Whether the end on that side already lies nearer to the value than the limit."""
    return limit <= found.low if limit < found.value else found.high <= limit


def times_that_show(found: Found, limit: float) -> float | None:
    """How many times as many clusters would move an end of the interval to a limit on that side of the value.

    None if no number would: the value is the limit itself, or there are fewer than two clusters. It is within
    about 15 % of what so many clusters show (`tests/eval/statistics/test_sample_size.py`).

    >>> unchanged = Found(0.0, -0.01487, 0.01487, BOUNDED, 0.05, 200, 200, (-1.0, 1.0))
    >>> round(200 * times_that_show(unchanged, -0.005))
    598
    """
    room = abs(limit - found.value)
    width = found.value - found.low if limit < found.value else found.high - found.value
    if not (room > 0 and width > 0 and found.clusters > 1):
        return None
    if found.method == BOUNDED:
        return _of_bounded(found, limit)
    if found.method == SCORE:
        return _of_score(found, limit)
    if found.method == WILSON:  # nothing varied, so an end moves as the share of clusters not yet seen
        return width / room
    if found.method == BALANCED:
        end = found.low if limit < found.value else found.high
        return score_items(found.value, limit, found.risk) / score_items(found.value, end, found.risk)
    return (width / room) ** 2


def bounded_reach(variance: Numbers, skew: Numbers, clusters: Numbers, room: Numbers, risk: float) -> Numbers:
    """About how far a bound of `mean_bounds` lies from the mean of clusters, which vary so much.

    `room` is the distance from the mean to the end of the scale on that side. `skew` is what the distribution
    of the mean reaches beyond a normal one on that side, times the clusters: see `skew_reach`.
    It is exact where all clusters agree, and within about 3 % otherwise.

    >>> round(float(bounded_reach(0.0, 0.0, 598, 1.0, 0.05)), 5)
    0.005
    """
    z = -NormalDist().inv_cdf(risk)
    n = clusters + _ADDED
    observed, added = variance * clusters / ((clusters + 1) * (clusters + 2)), (room / n) ** 2
    share = added / (observed + added)
    beyond = room + share * (-math.log(risk) - z - 1) * room + (1 - share) * skew
    return np.asarray(z * np.sqrt(observed + added) + beyond / n)


def skew_reach(variance: Numbers, third_moment: Numbers, risk: float) -> Numbers:
    """What the upper tail of a mean reaches beyond a normal one, times the clusters.

    Source: Cornish & Fisher 1938, "Moments and cumulants in the specification of distributions".

    >>> round(float(skew_reach(0.01, 0.01, 0.05)), 3)
    0.569
    """
    z = NormalDist().inv_cdf(risk)
    return np.asarray((z**2 - 1) / 3 * third_moment / np.maximum(variance, 1e-12))


def _of_bounded(found: Found, limit: float) -> float:
    """The variance and the skew for which both ends are what was found, and the clusters for the limit."""
    lowest, highest = found.scale
    below, above = found.value - lowest, highest - found.value

    def ends(variance: float, skew: float) -> tuple[float, float]:
        of_low = bounded_reach(variance, skew, found.clusters, below, found.risk)
        return float(of_low), float(bounded_reach(variance, -skew, found.clusters, above, found.risk))

    low, high = found.value - found.low, found.high - found.value
    variance = _least(lambda variance: sum(ends(variance, 0.0)) >= low + high, 0.0, (highest - lowest) ** 2)
    without, whole = ends(variance, 0.0), ends(variance, 1.0)
    apart = (low - high) - (without[0] - without[1])
    most = (whole[0] - whole[1]) - (without[0] - without[1])
    skew = max(-1.0, min(1.0, apart / most)) if most else 0.0
    room, skew = (below, skew) if limit < found.value else (above, -skew)

    def shows(times: float) -> bool:
        reach = bounded_reach(variance, skew, times * found.clusters, room, found.risk)
        return bool(reach <= abs(limit - found.value))

    return _least_times(shows, found.clusters)


def _of_score(found: Found, limit: float) -> float | None:
    """What the clusters' items are worth, found from the ends, grows as `score_interval.worth` says."""
    lowest, highest = found.scale
    share, low, high, asked = (
        (one - lowest) / (highest - lowest) for one in (found.value, found.low, found.high, limit)
    )
    of_ends = [score_items(share, end, found.risk) for end in (low, high) if 0 < abs(end - share) < 1]
    if not of_ends or not 0 < asked < 1:
        return None
    worth = max(of_ends) / _few(found.clusters, found.risk)  # an end for clusters not yet seen says less
    typical, spread = found.items / found.clusters, share * (1 - share) * found.items
    is_clustered = typical > 1 + 1e-9
    alike = min(1.0, (found.items / worth - 1) / (typical - 1)) if is_clustered else 0.0
    together = alike * (spread + UNKNOWN) - UNKNOWN

    def effect(times: float) -> float:
        if not is_clustered:
            return found.items / worth
        more_alike = (times * together + UNKNOWN) / (times * spread + UNKNOWN)
        return max(LEAST_EFFECT, 1 + more_alike * (typical - 1))

    needed = score_items(share, asked, found.risk)
    room = 1 - asked if limit < found.value else asked

    def shows(times: float) -> bool:
        few = _few(times * found.clusters, found.risk)
        unseen = NormalDist().inv_cdf(found.risk) ** 2 * (1 - room) / room
        return few * times * found.clusters >= unseen and few * times * found.items / effect(times) >= needed

    return _least_times(shows, found.clusters)


def score_items(share: float, at: float, risk: float) -> float:
    """The independent items of which the interval of a share ends there, Wilson's or Jeffreys'."""
    from scipy.special import betainc  # scipy.stats takes half a second to load

    wilson = NormalDist().inv_cdf(risk) ** 2 * at * (1 - at) / (at - share) ** 2

    def ends_inside(items: float) -> bool:
        below = float(betainc(share * items + 0.5, (1 - share) * items + 0.5, at))
        return (below if at < share else 1 - below) <= risk

    return max(wilson, _least(ends_inside, 0.0, _MOST_ITEMS, logarithmic=True))


def _few(clusters: float, risk: float) -> float:
    return float(narrowing(clusters, risk))


def _least_times(shows: Callable[[float], bool], clusters: float) -> float:
    """The least number of times for which something holds, from two clusters on."""
    fewest = 2 / clusters
    return fewest + _least(lambda more: shows(fewest + more), 0.0, _MOST_TIMES, logarithmic=True)


def _least(holds: Callable[[float], bool], low: float, high: float, *, logarithmic: bool = False) -> float:
    """The least number for which something holds, by halving; it must hold at the high end."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if logarithmic:
            middle = math.expm1((math.log1p(low) + math.log1p(high)) / 2)
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high

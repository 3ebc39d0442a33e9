"""Candidate: a point as its trials measured it, with the interval and the p value of each of its metrics.

A metric is `Scored` (a number for each question on each seed), `BySeed` (one number a seed) or `Fixed` (one
number, without spread). Intervals of scores are for new seeds and new clusters of questions at once.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from safe_eval.options import Sampling
from safe_eval.statistics.intervals import FRACTION, Interval
from safe_eval.statistics.planned_seeds import seeds_that_show
from safe_eval.statistics.sample_size import Found, would_show
from safe_eval.statistics.score_interval import count_effective, score_interval
from safe_eval.statistics.seeds import SeedSpread, seed_difference, seed_spread

LEAST_SEEDS = 2
ONE_SEED = "one seed shows nothing of how much another would differ"
BOTH = "more seeds and more questions"

_LEAST_P, _MOST_P = 1e-9, 0.499
_DIGITS = 1e-3  # of the logarithm of a p value


@dataclass(frozen=True, eq=False)
class Scored:
    """A metric of each question on each seed; `scale` has the lowest and the highest score."""

    scores: Float[ndarray, "seeds items"]
    clusters: Shaped[ndarray, " items"]
    scale: tuple[float, float] = FRACTION
    is_difference: bool = False

    @property
    def value(self) -> float:
        """The mean over seeds and questions."""
        return float(self.scores.mean())

    @property
    def by_seed(self) -> tuple[float, ...]:
        """The mean of each seed."""
        return tuple(map(float, self.scores.mean(axis=1)))

    def less(self, other: "Scored") -> "Scored":
        """The difference of each question on each seed."""
        span = self.scale[1] - self.scale[0]
        return Scored(self.scores - other.scores, self.clusters, (-span, span), is_difference=True)

    def spread(self, confidence: float) -> SeedSpread:
        """The spread over seeds, with the interval over seeds and clusters."""
        sampling = Sampling(confidence=confidence)
        if self.is_difference:
            return seed_difference(self.scores, self.clusters, sampling, scale=self.scale).spread
        return seed_spread(self.scores, self.clusters, sampling, scale=self.scale)

    def interval(self, confidence: float) -> Interval:
        """The interval of the mean, for new seeds and clusters; none of one seed."""
        return self.spread(confidence).interval if len(self.scores) >= LEAST_SEEDS else Interval()

    def over_items(self, confidence: float) -> Interval:
        """The interval of the mean of these very runs, for new clusters alone."""
        means, clusters = self.scores.mean(axis=0), self.clusters
        return score_interval(means, clusters, confidence, scale=self.scale)


@dataclass(frozen=True)
class BySeed:
    """A metric that has one number a seed, such as a latency."""

    by_seed: tuple[float, ...]

    @property
    def value(self) -> float:
        """The mean over seeds."""
        return float(np.mean(self.by_seed))

    def less(self, other: "BySeed") -> "BySeed":
        """The difference, seed by seed."""
        return BySeed(tuple(a - b for a, b in zip(self.by_seed, other.by_seed, strict=True)))

    def interval(self, confidence: float) -> Interval:
        """Student's t over seeds; none of one seed.

        >>> found = BySeed((1.0, 2.0, 3.0)).interval(0.95)
        >>> round(found.low, 2), round(found.high, 2)
        (-0.48, 4.48)
        """
        from scipy.special import stdtrit

        seeds = len(self.by_seed)
        if seeds < LEAST_SEEDS:
            return Interval()
        deviation = float(np.std(self.by_seed, ddof=1))
        reach = float(stdtrit(seeds - 1, (1 + confidence) / 2)) * deviation / math.sqrt(seeds)
        return Interval(self.value - reach, self.value + reach, "seed t")


@dataclass(frozen=True)
class Fixed:
    """A metric without spread, such as a number of parameters."""

    value: float

    @property
    def by_seed(self) -> tuple[float, ...]:
        """The number itself."""
        return (self.value,)

    def interval(self, confidence: float) -> Interval:  # noqa: ARG002 - the same at any confidence
        """The number itself at both ends."""
        return Interval(self.value, self.value, "exact")


Metric = Scored | BySeed | Fixed


@dataclass(frozen=True)
class Candidate:
    """A point with what was measured of it. `missing` says why it cannot be judged, if it cannot."""

    name: str
    metrics: Mapping[str, Metric]
    missing: str | None = None


def p_value(interval_at: Callable[[float], Interval], bound: float) -> float | None:
    """The p value of a bound: 1 − the confidence at which an end of the interval reaches it.

    So it is below 1 − confidence exactly where the interval that is shown excludes the bound. Values of 0.5
    and above are given as 1: they show nothing. None where there is no interval.

    >>> found = p_value(BySeed((1.0, 1.1, 0.9)).interval, 0.8)
    >>> round(found, 3)
    0.074
    """
    from scipy.optimize import brentq

    widest, narrowest = interval_at(1 - _LEAST_P), interval_at(1 - _MOST_P)
    if widest.low is None or widest.high is None or narrowest.low is None or narrowest.high is None:
        return None
    if not widest.low <= bound <= widest.high:
        return _LEAST_P
    if narrowest.low <= bound <= narrowest.high:
        return 1.0
    is_above = narrowest.low > bound

    def beyond(log_risk: float) -> float:
        """How far the end of the interval on that side lies from the bound: it grows with the risk."""
        found = interval_at(1 - math.exp(log_risk))
        return (found.low or 0.0) - bound if is_above else bound - (found.high or 0.0)

    return math.exp(float(brentq(beyond, math.log(_LEAST_P), math.log(_MOST_P), xtol=_DIGITS)))


def needed(metric: Metric, bound: float, risk: float) -> str | None:
    """How many seeds, or questions, would show on which side of a bound a metric lies; None if none would.

    What was seen is taken to stay as it is. `risk` is that of one end of the interval.
    """
    room = abs(metric.value - bound)
    if not room or len(metric.by_seed) < LEAST_SEEDS or isinstance(metric, Fixed):
        return None
    if isinstance(metric, BySeed):
        return _seeds(_seeds_by_t(metric, room, risk))
    spread = metric.spread(1 - 2 * risk)
    over_items = _over_items(metric, spread, risk)
    if over_items is None or spread.std is None:
        return None
    seeds = seeds_that_show(
        room,
        over_items=over_items,
        std=spread.std,
        clusters=spread.clusters,
        seeds=len(metric.scores),
        risk=risk,
    )
    return _seeds(seeds) if seeds is not None else _questions(metric, spread, over_items, room, risk)


def _over_items(metric: Scored, spread: SeedSpread, risk: float) -> float | None:
    """The standard error over questions that the interval stands for.

    An interval is wider than the spread of the questions where few of them vary: those not yet seen may.
    """
    interval = spread.interval
    if spread.sampling_stderr is None or spread.std is None or interval.low is None or interval.high is None:
        return None
    of_seeds = spread.std**2 / len(metric.scores)
    reach = _quantile(spread.sampling_stderr**2, of_seeds, spread.clusters, len(metric.scores), risk)
    implied = ((interval.high - interval.low) / 2 / reach) ** 2 - of_seeds
    return math.sqrt(max(spread.sampling_stderr**2, implied))


def _quantile(of_items: float, of_seeds: float, clusters: float, seeds: int, risk: float) -> float:
    """Student's t of two variances together, by Satterthwaite's degrees of freedom."""
    from scipy.special import stdtrit

    parts = of_items**2 / (clusters - 1) + of_seeds**2 / (seeds - 1)
    freedom = (of_items + of_seeds) ** 2 / parts if parts else clusters - 1
    return -float(stdtrit(freedom, risk))


def needed_questions(metric: Scored, bound: float, found: Interval, risk: float) -> str | None:
    """How many questions would show it of these very runs, whose interval over questions is given."""
    if found.low is None or found.high is None:
        return None
    seen = Found(
        value=metric.value,
        low=found.low,
        high=found.high,
        method=found.method,
        risk=risk,
        clusters=count_effective(metric.clusters),
        items=len(metric.clusters),
        scale=metric.scale,
    )
    enough = would_show(seen, (bound,), len(np.unique(metric.clusters)))
    return None if enough is None else f"about {enough.items:,} questions"


def _questions(
    metric: Scored, spread: SeedSpread, over_items: float, room: float, risk: float, most: int = 1000
) -> str:
    """The questions that would show it with the same seeds; else both must grow."""
    seeds = len(metric.scores)
    of_seeds = (spread.std or 0.0) ** 2 / seeds
    for times in np.geomspace(1, most, 200):
        of_items, clusters = over_items**2 / times, times * spread.clusters
        reach = _quantile(of_items, of_seeds, clusters, seeds, risk)
        if reach * math.sqrt(of_items + of_seeds) <= room:
            return f"about {math.ceil(times * spread.n):,} questions"
    return BOTH


def _seeds_by_t(metric: BySeed, room: float, risk: float, most: int = 1000) -> int | None:
    from scipy.special import stdtrit

    deviation = float(np.std(metric.by_seed, ddof=1))
    for count in range(len(metric.by_seed) + 1, most):
        if -float(stdtrit(count - 1, risk)) * deviation / math.sqrt(count) <= room:
            return count
    return None


def _seeds(count: int | None) -> str | None:
    return None if count is None else f"about {count:,} seeds"

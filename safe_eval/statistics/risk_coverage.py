"""Risk–coverage: how wrong a model is if it answers only where it is sure, and the area under that curve.

The risk of some answers is their mean loss, 1 − score. An answer at a coverage is among the surest ones.
"""

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import Labels, Values, cluster_codes
from safe_eval.statistics.intervals import Interval, wilson_interval
from safe_eval.statistics.score_interval import (
    LEAST_CLUSTERS,
    SCORE,
    effective_clusters,
    narrowing,
    score_interval,
)

POINTS = 20  # of a curve, at equal steps of coverage

_UNSEEN = 0.35  # of a cluster of typical size that may yet turn out otherwise; as in `score_interval`
_DRAWS = 4_000  # of the largest deviation on the curve

Losses = Float[ndarray, " items"]


@dataclass(frozen=True)
class CurvePoint:
    """The risk of the answers whose confidence is at least `threshold`, and their share of all answers."""

    threshold: float
    coverage: float
    risk: float
    interval: Interval
    n: int


@dataclass(frozen=True)
class RiskCoverage:
    """The area under the risk–coverage curve with its interval, and the curve at some thresholds."""

    aurc: float
    interval: Interval
    excess: float  # above the area of the best order
    curve: tuple[CurvePoint, ...]


@dataclass(frozen=True)
class _Sorted:
    """The losses by falling confidence, in groups of equal confidence."""

    order: Int[ndarray, " items"]
    group: Int[ndarray, " items"]  # of each item in that order
    sizes: Int[ndarray, " groups"]
    risks: Float[ndarray, " items"]  # of the surest 1, 2, … items, ties in a random order

    def by_group(self, values: Values) -> Values:
        """Each value replaced by the mean of its group."""
        return np.asarray((np.bincount(self.group, values) / self.sizes)[self.group])


def aurc(confidence: Values, losses: Losses) -> float:
    """The area under the risk–coverage curve: the mean risk of the surest 1, 2, … n answers. Lower is better.

    Ties count as the mean over all orders of equal confidences. Without any order it is the mean loss.

    Raises:
        InputError: there are no items, the lengths differ, or a number is not finite.

    Source: Geifman & El-Yaniv 2017, "Selective classification for deep neural networks"; Geifman, Uziel &
    El-Yaniv 2019, "Bias-reduced uncertainty estimation for deep neural classifiers", for the area.

    >>> round(aurc(np.array([0.9, 0.8, 0.7, 0.6]), np.array([0.0, 0.0, 1.0, 1.0])), 4)
    0.2083
    """
    return float(_sorted(confidence, losses).risks.mean())


def excess_aurc(confidence: Values, losses: Losses) -> float:
    """How far AURC lies above that of the best order of the same losses; 0 for the best order.

    Raises:
        InputError: see `aurc`.

    Source: Geifman, Uziel & El-Yaniv 2019, E-AURC, for the exact area of the best order.

    >>> excess_aurc(np.array([0.9, 0.8, 0.7]), np.array([0.0, 0.0, 1.0]))
    0.0
    """
    return aurc(confidence, losses) - _best(losses)


def risk_coverage(
    confidence: Values, losses: Losses, clusters: Labels, sampling: Sampling, *, points: int = POINTS
) -> RiskCoverage:
    """AURC of losses in [0, 1] and the curve at some thresholds, with intervals; see `score_interval`.

    The variance by clusters of what each item contributes to the area says how many independent items it is
    worth, and the interval is that of a share of so many (Wilson), with the quantile of Student's t. A part
    of a typical cluster that may turn out otherwise counts the more, the fewer losses there are.

    The thresholds are confidences of the data, at equal steps of coverage; where confidences are equal the
    points are fewer, because no threshold parts equal ones. The intervals of the risks are those of
    `score_interval` at a level so high that with `sampling.confidence` all of them hold at once: the quantile
    of the largest of deviations that are correlated as the clusters' are.

    Raises:
        InputError: see `aurc`.

    Source: Hampel 1974, "The influence curve and its role in robust estimation", for the area; Montiel Olea &
    Plagborg-Møller 2019, "Simultaneous confidence bands", plug-in sup-t, for the curve. Simulated coverage:
    `python -m benchmarks coverage_simulation`.

    >>> sure, losses = np.tile([0.9, 0.6], 50), np.tile([0.0, 1.0], 50)
    >>> found = risk_coverage(sure, losses, np.arange(100), Sampling())
    >>> round(found.aurc, 3), round(found.interval.low, 3), round(found.interval.high, 3)
    (0.156, 0.098, 0.238)
    >>> [(point.threshold, point.coverage, point.risk) for point in found.curve]
    [(0.9, 0.5, 0.0), (0.6, 1.0, 0.5)]
    """
    found = _sorted(confidence, losses)
    codes, count = cluster_codes(clusters)
    area = float(found.risks.mean())
    return RiskCoverage(
        aurc=area,
        interval=_area_interval(found, losses, codes, count, sampling.confidence),
        excess=area - _best(losses),
        curve=_curve(found, confidence, losses, codes, count, sampling, points),
    )


def _area_interval(
    found: _Sorted, losses: Losses, codes: Int[ndarray, " items"], count: int, level: float
) -> Interval:
    value = float(found.risks.mean())
    sizes = np.bincount(codes, minlength=count).astype(float)
    effective = effective_clusters(sizes)
    if effective < LEAST_CLUSTERS - 1e-9:
        return Interval()
    by_cluster = np.bincount(codes, _pulls(found, losses, value), count)
    variance = float((by_cluster**2 / (1 - sizes / sizes.sum())).sum())
    binary = value * (1 - value)
    seen = variance / binary if binary else 0.0
    # Losses in a random order: the mean of log²u is 2, so that the area is worth half of the items.
    unseen = 2 / len(losses) * max(1.0, _UNSEEN * len(losses) / effective)
    weight = 1 / (1 + (effective * min(value, 1 - value)) ** 2)
    worth = 1 / ((1 - weight) * seen + weight * max(seen, unseen))
    interval = wilson_interval(value, worth * float(narrowing(effective, (1 - level) / 2)), level)
    return Interval(interval.low, interval.high, SCORE)


def _curve(
    found: _Sorted,
    confidence: Values,
    losses: Losses,
    codes: Int[ndarray, " items"],
    count: int,
    sampling: Sampling,
    points: int,
) -> tuple[CurvePoint, ...]:
    order = found.order
    n, falling = len(order), confidence[order]
    wanted = np.unique(np.ceil(n * np.arange(1, points + 1) / points).astype(int))
    # A threshold takes in all items as sure as its own.
    ends = np.unique(n - np.searchsorted(falling[::-1], falling[wanted - 1], side="left"))
    sure_losses, sure_codes = losses[order], codes[order]
    level = _joint_level(sure_losses, sure_codes, count, ends, sampling)
    return tuple(
        CurvePoint(
            threshold=float(falling[end - 1]),
            coverage=float(end / n),
            risk=float(sure_losses[:end].mean()),
            interval=score_interval(sure_losses[:end], sure_codes[:end], level),
            n=int(end),
        )
        for end in ends
    )


def _best(losses: Losses) -> float:
    """The area of the best order: the smallest losses first."""
    return float((np.cumsum(np.sort(losses)) / np.arange(1, len(losses) + 1)).mean())


def _joint_level(
    losses: Losses,
    codes: Int[ndarray, " items"],
    count: int,
    ends: Int[ndarray, " points"],
    sampling: Sampling,
) -> float:
    """The level of each point at which all points hold at once. Points that do not vary count for nothing."""
    if len(ends) < 2:
        return sampling.confidence
    part = np.repeat(np.arange(len(ends)), np.diff(ends, prepend=0))
    cells = codes * len(ends) + part
    shape = (count, len(ends))
    sums, sizes = (
        np.bincount(cells, weights, count * len(ends)).reshape(shape).cumsum(axis=1)
        for weights in (losses, None)
    )
    pulls = sums / ends - sizes * (sums.sum(axis=0) / ends**2)
    spread = np.sqrt((pulls**2).sum(axis=0))
    varying = spread > 1e-12
    if not varying.any():
        return sampling.confidence
    scaled = pulls[:, varying] / spread[varying]
    rng = np.random.default_rng(sampling.seed)
    drawn = rng.multivariate_normal(
        np.zeros(scaled.shape[1]), scaled.T @ scaled, size=_DRAWS, method="eigh", check_valid="ignore"
    )
    largest = float(np.quantile(np.abs(drawn).max(axis=1), sampling.confidence))
    return max(sampling.confidence, 2 * NormalDist().cdf(largest) - 1)


def _sorted(confidence: Values, losses: Losses) -> _Sorted:
    if len(confidence) != len(losses) or not len(losses):
        raise InputError(f"{len(confidence)} confidences of {len(losses)} losses have no risk–coverage curve")
    if not (np.isfinite(confidence).all() and np.isfinite(losses).all()):
        raise InputError("a confidence or a loss is not a finite number")
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    group = np.cumsum(np.r_[False, falling[1:] != falling[:-1]])
    sizes = np.bincount(group)
    expected = (np.bincount(group, losses[order]) / sizes)[group]
    return _Sorted(order, group, sizes, np.cumsum(expected) / np.arange(1, len(losses) + 1))


def _pulls(found: _Sorted, losses: Losses, value: float) -> Values:
    """How far each item moves the area: by how often it is answered, and by the risk where it comes in."""
    rank = np.arange(1, len(losses) + 1)
    answered = np.cumsum((1 / rank)[::-1])[::-1]
    expected = np.cumsum((found.risks / rank)[::-1])[::-1]
    moved = found.by_group(found.risks - expected) + losses[found.order] * found.by_group(answered) - value
    pulls = np.empty(len(losses))
    pulls[found.order] = moved / len(losses)
    return pulls

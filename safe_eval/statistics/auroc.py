"""AUROC: how often a positive item is scored above a negative one, with an interval for clustered items."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.statistics.bootstrap import Labels, Values, cluster_codes
from safe_eval.statistics.intervals import Interval
from safe_eval.statistics.score_interval import LEAST_CLUSTERS, effective_clusters

DELONG_SCORE = "clustered DeLong, score"  # how an interval was made

_UNSEEN = 0.35  # of a cluster of typical size that may yet turn out otherwise; as in `score_interval`
_HALVINGS = 60

Positive = Bool[ndarray, " items"]


def auroc(scores: Values, positive: Positive) -> float:
    """The share of pairs of a positive and a negative item in which the positive one has the higher score.

    Equal scores count half. Of scores 0 and 1 it is the balanced accuracy.

    Raises:
        InputError: there is no positive or no negative item, or a score is not finite.

    Source: Hanley & McNeil 1982, "The meaning and use of the area under a receiver operating characteristic
    (ROC) curve"; mid-ranks.

    >>> auroc(np.array([0.9, 0.4, 0.4, 0.1]), np.array([True, True, False, False]))
    0.875
    """
    return _placements(scores, positive).value


def auroc_and_interval(
    scores: Values, positive: Positive, clusters: Labels, confidence: float
) -> tuple[float, Interval]:
    """AUROC, and its interval; none if a class has fewer than two effective clusters.

    It holds every value that the data does not refute: the standard error at a value is Hanley & McNeil's,
    times what the clusters make of it here. Student's t has the degrees of freedom of both classes, of which
    the rarer one often has few clusters. Where few pairs or none are in the wrong order, a part of a typical
    cluster that may turn out otherwise counts, so that a perfect order has an interval too.

    Raises:
        InputError: see `auroc`.

    Source: DeLong, DeLong & Clarke-Pearson 1988 for the placements; Obuchowski 1997, "Nonparametric analysis
    of clustered ROC curve data"; Newcombe 2006, "Confidence intervals for an effect size measure based on the
    Mann–Whitney statistic", method 5; Welch 1947. Simulated coverage: `python -m benchmarks
    coverage_simulation`.

    >>> scores, positive = np.arange(40.0), np.arange(40) % 3 > 0
    >>> value, interval = auroc_and_interval(scores, positive, np.arange(40), 0.95)
    >>> round(value, 3), round(interval.low, 3), round(interval.high, 3)
    (0.5, 0.31, 0.69)
    """
    found = _placements(scores, positive)
    codes, count = cluster_codes(clusters)
    by_class = [np.bincount(codes[side], minlength=count) for side in (positive, ~positive)]
    effective = [effective_clusters(sizes.astype(float)) for sizes in by_class]
    if min(effective) < LEAST_CLUSTERS - 1e-9:
        return found.value, Interval()
    pulls = found.pulls(positive)
    of_class = [np.bincount(codes, pulls * side, count) for side in (positive, ~positive)]
    share = np.maximum(by_class[0] / found.positives, by_class[1] / found.negatives)
    variance = float(((of_class[0] + of_class[1]) ** 2 / (1 - share)).sum())
    typical = len(codes) / effective_clusters((by_class[0] + by_class[1]).astype(float))
    times = _times(found, variance, typical, effective)
    reach = _quantile(_freedom(of_class, effective, found), confidence) ** 2 * times
    low, high = _not_refuted(found.value, lambda value: reach * _hanley_mcneil(value, found))
    return found.value, Interval(low, high, DELONG_SCORE)


@dataclass(frozen=True)
class _Placements:
    """The AUROC, and for each item the share of the other class that it is on the right side of."""

    value: float
    of_items: Values
    positives: int
    negatives: int

    def pulls(self, positive: Positive) -> Values:
        """How far each item moves the AUROC; they sum to 0."""
        return np.asarray((self.of_items - self.value) / np.where(positive, self.positives, self.negatives))


def _placements(scores: Values, positive: Positive) -> _Placements:
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if len(scores) != len(positive) or not positives or not negatives:
        raise InputError(
            f"{positives} positive and {negatives} negative items of {len(scores)} scores have no AUROC; "
            "give items of both classes"
        )
    if not np.isfinite(scores).all():
        raise InputError("a score is not a finite number")
    _, place = np.unique(scores, return_inverse=True)
    at_score = [np.bincount(place[side], minlength=place.max() + 1) for side in (positive, ~positive)]
    # Of the other class: how many score less, and half of those that score the same.
    less = [np.cumsum(counts) - counts / 2 for counts in at_score]
    of_items = np.where(positive, less[1][place] / negatives, 1 - less[0][place] / positives)
    return _Placements(float(of_items[positive].mean()), of_items, positives, negatives)


def _hanley_mcneil(value: float, found: _Placements) -> float:
    """The variance of an AUROC of this value of independent items, with both classes' mean number."""
    mean = (found.positives + found.negatives) / 2 - 1
    spread = 1 + mean * (1 - value) / (2 - value) + mean * value / (1 + value)
    return value * (1 - value) * spread / (found.positives * found.negatives)


def _times(found: _Placements, variance: float, typical: float, effective: Sequence[float]) -> float:
    """By how much the variance of these clusters is larger than that of as many independent items.

    The fewer items are out of order, the more counts what may yet turn out otherwise: in a perfect order, a
    part of a cluster of typical size.
    """
    independent = _hanley_mcneil(found.value, found)
    seen = variance / independent if independent else 0.0
    both = 2 / (1 / effective[0] + 1 / effective[1])
    weight = 1 / (1 + both * min(found.value, 1 - found.value)) if variance else 1.0
    unseen: float = max(1.0, _UNSEEN * typical) ** (weight**2)
    return float((1 - weight) * seen + weight * max(seen, unseen))


def _freedom(of_class: Sequence[Values], effective: Sequence[float], found: _Placements) -> float:
    """Welch's degrees of freedom, from the part of the variance that each class brings."""
    parts = [float((pulls**2).sum()) for pulls in of_class]
    parts = parts if any(parts) else [1 / found.positives, 1 / found.negatives]
    freedom = sum(parts) ** 2 / sum(p**2 / (e - 1) for p, e in zip(parts, effective, strict=True))
    return max(freedom, 1.0)


def _quantile(freedom: float, confidence: float) -> float:
    """Of Student's t, two-sided."""
    from scipy.special import stdtrit  # scipy.stats takes half a second to load

    return float(stdtrit(freedom, (1 + confidence) / 2))


def _not_refuted(value: float, reach: Callable[[float], float]) -> tuple[float, float]:
    """The lowest and the highest number whose squared distance from a value is within its reach."""

    def last(held: float, end: float) -> float:
        for _ in range(_HALVINGS):
            middle = (held + end) / 2
            if (middle - value) ** 2 <= reach(middle):
                held = middle
            else:
                end = middle
        return held

    return last(value, 0.0) if value > 0 else 0.0, last(value, 1.0) if value < 1 else 1.0

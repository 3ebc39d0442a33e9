"""Balanced interval: the interval of the mean of the classes' recalls, when some classes are rare.

Each recall has a score interval over its clusters. The recalls are put together by their intervals, not
resampled: a resample of three clusters of a class shows hardly any of what the class could do.
"""

import math

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from safe_eval.statistics.bootstrap import Labels, Values
from safe_eval.statistics.intervals import Interval, mean_totals
from safe_eval.statistics.score_interval import count_effective, score_interval

BALANCED = "recalls by clustered score"  # how an interval was made

Classes = Int[ndarray, " items"]


def balanced_interval(scores: Values, classes: Classes, clusters: Labels, confidence: float) -> Interval:
    """The interval of the mean of recalls; classes count from 0, and a class without items is left out.

    An item is right (1), wrong (0) or, as in MME, half right. A class of fewer than two effective clusters
    gives no interval, because nothing shows how much another cluster of it would differ.

    Source: Zou & Donner 2008, "Construction of confidence limits about effect measures: a general approach":
    the limits of a sum from those of its parts. Classes that share clusters count as correlated.

    >>> classes = np.array([0] * 90 + [1] * 10)
    >>> interval = balanced_interval(np.ones(100), classes, np.arange(100), 0.95)
    >>> round(interval.low, 3), interval.high, interval.method
    (0.829, 1.0, 'recalls by clustered score')
    """
    inside = [classes == one for one in np.unique(classes)]
    parts = [score_interval(scores[at], clusters[at], confidence) for at in inside]
    lows, highs = [part.low for part in parts], [part.high for part in parts]
    recalls = np.array([scores[at].mean() for at in inside])
    if None in lows or None in highs:
        return Interval()
    together = _correlations(scores, inside, clusters)
    below = recalls - np.array(lows, np.float64)
    above = np.array(highs, np.float64) - recalls
    mean = float(recalls.mean())
    low, high = (_length(reach, together) / len(parts) for reach in (below, above))
    return Interval(max(0.0, mean - low), min(1.0, mean + high), BALANCED)


def rarest_clusters(classes: Classes, clusters: Labels) -> float:
    """The effective clusters of the class that has the fewest.

    >>> rarest_clusters(np.array([0, 0, 0, 1, 1]), np.arange(5))
    2.0
    """
    return min(count_effective(clusters[classes == one]) for one in np.unique(classes))


def _length(reach: Float[ndarray, " classes"], together: Float[ndarray, "classes classes"]) -> float:
    return math.sqrt(max(0.0, float(reach @ together @ reach)))


def _correlations(
    scores: Values, inside: list[Bool[ndarray, " items"]], clusters: Labels
) -> Float[ndarray, "classes classes"]:
    """How the recalls of two classes go together because they share clusters, from 0 to 1."""
    apart = np.zeros((len(inside), len(scores)))
    for row, at in zip(apart, inside, strict=True):
        row[at] = (scores[at] - scores[at].mean()) / at.sum()
    by_cluster = np.stack([mean_totals(row, clusters)[:, 0] for row in apart])
    products = by_cluster @ by_cluster.T
    spread = np.sqrt(np.diag(products))
    scale = np.outer(spread, spread)
    found = np.clip(np.divide(products, scale, out=np.zeros_like(products), where=scale > 0), 0.0, 1.0)
    np.fill_diagonal(found, 1.0)
    return np.asarray(found)

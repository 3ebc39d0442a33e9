"""Measure: a number about many answers at once, with its interval, or why there is none."""

from collections.abc import Iterable, Sequence

import msgspec
import numpy as np

from safe_data.core.errors import InputError
from safe_eval.prediction import Prediction
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.intervals import mean_interval
from safe_eval.statistics.sampling import Interval, Labels, Sampling


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """What a benchmark's own script prints on one line."""

    name: str
    value: float | None  # None: not measured
    n: int  # items it is about
    why_not: str | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    interval: str | None = None  # how it was made: cluster bootstrap, or wilson where all clusters agree
    clusters: int | None = None  # None, as the confidence: no interval is made of it
    confidence: float | None = None


def mean_of(
    name: str, scores: Iterable[float], clusters: Labels, sampling: Sampling, why_not: str
) -> Measure:
    """The mean of scores with its interval over their clusters, or why there are none.

    >>> found = mean_of("recall:speech", [1.0, 0.0], np.array(["a", "b"]), Sampling(), "no clip of speech")
    >>> found.value, found.interval
    (0.5, 'cluster bootstrap')
    """
    found = [float(score) for score in scores]
    if not found:
        return not_measured(name, why_not)
    interval = mean_interval(np.array(found), clusters, sampling)
    return with_interval(name, sum(found) / len(found), interval, clusters, sampling)


def with_interval(
    name: str, value: float, interval: Interval, clusters: Labels, sampling: Sampling
) -> Measure:
    """A measure of as many items as there are labels of clusters."""
    return Measure(
        name=name,
        value=value,
        n=len(clusters),
        ci_low=interval.low,
        ci_high=interval.high,
        interval=interval.method,
        clusters=count_clusters(clusters),
        confidence=sampling.confidence,
    )


def not_measured(name: str, why_not: str) -> Measure:
    """A measure that has no value, and the reason."""
    return Measure(name=name, value=None, n=0, why_not=why_not)


def check_one_cell(predictions: Sequence[Prediction], clusters: Labels) -> None:
    """Make sure that predictions are of one model, condition and seed, and that each has a cluster.

    Raises:
        InputError: they are of none or of several, or there is not one cluster a prediction.
    """
    cells = {(row.model, row.condition, row.seed) for row in predictions}
    if len(cells) != 1:
        raise InputError(f"predictions of {len(cells)} models, conditions and seeds; measures are of one")
    if len(clusters) != len(predictions):
        raise InputError(f"{len(clusters)} clusters of {len(predictions)} predictions; give one for each")

"""Equivalence: whether a difference is shown to be too small to matter, which no large p value shows."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from safe_data.errors import InputError
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.intervals import clustered_stderr, t_interval
from safe_eval.statistics.sampling import DIFFERENCE, Interval, Labels, Sampling, Values


@dataclass(frozen=True)
class Equivalence:
    """Two one-sided tests against ± margin, as an interval and as a p value that agree with each other.

    Equivalent: the interval (90 % for tests at 5 %) lies inside the margin. Different: it lies outside it.
    Undecided: it crosses an end, or nothing could be measured; more items may tell.
    """

    margin: float
    difference: float
    interval: Interval
    p_value: float | None  # None where no spread was seen and Wilson's limit decides
    verdict: Literal["equivalent", "different", "undecided"]


def equivalence(
    differences: Values,
    clusters: Labels,
    margin: float,
    sampling: Sampling,
    *,
    scale: tuple[float, float] = DIFFERENCE,
) -> Equivalence:
    """Test whether a mean difference lies within ± margin, in the unit of the scores (0.005 is half a point).

    Source: Schuirmann 1987, "A comparison of the two one-sided tests procedure …"; Student's t with C − 1
    degrees of freedom for C clusters. Differs: where all clusters agree, the limit for clusters not yet seen
    decides instead of a spread of 0.

    >>> noise = np.random.default_rng(0).normal(0, 0.1, 10_000)
    >>> equivalence(noise, np.arange(10_000), 0.005, Sampling()).verdict
    'equivalent'
    """
    if not (np.isfinite(margin) and margin > 0):
        raise InputError(f"margin {margin} is not above 0; half a point of accuracy is 0.005")
    interval = t_interval(differences, clusters, _two_one_sided(sampling), scale=scale)
    difference = float(differences.mean())
    return Equivalence(
        margin=margin,
        difference=difference,
        interval=interval,
        p_value=_p_value(difference, clustered_stderr(differences, clusters), clusters, margin),
        verdict=equivalence_verdict(interval, margin),
    )


def _two_one_sided(sampling: Sampling) -> float:
    if sampling.equivalence_confidence <= 0.5:
        raise InputError(f"confidence {sampling.confidence} is too low for two one-sided tests; give 0.95")
    return sampling.equivalence_confidence


def _p_value(difference: float, stderr: float | None, clusters: Labels, margin: float) -> float | None:
    """The larger of the two one-sided p values."""
    from scipy.special import stdtr

    if not stderr:
        return None
    return float(stdtr(count_clusters(clusters) - 1, (abs(difference) - margin) / stderr))


def equivalence_verdict(interval: Interval, margin: float) -> Literal["equivalent", "different", "undecided"]:
    """Whether an interval of two one-sided tests lies inside ± margin, outside, or across an end."""
    if interval.low is None or interval.high is None:
        return "undecided"
    if -margin < interval.low and interval.high < margin:
        return "equivalent"
    return "different" if interval.low > margin or interval.high < -margin else "undecided"

"""Estimates: means with intervals over groups, and how well a number tells two kinds of question apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numpy import ndarray

from safe_eval.options import Sampling
from safe_eval.report.explanation import Estimate, Prediction
from safe_eval.statistics.auroc import auroc_and_interval
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.intervals import FRACTION, Interval, mean_interval

ALL, AUDIO, VL = "all", "audio", "vl"


@dataclass(frozen=True)
class Slices:
    """The questions of each slice: all, audio, vl and `type:NAME`, by their places, with their groups."""

    groups: Int64[ndarray, " questions"]
    inside: dict[str, Bool[ndarray, " questions"]]
    sampling: Sampling

    def mean(self, values: Float64[ndarray, " questions"], name: str, *, share: bool = False) -> Estimate:
        """The mean of a slice, with the interval of a bootstrap of groups."""
        at = self.inside[name]
        return mean_of(values[at], self.groups[at], self.sampling, share=share)


def slices_of(
    needs_audio: Sequence[bool],
    types: Sequence[str | None],
    groups: Sequence[str],
    sampling: Sampling,
) -> Slices:
    """The slices that are not empty; `audio` and `vl` only where both are there.

    >>> found = slices_of([True, False], ["sound", None], ["a", "b"], Sampling())
    >>> {name: at.tolist() for name, at in found.inside.items()}
    {'all': [True, True], 'audio': [True, False], 'vl': [False, True], 'type:sound': [True, False]}
    """
    need = np.array(needs_audio, bool)
    inside = {ALL: np.ones(len(need), bool)}
    if need.any() and not need.all():
        inside |= {AUDIO: need, VL: ~need}
    for name in sorted({one for one in types if one is not None}):
        inside[f"type:{name}"] = np.array([one == name for one in types])
    return Slices(np.unique(np.asarray(groups), return_inverse=True)[1], inside, sampling)


def mean_of(
    values: Float64[ndarray, " items"],
    groups: Int64[ndarray, " items"],
    sampling: Sampling,
    *,
    share: bool = False,
) -> Estimate:
    """A mean with its interval; `share` says that values lie in [0, 1].

    Values on no scale that are all the same have no interval: nothing says how others would differ.

    >>> mean_of(np.zeros(3), np.arange(3), Sampling()).low is None
    True
    """
    interval = Interval()
    if share:
        interval = mean_interval(values, groups, sampling, scale=FRACTION)
    elif count_clusters(groups) > 1 and np.ptp(values) > 0:
        ends = (float(values.min()), float(values.max()))
        interval = mean_interval(values, groups, sampling, scale=ends)
    return Estimate(float(values.mean()), interval.low, interval.high, len(values), count_clusters(groups))


def told_by(
    scores: Float64[ndarray, " items"],
    helps: Bool[ndarray, " items"],
    groups: Int64[ndarray, " items"],
    confidence: float,
    *,
    score: str,
    slice_name: str,
    layer: int | None = None,
    head: int | None = None,
) -> Prediction:
    """How well scores tell the questions that the sound helps from the others."""
    known = np.isfinite(scores)
    scores, helps, groups = scores[known], helps[known], groups[known]
    positives = int(helps.sum())
    value, interval = share_above(scores, helps, groups, confidence)
    why = None
    if not len(helps):
        why = f"{score} is not known of any question"
    elif value is None:
        why = f"the sound helps {'all' if positives else 'none'} of these questions"
    return Prediction(
        score=score,
        layer=layer,
        head=head,
        slice=slice_name,
        auroc=value,
        low=interval.low,
        high=interval.high,
        positives=positives,
        n=len(helps),
        why_not=why,
    )


def share_above(
    scores: Float64[ndarray, " items"],
    positive: Bool[ndarray, " items"],
    groups: Int64[ndarray, " items"],
    confidence: float,
) -> tuple[float | None, Interval]:
    """AUROC and its interval; None where a class is empty."""
    if not positive.any() or positive.all():
        return None, Interval()
    return auroc_and_interval(scores, positive, groups, confidence)

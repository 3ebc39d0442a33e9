"""Metric: the value of one arm on one slice, with its interval."""

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

import msgspec

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import Labels, Values, count_clusters
from safe_eval.statistics.corpus_sums import corpus_interval, corpus_value
from safe_eval.statistics.intervals import FRACTION, Interval, clustered_stderr, mean_interval
from safe_eval.statistics.score_interval import LEAST_CLUSTERS, count_effective, score_interval


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One score of one arm on one slice. Errors and blank answers count as wrong."""

    metric: str
    dataset: str | None
    slice: str
    condition: str
    model: str
    seed: int
    value: float
    stderr: float | None  # analytic, clustered; None for corpus-level metrics
    ci_low: float | None
    ci_high: float | None
    confidence: float
    interval: str | None  # the method
    n: int
    clusters: int
    effective_clusters: float  # equal clusters that would weigh as much: see `statistics.score_interval`


def metric_rows(arms: Arms, sampling: Sampling) -> Iterator[Metric]:
    """The value of every metric of every arm on each of its slices, with its interval."""
    for scored in arms.scored.values():
        for arm in scored:
            whole = metric_row(arm, "all", sampling)
            for name in arm.slices:
                yield (
                    msgspec.structs.replace(whole, slice=name)
                    if arm.is_whole(name)
                    else metric_row(arm, name, sampling)
                )


def value_of(arm: ScoredArm, slice_name: str) -> float:
    """The value on a slice: the mean of its scores, or a function of its summed counts."""
    inside = arm.slices[slice_name]
    if arm.counts is None or arm.corpus is None:
        return float(arm.scores[inside].mean())
    return corpus_value(arm.corpus, arm.counts[inside])


def metric_row(arm: ScoredArm, slice_name: str, sampling: Sampling) -> Metric:
    """The value of an arm on a slice, with its interval; none of fewer clusters than an interval needs."""
    inside = arm.slices[slice_name]
    scores, clusters = arm.scores[inside], arm.clusters[inside]
    if arm.counts is None or arm.corpus is None:
        stderr = clustered_stderr(scores, clusters)
        interval = _interval(arm, scores, clusters, sampling)
    else:
        stderr = None
        interval = corpus_interval(arm.corpus, arm.counts[inside], clusters, sampling, arm.highest)
    effective = count_effective(clusters)
    if effective < LEAST_CLUSTERS - 1e-9:
        interval = Interval()
    return Metric(
        metric=arm.metric,
        **arm.key._asdict(),
        slice=slice_name,
        value=value_of(arm, slice_name),
        stderr=stderr,
        ci_low=interval.low,
        ci_high=interval.high,
        confidence=sampling.confidence,
        interval=interval.method,
        n=len(scores),
        clusters=count_clusters(clusters),
        effective_clusters=effective,
    )


def _interval(arm: ScoredArm, scores: Values, clusters: Labels, sampling: Sampling) -> Interval:
    """A score interval; for scores on a scale far wider than they are, such as CIDEr's, the bootstrap's."""
    scale = (arm.lowest, arm.highest)
    if scale == FRACTION:
        return score_interval(scores, clusters, sampling.confidence)
    return mean_interval(scores, clusters, sampling, scale=scale)


class _Sliced(Protocol):
    @property
    def slice(self) -> str: ...
    @property
    def n(self) -> int: ...


Row = TypeVar("Row", bound=_Sliced)


def without_repeats(rows: Sequence[Row], about: Sequence[str]) -> list[Row]:
    """Rows to show: without slices that hold every item of `all` and so repeat its numbers.

    `about` names the fields that distinguish rows of the same slice.
    """

    def key(row: Row) -> tuple[object, ...]:
        return tuple(getattr(row, name) for name in about)

    whole = {key(row): row.n for row in rows if row.slice == "all"}
    return [row for row in rows if row.slice == "all" or row.n != whole.get(key(row))]

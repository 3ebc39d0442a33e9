"""Metric: a number about one cell on one slice, with its interval."""

from collections.abc import Iterator, Sequence

import msgspec

from safe_eval.arms.arm import Cell
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.corpus_sums import corpus_interval, corpus_value
from safe_eval.statistics.intervals import clustered_stderr, mean_interval
from safe_eval.statistics.sampling import Sampling


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One score of one cell on one slice; errors and blank answers are in it as wrong."""

    metric: str
    dataset: str | None
    slice: str
    condition: str
    model: str
    seed: int
    value: float
    stderr: float | None  # analytic, clustered; of means only
    ci_low: float | None
    ci_high: float | None
    confidence: float
    interval: str | None  # how it was made: cluster bootstrap, or wilson where all clusters agree
    n: int
    clusters: int


def metric_rows(metric: str, cells: Sequence[Cell], sampling: Sampling) -> Iterator[Metric]:
    """The value of every slice of every cell, with its interval: the mean, or a function of sums."""
    for cell in cells:
        whole = _row(metric, cell, "all", sampling)
        for name in cell.slices:
            if cell.is_whole(name):
                yield msgspec.structs.replace(whole, slice=name)
            else:
                yield _row(metric, cell, name, sampling)


def _row(metric: str, cell: Cell, slice_name: str, sampling: Sampling) -> Metric:
    members = cell.slices[slice_name]
    scores, clusters = cell.scores[members], cell.clusters[members]
    if cell.counts is None:
        value, stderr = float(scores.mean()), clustered_stderr(scores, clusters)
        interval = mean_interval(scores, clusters, sampling, scale=(0.0, cell.highest))
    else:
        counts = cell.counts[members]
        value, stderr = corpus_value(metric, counts), None
        interval = corpus_interval(metric, counts, clusters, sampling, cell.highest)
    return Metric(
        metric=metric,
        **cell.key._asdict(),
        slice=slice_name,
        value=value,
        stderr=stderr,
        ci_low=interval.low,
        ci_high=interval.high,
        confidence=sampling.confidence,
        interval=interval.method,
        n=len(scores),
        clusters=count_clusters(clusters),
    )

"""Metric: a number about one cell on one slice, with its interval."""

from collections.abc import Iterator, Sequence

import msgspec

from safe_eval.cells import Cell
from safe_eval.scorers import scorer_of
from safe_eval.statistics import Sampling, clustered_stderr, mean_interval


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One mean score of one cell on one slice; errors and blank answers are in it as wrong."""

    metric: str
    dataset: str | None
    slice: str
    condition: str
    model: str
    seed: int
    value: float
    stderr: float | None  # analytic, clustered
    ci_low: float | None
    ci_high: float | None
    confidence: float
    interval: str | None  # how it was made: cluster bootstrap, or wilson where all clusters agree
    n: int
    clusters: int


def metric_rows(metric: str, cells: Sequence[Cell], sampling: Sampling) -> Iterator[Metric]:
    """The mean of every slice of every cell, with its interval."""
    scale = (0.0, scorer_of(metric).highest)
    for cell in cells:
        for name, members in cell.slices.items():
            scores, clusters = cell.scores[members], cell.clusters[members]
            interval = mean_interval(scores, clusters, sampling, scale=scale)
            yield Metric(
                metric=metric,
                **cell.key._asdict(),
                slice=name,
                value=float(scores.mean()),
                stderr=clustered_stderr(scores, clusters),
                ci_low=interval.low,
                ci_high=interval.high,
                confidence=sampling.confidence,
                interval=interval.method,
                n=len(scores),
                clusters=len(set(clusters.tolist())),
            )

"""Latency: how long each arm took per answer, and in proportion to the baseline."""

from collections.abc import Iterator

import msgspec
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import Arm, shared_examples
from safe_eval.arms.pairs import baseline_of
from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import Labels, cluster_totals, count_clusters, resampled_totals
from safe_eval.statistics.intervals import Interval, percentile_interval, ratio
from safe_eval.statistics.score_interval import count_effective

LATENCY_MS, LATENCY_RATIO = "latency_ms", "latency_ratio"
LATENCIES = (LATENCY_MS, LATENCY_RATIO)


class LatencyRow(msgspec.Struct, frozen=True, kw_only=True):
    """The mean latency of one arm, and its ratio to the baseline's on the same examples."""

    dataset: str | None
    seed: int
    model: str
    condition: str
    latency_ms: float
    ci_low: float | None
    ci_high: float | None
    interval: str | None
    one_by_one: bool  # all say that they were answered alone; otherwise a batch may have shared the time
    n: int
    clusters: int
    effective_clusters: float
    unsaid: int  # answers without a latency; in no number
    against: str | None = None  # baseline/full, or nothing
    base_ms: float | None = None  # on the examples that both timed
    ratio: float | None = None
    ratio_low: float | None = None
    ratio_high: float | None = None
    ratio_n: int = 0
    ratio_clusters: int = 0
    only_one: int = 0  # examples that only one of the two timed; not in the ratio
    why_not: str | None = None  # why there is no ratio
    confidence: float


def latency_rows(arms: Arms, sampling: Sampling) -> Iterator[LatencyRow]:
    """One row per arm that states latencies. A failed request has none."""
    timed = {arm.key: arm for arm in arms.arms if np.isfinite(latencies(arm)).any()}
    for arm in timed.values():
        yield _row(arm, baseline_of(arm, list(timed.values()), arms.pairing), sampling)


def latencies(arm: Arm) -> Float[ndarray, " rows"]:
    """The latency of each row in milliseconds; NaN where it failed or does not say.

    >>> from safe_eval.arms.arm import make_arms
    >>> from safe_eval.prediction import Prediction
    >>> row = Prediction(example_id="q", references=("a",), answer="a", latency_ms=12.5)
    >>> latencies(make_arms([row])[0]).tolist()
    [12.5]
    """
    stated = [np.nan if row.latency_ms is None else row.latency_ms for row in arm.rows]
    return np.where(arm.failed, np.nan, np.array(stated, dtype=float))


def _row(arm: Arm, base: Arm | None, sampling: Sampling) -> LatencyRow:
    stated = latencies(arm)
    at = np.flatnonzero(np.isfinite(stated))
    columns = np.column_stack([stated[at], np.ones(len(at))])
    interval = _interval(columns, arm.clusters[at], sampling)
    row = LatencyRow(
        **arm.key._asdict(),
        latency_ms=float(stated[at].mean()),
        ci_low=interval.low,
        ci_high=interval.high,
        interval=interval.method,
        one_by_one=one_by_one(arm),
        n=len(at),
        clusters=count_clusters(arm.clusters[at]),
        effective_clusters=count_effective(arm.clusters[at]),
        unsaid=int((~arm.failed).sum()) - len(at),
        confidence=sampling.confidence,
        against=None if base is None else base.key.name,
    )
    return row if base is None else _with_ratio(row, arm, base, sampling)


def _with_ratio(row: LatencyRow, arm: Arm, base: Arm, sampling: Sampling) -> LatencyRow:
    """The row with the ratio of the means, in which one answer that the base gave quickly weighs no more."""
    if row.one_by_one != one_by_one(base):
        reason = "one of both was answered in batches and the other one by one (metadata.batch)"
        return msgspec.structs.replace(row, why_not=reason)
    at_arm, at_base = shared_examples(arm.examples, base.examples)
    ours, theirs = latencies(arm)[at_arm], latencies(base)[at_base]
    both = np.isfinite(ours) & np.isfinite(theirs)
    one = int((np.isfinite(ours) != np.isfinite(theirs)).sum())
    one += len(arm.examples) + len(base.examples) - 2 * len(at_arm)
    if not both.any() or not theirs[both].sum():
        return msgspec.structs.replace(row, only_one=one, why_not="no example has both latencies above 0")
    clusters = arm.clusters[at_arm][both]
    columns = np.column_stack([ours[both], theirs[both]])
    interval = _interval(columns, clusters, sampling)
    return msgspec.structs.replace(
        row,
        base_ms=float(theirs[both].mean()),
        ratio=float(ratio(columns.sum(axis=0))),
        ratio_low=interval.low,
        ratio_high=interval.high,
        ratio_n=int(both.sum()),
        ratio_clusters=count_clusters(clusters),
        only_one=one,
    )


def _interval(columns: Float[ndarray, "items 2"], clusters: Labels, sampling: Sampling) -> Interval:
    """The interval of one sum over another; none where all clusters agree, for nothing bounds a latency."""
    totals = cluster_totals(columns, clusters)
    if len(totals) < 2 or np.ptp(ratio(totals)) < 1e-12:
        return Interval()
    drawn = ratio(resampled_totals(totals, sampling))
    return percentile_interval(drawn, len(totals), sampling.confidence)


def one_by_one(arm: Arm) -> bool:
    """Whether every row with a latency says that it was answered alone, so that its latency is its own."""
    return all((row.metadata or {}).get("batch") == 1 for row in arm.rows if row.latency_ms is not None)

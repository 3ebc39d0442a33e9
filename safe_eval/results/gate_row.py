"""Gate row: one number about a gate, of one seed or over several, with its interval and one-sided limit."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_eval.arms.arm import COMPARED_SLICES, Places, Slices
from safe_eval.arms.consultation import SKIPPED
from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import Labels, count_clusters
from safe_eval.statistics.intervals import DIFFERENCE, FRACTION, Interval
from safe_eval.statistics.paired_score import difference_interval
from safe_eval.statistics.score_interval import count_effective, score_interval
from safe_eval.statistics.seeds import seed_difference, seed_spread

DROP, HELPED, HARMED, INFLUENCED = "drop", "helped", "harmed", "influenced"
TOKENS = "mean_audio_tokens"
_SLICED = (SKIPPED, DROP, HELPED, HARMED, INFLUENCED, TOKENS)  # measures that have slices
AT_LEAST = (SKIPPED, HELPED)  # of which the one-sided limit is the lower one

Place = tuple[str | None, str, str]  # dataset, model and condition


class GateRow(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of one model's gate on one slice; without a seed, over all seeds.

    `limit` is one-sided at the confidence: of `skipped` and `helped` the least that the value can be, of all
    others the most.
    """

    measure: str
    metric: str | None = None  # that judged the answers; None where none is judged
    dataset: str | None
    seed: int | None
    seeds: tuple[int, ...]
    model: str
    condition: str
    slice: str
    against: str | None = None  # an arm, as "model/condition"
    by: str | None = None  # what shows that an answer was influenced
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    limit: float | None = None
    confidence: float
    interval: str | None = None
    of_each_seed: tuple[float, ...] = ()
    n: int = 0
    clusters: int = 0
    effective_clusters: float = 0.0
    unsaid: int = 0  # answers that failed or lack the field; in no number
    only_one: int = 0  # answers that only one of both sides has; in no number
    one_by_one: bool | None = None  # of times; otherwise a batch may have shared them
    why_not: str | None = None


class Measure(NamedTuple):
    """What a number is of, and on which scale."""

    name: str
    metric: str | None = None
    against: str | None = None
    by: str | None = None
    scale: tuple[float, float] = FRACTION


@dataclass(frozen=True)
class Items:
    """One number per question of one seed, and the slices that the questions lie in."""

    values: Float[ndarray, " items"]
    examples: Places
    clusters: Labels
    slices: Slices
    unsaid: Mapping[str, int] = field(default_factory=dict)  # by slice
    only_one: Mapping[str, int] = field(default_factory=dict)

    def of(self, slice_name: str) -> "Items":
        """Those of one slice."""
        inside = self.slices[slice_name]
        return replace(
            self, values=self.values[inside], examples=self.examples[inside], clusters=self.clusters[inside]
        )


BySeed = Mapping[int, Items]


def measured_rows(measure: Measure, place: Place, by_seed: BySeed, sampling: Sampling) -> Iterator[GateRow]:
    """A row per slice and seed, and one over seeds per slice, where all have answered the same questions."""
    for name in COMPARED_SLICES:
        inside = {seed: items for seed, items in by_seed.items() if name in items.slices}
        for seed, items in inside.items():
            yield _of_seed(measure, place, seed, name, items, sampling)
        yield from seeds_row(measure, place, inside, name, sampling)


def seeds_row(
    measure: Measure, place: Place, by_seed: BySeed, slice_name: str, sampling: Sampling
) -> Iterator[GateRow]:
    """The mean over seeds, if there are several, with its interval over clusters and seeds at once."""
    parts = {seed: items.of(slice_name) for seed, items in sorted(by_seed.items())}
    first = next(iter(parts.values()), None)
    if first is None or len(parts) < 2:
        return
    if not all(np.array_equal(first.examples, items.examples) for items in parts.values()):
        return
    values = np.stack([items.values for items in parts.values()])
    interval, limits = _over_seeds(values, first.clusters, measure, sampling)
    yield bare_row(
        measure,
        place,
        tuple(parts),
        slice_name,
        sampling,
        value=float(values.mean()),
        of_each_seed=tuple(map(float, values.mean(axis=1))),
        unsaid=sum(items.unsaid.get(slice_name, 0) for items in parts.values()),
        only_one=sum(items.only_one.get(slice_name, 0) for items in parts.values()),
        **_sure(measure, interval, limits),
        **_sizes(first),
    )


def bare_row(
    measure: Measure, place: Place, seeds: tuple[int, ...], slice_name: str, sampling: Sampling, **found: Any
) -> GateRow:
    """A row with what was found; of several seeds it has no seed."""
    dataset, model, condition = place
    return GateRow(
        measure=measure.name,
        metric=measure.metric,
        dataset=dataset,
        seed=seeds[0] if len(seeds) == 1 else None,
        seeds=seeds,
        model=model,
        condition=condition,
        slice=slice_name,
        against=measure.against,
        by=measure.by,
        confidence=sampling.confidence,
        **found,
    )


def _of_seed(
    measure: Measure, place: Place, seed: int, name: str, whole: Items, sampling: Sampling
) -> GateRow:
    items = whole.of(name)
    interval, limits = (
        _interval(items, measure, confidence)
        for confidence in (sampling.confidence, sampling.equivalence_confidence)
    )
    return bare_row(
        measure,
        place,
        (seed,),
        name,
        sampling,
        value=float(items.values.mean()),
        unsaid=items.unsaid.get(name, 0),
        only_one=items.only_one.get(name, 0),
        **_sure(measure, interval, limits),
        **_sizes(items),
    )


def _interval(items: Items, measure: Measure, confidence: float) -> Interval:
    if measure.scale == DIFFERENCE:
        return difference_interval(items.values, items.clusters, confidence)
    return score_interval(items.values, items.clusters, confidence, scale=measure.scale)


def _over_seeds(
    values: Float[ndarray, "seeds items"], clusters: Labels, measure: Measure, sampling: Sampling
) -> tuple[Interval, Interval]:
    """The interval, and the one whose ends are the one-sided limits."""
    if measure.scale == DIFFERENCE:
        found = seed_difference(values, clusters, sampling).inference
        return found.interval, found.one_sided
    narrower = Interval()
    if sampling.equivalence_confidence > 0.5:
        one_sided = replace(sampling, confidence=sampling.equivalence_confidence)
        narrower = seed_spread(values, clusters, one_sided, scale=measure.scale).interval
    return seed_spread(values, clusters, sampling, scale=measure.scale).interval, narrower


def _sure(measure: Measure, interval: Interval, limits: Interval) -> dict[str, Any]:
    return {
        "ci_low": interval.low,
        "ci_high": interval.high,
        "interval": interval.method,
        "limit": limits.low if measure.name in AT_LEAST else limits.high,
    }


def _sizes(items: Items) -> dict[str, Any]:
    return {
        "n": len(items.values),
        "clusters": count_clusters(items.clusters),
        "effective_clusters": count_effective(items.clusters),
    }


def rows_to_show(rows: Sequence[GateRow]) -> dict[tuple[str | None, int | None], list[GateRow]]:
    """The rows that tables show, by dataset and seed: over seeds where there are such rows, and sounds and
    pictures apart where both are known."""

    def key(row: GateRow) -> tuple[object, ...]:
        return row.measure, row.metric, row.dataset, row.model, row.condition, row.against, row.by

    over = {(*key(row), row.slice) for row in rows if row.seed is None}
    apart = {(row.dataset, row.model) for row in rows if row.slice in ("audio", "vl")}
    found: dict[tuple[str | None, int | None], list[GateRow]] = {}
    for row in rows:
        repeats = row.seed is not None and (*key(row), row.slice) in over
        has_parts = (row.dataset, row.model) in apart and row.slice == "all" and row.measure in _SLICED
        if not repeats and not (has_parts and row.value is not None):
            found.setdefault((row.dataset, row.seed), []).append(row)
    return found

"""Half gain: the level of a curve at which half of what the sound adds is gone."""

from collections.abc import Iterator

import msgspec
import numpy as np

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import Places
from safe_eval.options import Sampling
from safe_eval.results.noise_curve import (
    CLEAN,
    DROP,
    GATE_OFF,
    KINDS,
    SILENT,
    Curve,
    about,
    curves_of,
    kind_and_level,
    level_at,
    severity,
    shared_places,
)
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.half_level import HalfLevel, half_level
from safe_eval.statistics.score_interval import count_effective


class HalfGainRow(msgspec.Struct, frozen=True, kw_only=True):
    """Where on a curve the accuracy lies halfway between `full` and the input without sound.

    `low` and `high` are the ends of the interval by size; one that is None beside an `interval` lies beyond
    the levels that were asked. Without a seed: over all seeds.
    """

    metric: str
    dataset: str | None
    seed: int | None
    seeds: tuple[int, ...]
    model: str
    slice: str
    kind: str
    unit: str
    against: str  # mute_audio, or gate_off where that is missing; empty if both are
    levels: tuple[float, ...]  # from the mildest on
    gain: float | None = None  # accuracy under full − accuracy under `against`
    gain_low: float | None = None
    gain_high: float | None = None
    level: float | None = None  # at which half of the gain is gone
    low: float | None = None
    high: float | None = None
    confidence: float
    interval: str | None = None
    of_each_seed: tuple[float | None, ...] = ()
    why_not: str | None = None  # why there is no level
    why_no_interval: str | None = None
    n: int  # examples that were answered under every condition of the curve
    clusters: int
    effective_clusters: float


def half_gain_rows(arms: Arms, sampling: Sampling) -> Iterator[HalfGainRow]:
    """One row for each curve that degrades the sound; where sound and picture are dropped there is none."""
    for curve in curves_of(arms):
        if curve.kind != DROP:
            yield _row(curve, sampling)


def _row(curve: Curve, sampling: Sampling) -> HalfGainRow:
    conditions = list(curve.arms)
    against = next((name for name in (SILENT, GATE_OFF) if name in curve.arms), "")
    levels = [found[1] for name in conditions if (found := kind_and_level(name))]
    places = shared_places(curve)
    clusters = curve.first.clusters[places[conditions[0]]]
    row = HalfGainRow(
        **about(curve, next(iter(curve.arms.values()))),
        against=against,
        levels=tuple(levels),
        confidence=sampling.confidence,
        n=len(clusters),
        clusters=count_clusters(clusters) if len(clusters) else 0,
        effective_clusters=count_effective(clusters) if len(clusters) else 0.0,
    )
    why_not = _unmeasurable(curve, against, len(clusters))
    if why_not:
        return msgspec.structs.replace(row, why_not=why_not)
    return _measured(row, curve, places, sampling)


def _unmeasurable(curve: Curve, against: str, shared: int) -> str | None:
    if CLEAN not in curve.arms:
        return "there are no answers under full"
    if not against:
        return f"there are no answers under {SILENT} or {GATE_OFF}"
    return None if shared else "no example was answered under every condition of the curve"


def _measured(row: HalfGainRow, curve: Curve, places: dict[str, Places], sampling: Sampling) -> HalfGainRow:
    names = [name for name in curve.arms if kind_and_level(name)]
    severities = [severity(row.kind, level) for level in row.levels]
    at_full = KINDS[row.kind].at_full
    if at_full is not None and at_full not in row.levels:  # the curve begins at full, which has a level
        names, severities = [CLEAN, *names], [severity(row.kind, at_full), *severities]
    scores = np.stack(
        [
            [curve.arms[name][seed].scores[places[name]] for name in (CLEAN, *names, row.against)]
            for seed in row.seeds
        ]
    )
    clusters = curve.first.clusters[places[next(iter(curve.arms))]]
    found = half_level(scores, np.array(severities), clusters, sampling)
    row = msgspec.structs.replace(
        row,
        gain=found.gain,
        gain_low=found.gain_interval.low,
        gain_high=found.gain_interval.high,
        of_each_seed=tuple(
            level_at(row.kind, one) if np.isfinite(one) else None for one in found.of_each_seed
        ),
    )
    why_not = _no_level(row, found)
    return msgspec.structs.replace(row, why_not=why_not) if why_not else _with_level(row, found)


def _no_level(row: HalfGainRow, found: HalfLevel) -> str | None:
    if row.gain_low is None:
        return "the gain has no interval: there are fewer than two clusters"
    if not row.gain_low > 0:
        return "the sound adds nothing whose interval excludes 0"
    mildest, hardest = (f"{level:g} {row.unit}" for level in (row.levels[0], row.levels[-1]))
    if found.severity > 0 and np.isinf(found.severity):
        return f"more than half is left at {hardest}, the hardest level"
    if np.isinf(found.severity):
        return f"less than half is left at {mildest}, the mildest level"
    return None


def _with_level(row: HalfGainRow, found: HalfLevel) -> HalfGainRow:
    """The row with its level and the two ends in the order of their size."""
    interval, asked = found.interval, [severity(row.kind, level) for level in row.levels]
    at_full = KINDS[row.kind].at_full
    mildest = asked[0] if at_full is None else severity(row.kind, at_full)
    ends = [
        level_at(row.kind, end) if end is not None and mildest <= end <= asked[-1] else None
        for end in (interval.low, interval.high)
    ]
    if KINDS[row.kind].less_is_harder:
        ends.reverse()
    why_not = "its clusters or seeds do not all cross within the levels, or all cross alike"
    return msgspec.structs.replace(
        row,
        level=level_at(row.kind, found.severity),
        low=ends[0],
        high=ends[1],
        interval=interval.method,
        why_no_interval=None if interval.method else why_not,
    )

"""Shrinkage: the values of an arm's question types or classes, each drawn toward their mean.

They are for reading and ranking: no criterion judges them, because a slice is not judged by other slices.
"""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.results.metrics import value_of
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.score_interval import LEAST_CLUSTERS, Worth, count_effective, worth
from safe_eval.statistics.shrinkage import FEWEST_SLICES, sampling_variances, shrink

_PREFIX = ":"  # "type:count"; the slices all, audio and vl have none


class ShrinkageRow(msgspec.Struct, frozen=True, kw_only=True):
    """One slice of one arm: its own value, and its value given the other slices of the family."""

    metric: str
    dataset: str | None
    seed: int
    model: str
    condition: str
    family: str  # "type" or "class"; with a number where these are divided in several ways
    slice: str
    value: float
    n: int
    clusters: int
    effective_clusters: float
    shrunken: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    confidence: float
    weight: float | None = None  # of the slice's own value in the shrunken one; the rest is the mean
    family_mean: float | None = None
    between_std: float | None = None  # of the true values of the slices
    slices: int  # of the family
    why_not: str | None = None


def shrinkage_rows(arms: Arms, sampling: Sampling) -> Iterator[ShrinkageRow]:
    """A row per slice of each family of two or more slices, arm by arm."""
    for scored in arms.scored.values():
        for arm in scored:
            for family, names in families(arm).items():
                yield from _family(arm, family, names, sampling)


def families(arm: ScoredArm) -> dict[str, list[str]]:
    """The slices that divide the items of an arm: those of one kind, of which no two hold the same item.

    Where slices of one kind overlap, as the structural and semantic types of GQA do, each way to divide is a
    family. A family of one slice has no mean to be drawn to, and is none.
    """
    found: dict[str, list[str]] = {}
    for kind in dict.fromkeys(_kind(name) for name in arm.slices if _PREFIX in name):
        taken: list[tuple[np.ndarray, list[str]]] = []
        for name in (name for name in arm.slices if _kind(name) == kind):
            inside = arm.slices[name]
            fitting = next((one for one in taken if not (one[0] & inside).any()), None)
            if fitting is None:
                taken.append((inside.copy(), [name]))
            else:
                fitting[0][inside] = True
                fitting[1].append(name)
        divided = [names for _, names in taken if len(names) > 1]
        found |= {kind if not place else f"{kind} {place + 1}": names for place, names in enumerate(divided)}
    return found


def _kind(name: str) -> str:
    return name.partition(_PREFIX)[0] if _PREFIX in name else ""


def _family(arm: ScoredArm, family: str, names: Sequence[str], sampling: Sampling) -> Iterator[ShrinkageRow]:
    rows = [_raw(arm, family, name, len(names), sampling) for name in names]
    why_not = _why_not(arm, names)
    if why_not is not None:
        yield from (msgspec.structs.replace(row, why_not=why_not) for row in rows)
        return
    height = arm.highest - arm.lowest
    found = [_worth(arm, name) for name in names]
    values = np.array([one.mean for one in found])
    shrunken = shrink(values, sampling_variances(found), sampling.confidence)
    for place, row in enumerate(rows):
        yield msgspec.structs.replace(
            row,
            shrunken=arm.lowest + height * float(shrunken.values[place]),
            ci_low=arm.lowest + height * max(0.0, float(shrunken.low[place])),
            ci_high=arm.lowest + height * min(1.0, float(shrunken.high[place])),
            weight=float(shrunken.weights[place]),
            family_mean=arm.lowest + height * shrunken.mean,
            between_std=height * shrunken.between,
        )


def _why_not(arm: ScoredArm, names: Sequence[str]) -> str | None:
    if arm.counts is not None:
        return f"{arm.metric} is one number of all answers and has no score per answer"
    if len(names) < FEWEST_SLICES:
        return f"{len(names)} slices do not show how much slices differ; it takes {FEWEST_SLICES}"
    effective = count_effective(arm.clusters[np.any([arm.slices[name] for name in names], axis=0)])
    if effective < LEAST_CLUSTERS - 1e-9:
        return f"{effective:.1f} effective clusters do not show how much clusters differ; it takes 2"
    return None


def _raw(arm: ScoredArm, family: str, name: str, slices: int, sampling: Sampling) -> ShrinkageRow:
    clusters = arm.clusters[arm.slices[name]]
    return ShrinkageRow(
        metric=arm.metric,
        **arm.key._asdict(),
        family=family,
        slice=name,
        value=value_of(arm, name),
        n=len(clusters),
        clusters=count_clusters(clusters),
        effective_clusters=count_effective(clusters),
        confidence=sampling.confidence,
        slices=slices,
    )


def _worth(arm: ScoredArm, name: str) -> Worth:
    """What a slice is worth, with its scores placed from 0 to 1 on their scale."""
    inside = arm.slices[name]
    placed = (arm.scores[inside] - arm.lowest) / (arm.highest - arm.lowest)
    return worth(np.clip(placed, 0.0, 1.0), arm.clusters[inside])

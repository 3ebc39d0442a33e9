"""Frontiers: accuracy against what it costs, over models, and over the thresholds of a gate."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec
import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import COMPARED_SLICES, Arm, ArmKey, Places, shared_examples
from safe_eval.arms.consultation import CONSULTED
from safe_eval.arms.pairs import always_on_of
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.results.gate_curve import gate_curve
from safe_eval.results.latency import LATENCY_MS, latencies, one_by_one
from safe_eval.scorers.scorer import ANSWER_METRICS, CAPTION_METRICS
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.frontier import Point, Standing, joint_points, jointly, standings
from safe_eval.statistics.intervals import Interval, mean_totals
from safe_eval.statistics.score_interval import LEAST_CLUSTERS, effective_clusters

AUDIO_TOKENS = "audio_tokens"
COSTS = (LATENCY_MS, AUDIO_TOKENS, CONSULTED)  # means over answers, of which less is better

ON_FRONTIER: Final = "on the frontier"
DOMINATED: Final = "dominated"
MAYBE_DOMINATED: Final = "dominated in this sample"
Status = Literal["on the frontier", "dominated", "dominated in this sample"]

_HEADLINES = (*ANSWER_METRICS, CAPTION_METRICS[0])

Costs = Float[ndarray, " rows"]
Known = dict[tuple[ArmKey, str], Costs | None]  # the costs of arms, None where they state none


class FrontierRow(msgspec.Struct, frozen=True, kw_only=True):
    """One point: the accuracy and the mean cost of a model under `full`, on examples that all answered.

    The intervals of all points of a frontier and both axes hold at once. With a `threshold` it is a point of
    a model's curve: the answer with the sound where `gate_score` is so high or higher, of `gate_off`
    elsewhere.
    """

    metric: str
    dataset: str | None
    seed: int
    slice: str
    cost: str
    model: str
    threshold: float | None = None
    value: float
    ci_low: float | None
    ci_high: float | None
    interval: str | None
    mean_cost: float
    cost_low: float | None
    cost_high: float | None
    cost_interval: str | None
    confidence: float  # of all intervals of the frontier together
    status: Status | None = None  # None on a curve, whose points are one model
    dominated_by: str | None = None
    share_on_frontier: float | None = None  # of resamples
    one_by_one: bool | None = None  # of latencies; otherwise a batch may have shared the time
    n: int
    clusters: int
    effective_clusters: float
    left_out: int  # examples that some point did not answer


@dataclass(frozen=True)
class Frontier:
    """The points of one frontier on all its examples, or those of one gate's curve."""

    about: dict[str, object]  # metric, dataset, seed and cost
    names: tuple[str, ...]
    thresholds: tuple[float | None, ...]
    first: ScoredArm  # of which `at` are the places of the shared examples
    at: Places
    values: Float[ndarray, "points items"]
    costs: Float[ndarray, "points items"]
    left_out: int
    one_by_one: bool | None = None

    @property
    def is_curve(self) -> bool:
        """Whether the points are thresholds of one gate."""
        return self.thresholds[0] is not None


def frontiers_of(arms: Arms) -> list[Frontier | str]:
    """The frontiers of models and the curves of gates, and in words what keeps a model out of them."""
    known: Known = {}
    found: list[Frontier | str] = []
    for metric in _HEADLINES:
        scored = [arm for arm in arms.judged.get(metric, ()) if arm.counts is None]
        by_model: dict[str | None, dict[str, dict[int, ScoredArm]]] = {}
        for arm in scored:
            if arm.key.condition == "full":
                by_model.setdefault(arm.key.dataset, {}).setdefault(arm.key.model, {})[arm.key.seed] = arm
        for models in by_model.values():
            for seed in sorted({seed for own in models.values() for seed in own}):
                found += _of_models(list(_of_seed(models, seed)), seed, known)
        shut = {arm.key: arm for arm in scored if arm.key.condition == "gate_off"}
        for arm in scored:
            without = shut.get(arm.key._replace(condition="gate_off"))
            if arm.key.condition == "full" and without is not None:
                found += _of_gate(arm, without, always_on_of(arm, scored))
    return found


def frontier_rows(found: Sequence[Frontier | str], sampling: Sampling) -> Iterator[FrontierRow]:
    """A row per point of each frontier on each slice; none where fewer than two models state a cost."""
    for one in found:
        if isinstance(one, Frontier):
            yield from _rows(one, sampling)


def frontier_notes(found: Sequence[Frontier | str]) -> Iterator[str]:
    """Why a model that could be a point of a frontier is none, each reason once."""
    yield from dict.fromkeys(one for one in found if isinstance(one, str))


def _of_seed(models: dict[str, dict[int, ScoredArm]], seed: int) -> Iterator[ScoredArm]:
    """The arm of each model with a seed; a model with a single seed goes with every seed of the others."""
    for own in models.values():
        if seed in own or len(own) == 1:
            yield own[seed] if seed in own else next(iter(own.values()))


def _stated(arm: Arm, cost: str, known: Known) -> Costs | None:
    """The costs of the rows of an arm, found once; None where no answer states any."""
    key = arm.key, cost
    if key not in known:
        found = _costs(arm, cost) if any(getattr(row, cost) is not None for row in arm.rows) else None
        known[key] = None if found is None or np.isnan(found).all() else found
    return known[key]


def _costs(arm: Arm, cost: str) -> Costs:
    """What each row says that it cost; NaN where it failed or does not say."""
    if cost == LATENCY_MS:
        return latencies(arm)
    stated = [np.nan if (value := getattr(row, cost)) is None else value for row in arm.rows]
    return np.where(arm.failed, np.nan, np.array(stated, dtype=float))


def _of_models(scored: Sequence[ScoredArm], seed: int, known: Known) -> Iterator[Frontier | str]:
    where = "" if not scored or scored[0].key.dataset is None else f" on {scored[0].key.dataset}"
    for cost in COSTS if len(scored) > 1 else ():
        stating = [(arm, stated) for arm in scored if (stated := _stated(arm.arm, cost, known)) is not None]
        if len(stating) == 1:
            yield f"no frontier of {cost}{where}: only {stating[0][0].key.model} states it"
        if len(stating) < 2:
            continue
        for arm in scored:
            if all(arm is not other for other, _ in stating):
                yield f"{arm.key.model}{where} states no {cost}, so it is no point of that frontier"
        points = [(arm, stated[arm.at]) for arm, stated in stating if not _unsaid(arm, stated)]
        for arm, stated in stating:
            if unsaid := _unsaid(arm, stated):
                yield (
                    f"{unsaid} of {len(arm.at)} answers of {arm.key.model}{where}, seed {arm.key.seed}, "
                    f"state no {cost}, so it is no point of that frontier"
                )
        alone = {one_by_one(arm.arm) for arm, _ in points} if cost == LATENCY_MS else {None}
        if len(alone) > 1:
            yield (
                f"no frontier of {cost}{where}: some models were answered one by one and others in batches "
                "(metadata.batch)"
            )
        elif len(points) > 1:
            yield from _of_points(points, seed, cost, alone.pop(), where)


def _unsaid(arm: ScoredArm, stated: Costs) -> int:
    """How many answers of an arm do not state a cost; a failed request has none."""
    return int((np.isnan(stated) & ~arm.arm.failed)[arm.at].sum())


def _of_points(
    points: Sequence[tuple[ScoredArm, Costs]], seed: int, cost: str, alone: bool | None, where: str
) -> Iterator[Frontier | str]:
    examples, everything = points[0][0].examples, points[0][0].examples
    for arm, _ in points[1:]:
        if not np.array_equal(examples, arm.examples) or len(everything) != len(examples):
            examples = examples[shared_examples(examples, arm.examples)[0]]
            everything = np.union1d(everything, arm.examples)
    at = [shared_examples(arm.examples, examples)[0] for arm, _ in points]
    values = np.stack([arm.scores[places] for (arm, _), places in zip(points, at, strict=True)])
    spent = np.stack([stated[places] for (_, stated), places in zip(points, at, strict=True)])
    first = points[0][0]
    if not len(examples):
        yield f"no frontier of {cost}{where}: its models have no example in common"
        return
    yield Frontier(
        about={"metric": first.metric, "dataset": first.key.dataset, "seed": seed, "cost": cost},
        names=tuple(arm.key.model for arm, _ in points),
        thresholds=(None,) * len(points),
        first=first,
        at=at[0],
        values=values,
        costs=spent,
        left_out=len(everything) - len(examples),
        one_by_one=alone,
    )


def _of_gate(full: ScoredArm, off: ScoredArm, always_on: ScoredArm | None) -> Iterator[Frontier | str]:
    curve = gate_curve(full, off, always_on)
    yield from curve.notes
    if len(curve.thresholds):
        about: dict[str, object] = {"metric": full.metric, "dataset": full.key.dataset, "seed": full.key.seed}
        yield Frontier(
            about=about | {"cost": CONSULTED},
            names=(full.key.model,) * len(curve.thresholds),
            thresholds=tuple(curve.thresholds.tolist()),
            first=full,
            at=curve.at,
            values=curve.values,
            costs=curve.opened,
            left_out=len(full.examples) + len(off.examples) - 2 * len(curve.at),
        )


def _rows(found: Frontier, sampling: Sampling) -> Iterator[FrontierRow]:
    whole: list[FrontierRow] = []
    for name in COMPARED_SLICES:
        inside = found.first.inside(name)[found.at]
        if inside.all() and name != "all":
            yield from (msgspec.structs.replace(row, slice=name) for row in whole)
        elif inside.any():
            made = list(_slice_rows(found, name, np.flatnonzero(inside), sampling))
            whole = made if name == "all" else whole
            yield from made


def _slice_rows(
    found: Frontier, name: str, inside: Int[ndarray, " items"], sampling: Sampling
) -> Iterator[FrontierRow]:
    """The points on one slice; one all of whose answers failed there has no cost, and is none."""
    costs = found.costs[:, inside]
    kept = np.flatnonzero(np.isfinite(costs).any(axis=1))
    if len(kept) < 2:
        return
    values, costs = found.values[np.ix_(kept, inside)], costs[kept]
    clusters = found.first.clusters[found.at][inside]
    names = [found.names[place] for place in kept]
    scale = (found.first.lowest, found.first.highest)
    bound = {CONSULTED: 1.0, AUDIO_TOKENS: float(np.nanmax(found.costs))}.get(str(found.about["cost"]))
    sizes = {
        "n": len(clusters),
        "clusters": count_clusters(clusters),
        "effective_clusters": effective_clusters(mean_totals(np.zeros(len(clusters)), clusters)[:, 1]),
    }
    standing: Sequence[Standing | None] = [None] * len(kept)
    if sizes["effective_clusters"] < LEAST_CLUSTERS - 1e-9:  # what another would change is not shown
        means = zip(values.mean(axis=1).tolist(), np.nanmean(costs, axis=1).tolist(), strict=True)
        points = [Point(value, Interval(), cost, Interval()) for value, cost in means]
    else:
        joint = jointly(values, costs, clusters, sampling)
        points = joint_points(joint, scale=scale, highest_cost=bound)
        standing = standing if found.is_curve else standings(joint, scale=scale)
    for place, point, own in zip(kept.tolist(), points, standing, strict=True):
        row = FrontierRow(
            **found.about,  # type: ignore[arg-type]  # names and a seed
            **sizes,  # type: ignore[arg-type]
            **_ends(point),
            slice=name,
            model=found.names[place],
            threshold=found.thresholds[place],
            value=point.value,
            mean_cost=point.cost,
            confidence=sampling.confidence,
            one_by_one=found.one_by_one,
            left_out=found.left_out,
        )
        yield row if own is None else _with_standing(row, own, names)


def _ends(point: Point) -> dict[str, Any]:
    value, cost = point.value_interval, point.cost_interval
    return {
        "ci_low": value.low,
        "ci_high": value.high,
        "interval": value.method,
        "cost_low": cost.low,
        "cost_high": cost.high,
        "cost_interval": cost.method,
    }


def _with_standing(row: FrontierRow, standing: Standing, names: Sequence[str]) -> FrontierRow:
    better = standing.dominated_by
    status: Status = ON_FRONTIER
    if better is not None:
        status = DOMINATED if standing.is_shown else MAYBE_DOMINATED
    return msgspec.structs.replace(
        row,
        status=status,
        dominated_by=None if better is None else names[better],
        share_on_frontier=standing.share,
    )

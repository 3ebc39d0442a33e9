"""Hurts: where hearing turns right answers into wrong ones, and where it pays, type by type."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import COMPARED_SLICES, shared_examples
from safe_eval.arms.pairs import answered_alike, baseline_of
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.results.families import SameTest, same_test
from safe_eval.scorers.scorer import ANSWER_METRICS, RIGHT_FROM
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.multiplicity import adjusted_once
from safe_eval.statistics.paired import mcnemar_p_values, paired_test
from safe_eval.statistics.paired_score import difference_interval
from safe_eval.statistics.score_interval import count_effective
from safe_eval.statistics.seeds import seed_difference

WITHOUT_SOUND = ("mute_audio", "gate_off")  # conditions of the same model; its baseline is the third
_TYPE = "type:"

BySeed = dict[int, tuple[ScoredArm, ScoredArm]]  # full, and the answers without the sound


class HurtRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a model gains and loses under `full` against an arm without the sound, on one slice.

    A score of 0.5 or more is right, as everywhere, and gained − lost is net × n. Without a seed: over all
    seeds, and each answer of a seed counts.
    """

    metric: str
    dataset: str | None
    seed: int | None
    seeds: tuple[int, ...]
    model: str
    against: str  # mute_audio and gate_off of the same model, or the baseline as "model/full"
    slice: str
    gained: int  # answers that are right under full and wrong without the sound
    lost: int
    net: float | None = None  # None: nothing was answered on both sides
    ci_low: float | None = None
    ci_high: float | None = None
    confidence: float
    interval: str | None = None
    p_value: float | None = None
    holm_p: float | None = None  # over the question types of one table
    family: int = 0
    test: str | None = None  # behind p_value; it respects the clusters
    mcnemar_p: float | None = None  # exact, treats items as independent; None over seeds
    n: int
    clusters: int
    effective_clusters: float
    only_full: int  # answers that only one of the two sides has; in no other number
    only_without: int
    why_not: str | None = None  # why there is no interval


class Hurt(NamedTuple):
    """A model under full beside its answers without the sound, by seed, on the examples that both have."""

    against: str
    pairs: BySeed
    at_full: Int[ndarray, " items"]
    at_without: Int[ndarray, " items"]

    @property
    def full(self) -> ScoredArm:
        """The answers under full of the first seed."""
        return next(iter(self.pairs.values()))[0]

    @property
    def changes(self) -> Float[ndarray, "seeds items"]:
        """1 where an answer is gained, −1 where it is lost, 0 where nothing turned."""
        return np.stack(
            [
                _right(full)[self.at_full].astype(float) - _right(without)[self.at_without]
                for full, without in self.pairs.values()
            ]
        )

    def inside(self, slice_name: str) -> Bool[ndarray, " items"]:
        """The shared examples that lie in a slice."""
        return np.asarray(self.full.inside(slice_name)[self.at_full])


def hurt_rows(arms: Arms, sampling: Sampling) -> Iterator[HurtRow]:
    """A table for each model and arm without the sound: all items, then the types that lose most first."""
    for hurt in hurts_of(arms):
        yield from _table(hurt, sampling)


def hurts_of(arms: Arms) -> Iterator[Hurt]:
    """Each model under full beside mute_audio, gate_off and the baseline, by seed and over all seeds."""
    for metric in ANSWER_METRICS:
        scored = arms.judged.get(metric, ())
        found: dict[tuple[str | None, str, str], BySeed] = {}
        for full in (arm for arm in scored if arm.key.condition == "full"):
            for against, without in _without_sound(full, scored, arms):
                of_seed = found.setdefault((full.key.dataset, full.key.model, against), {})
                of_seed[full.key.seed] = (full, without)
        for (_, _, against), by_seed in found.items():
            for seed, pair in by_seed.items():
                yield _hurt(against, {seed: pair})
            if answered_alike(by_seed.values()):
                yield _hurt(against, by_seed)


def _without_sound(
    full: ScoredArm, scored: Sequence[ScoredArm], arms: Arms
) -> Iterator[tuple[str, ScoredArm]]:
    for condition in WITHOUT_SOUND:
        key = full.key._replace(condition=condition)
        yield from ((condition, arm) for arm in scored if arm.key == key)
    base = baseline_of(full, scored, arms.pairing)
    if base is not None:
        yield base.key.name, base


def _hurt(against: str, pairs: BySeed) -> Hurt:
    full, without = next(iter(pairs.values()))
    return Hurt(against, pairs, *shared_examples(full.examples, without.examples))


def _right(arm: ScoredArm) -> Bool[ndarray, " rows"]:
    return np.asarray(arm.scores >= RIGHT_FROM)


def _table(hurt: Hurt, sampling: Sampling) -> list[HurtRow]:
    """The rows of one table; p values of question types are adjusted together."""
    changes = hurt.changes
    there = [name for name in COMPARED_SLICES if hurt.inside(name).any()]
    first = [_row(hurt, changes, name, sampling)[0] for name in there]
    types = sorted(name for name in hurt.full.slices if name.startswith(_TYPE))
    found = [_row(hurt, changes, name, sampling) for name in types]
    holm = adjusted_once([row.p_value for row, _ in found], [test for _, test in found])
    family = len({test for row, test in found if row.p_value is not None})
    rows = [
        msgspec.structs.replace(row, holm_p=holm_p, family=family)
        for (row, _), holm_p in zip(found, holm, strict=True)
    ]
    return [*first, *sorted(rows, key=lambda row: (row.gained - row.lost, row.net or 0.0, row.slice))]


def _row(
    hurt: Hurt, changes: Float[ndarray, "seeds items"], name: str, sampling: Sampling
) -> tuple[HurtRow, SameTest]:
    full, without = next(iter(hurt.pairs.values()))
    inside = hurt.inside(name) & without.inside(name)[hurt.at_without]
    own, clusters = changes[:, inside], full.clusters[hurt.at_full[inside]]
    seeds = len(hurt.pairs)
    row = HurtRow(
        metric=full.metric,
        dataset=full.key.dataset,
        seed=full.key.seed if seeds == 1 else None,
        seeds=tuple(hurt.pairs),
        model=full.key.model,
        against=hurt.against,
        slice=name,
        gained=int((own > 0).sum()),
        lost=int((own < 0).sum()),
        confidence=sampling.confidence,
        n=own.size,
        clusters=count_clusters(clusters) if len(clusters) else 0,
        effective_clusters=count_effective(clusters) if len(clusters) else 0.0,
        only_full=seeds * int(full.inside(name).sum() - inside.sum()),
        only_without=seeds * int(without.inside(name).sum() - inside.sum()),
    )
    if not own.size:
        return msgspec.structs.replace(row, why_not="no example was answered on both sides"), (0, 0.0, ())
    return _tested(row, own, clusters, sampling), same_test(full.examples[hurt.at_full[inside]], own)


def _tested(
    row: HurtRow, changes: Float[ndarray, "seeds items"], clusters: Int[ndarray, " items"], sampling: Sampling
) -> HurtRow:
    row = msgspec.structs.replace(row, net=float(changes.mean()))
    if row.clusters < 2:
        return msgspec.structs.replace(row, why_not="all its items are of one cluster")
    if len(changes) > 1:
        found = seed_difference(changes, clusters, sampling).inference
        interval, p_value, test, exact = found.interval, found.p_value, found.interval.method, None
    else:
        gained, lost = (changes[0] > 0).astype(float), (changes[0] < 0).astype(float)
        interval = difference_interval(changes[0], clusters, sampling.confidence)
        p_value, test = paired_test(gained, lost, clusters, sampling)
        exact = mcnemar_p_values(gained, lost)[0]
    return msgspec.structs.replace(
        row,
        ci_low=interval.low,
        ci_high=interval.high,
        interval=interval.method,
        p_value=p_value,
        test=test,
        mcnemar_p=exact,
    )

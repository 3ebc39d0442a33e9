"""Domains: one model on several datasets, and whether the sound adds as much on one as on another."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import msgspec
import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import shared_examples
from safe_eval.arms.pairs import answered_alike
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.results.families import SameTest, same_test
from safe_eval.results.noise_curve import CLEAN, GATE_OFF, SILENT
from safe_eval.scorers.scorer import ANSWER_METRICS
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.multiplicity import adjusted_once
from safe_eval.statistics.paired_score import difference_interval
from safe_eval.statistics.score_interval import count_effective, score_interval
from safe_eval.statistics.seeds import seed_difference, seed_spread
from safe_eval.statistics.separation import Losses, separation

DOMAIN_SLICES = ("all", "audio", "vl")


class DomainRow(msgspec.Struct, frozen=True, kw_only=True):
    """What a model scores on one of its datasets, and what the sound adds there. Without a seed: over all."""

    metric: str
    dataset: str | None
    seed: int | None
    seeds: tuple[int, ...]
    model: str
    slice: str
    value: float  # the accuracy under full
    ci_low: float | None
    ci_high: float | None
    against: str  # what the gain is over: mute_audio, or gate_off where that is missing; empty if both are
    gain: float | None = None  # the accuracy under full less that under `against`, on the same examples
    gain_low: float | None = None
    gain_high: float | None = None
    why_not: str | None = None  # why there is no gain
    confidence: float
    n: int
    n_gain: int = 0
    clusters: int
    effective_clusters: float


class DomainDifference(msgspec.Struct, frozen=True, kw_only=True):
    """The gain of a model on dataset a less its gain on dataset b."""

    model: str
    slice: str
    seed: int | None
    seeds: tuple[int, ...]
    dataset_a: str | None
    dataset_b: str | None
    metric_a: str
    metric_b: str
    against: str
    gain_a: float
    gain_b: float
    difference: float
    stderr: float | None
    ci_low: float | None
    ci_high: float | None
    confidence: float
    interval: str | None
    p_value: float | None
    holm_p: float | None = None  # over the pairs of datasets of one model, slice and seed
    family: int = 0
    test: str | None
    n_a: int
    n_b: int
    clusters_a: int
    clusters_b: int


@dataclass(frozen=True)
class _Domain:
    """One slice of a dataset, with what each example gains in each seed."""

    row: DomainRow
    gains: Float[ndarray, "seeds items"]
    clusters: Int[ndarray, " items"]
    examples: Int[ndarray, " items"]


Domains = list[_Domain]


def domain_tables(
    arms: Arms, sampling: Sampling
) -> tuple[tuple[DomainRow, ...], tuple[DomainDifference, ...]]:
    """A row for each dataset of a model with two or more under `full`, and a row for each pair of them."""
    rows: list[DomainRow] = []
    differences: list[DomainDifference] = []
    for found in _domains(arms, sampling):
        rows += [one.row for one in found]
        differences += _differences(found, sampling)
    return tuple(rows), tuple(differences)


def _domains(arms: Arms, sampling: Sampling) -> Iterator[Domains]:
    """The datasets of each model, slice and seed (or all seeds), if there are two or more."""
    by_model: dict[str, dict[tuple[str, str | None], dict[str, dict[int, ScoredArm]]]] = {}
    for metric in ANSWER_METRICS:
        for arm in arms.judged.get(metric, ()):
            of_set = by_model.setdefault(arm.key.model, {}).setdefault((metric, arm.key.dataset), {})
            of_set.setdefault(arm.key.condition, {})[arm.key.seed] = arm
    for sets in by_model.values():
        answered = {key: conditions for key, conditions in sets.items() if CLEAN in conditions}
        if len({dataset for _, dataset in answered}) < 2:
            continue
        for seeds in _seeds(answered):
            for slice_name in DOMAIN_SLICES:
                found = [_domain(of, seeds, slice_name, sampling) for of in answered.values()]
                there = [one for one in found if one is not None]
                if len({one.row.dataset for one in there}) > 1:
                    yield there


def _seeds(answered: dict[tuple[str, str | None], dict[str, dict[int, ScoredArm]]]) -> list[tuple[int, ...]]:
    """Each seed alone, and all together if every dataset has them."""
    of_each = [tuple(sorted(conditions[CLEAN])) for conditions in answered.values()]
    alone: list[tuple[int, ...]] = [(seed,) for seed in sorted({seed for seeds in of_each for seed in seeds})]
    return [*alone, of_each[0]] if len(of_each[0]) > 1 and len(set(of_each)) == 1 else alone


def _domain(
    of: dict[str, dict[int, ScoredArm]], seeds: tuple[int, ...], slice_name: str, sampling: Sampling
) -> _Domain | None:
    full = [of[CLEAN][seed] for seed in seeds if seed in of[CLEAN]]
    if len(full) < len(seeds) or not full[0].inside(slice_name).any() or not _alike(full):
        return None
    inside = full[0].inside(slice_name)
    scores, clusters = np.stack([arm.scores[inside] for arm in full]), full[0].clusters[inside]
    if len(full) > 1:
        interval = seed_spread(scores, clusters, sampling).interval
    else:
        interval = score_interval(scores[0], clusters, sampling.confidence)
    row = DomainRow(
        metric=full[0].metric,
        dataset=full[0].key.dataset,
        seed=seeds[0] if len(seeds) == 1 else None,
        seeds=seeds,
        model=full[0].key.model,
        slice=slice_name,
        value=float(scores.mean()),
        ci_low=interval.low,
        ci_high=interval.high,
        against="",
        confidence=sampling.confidence,
        n=len(clusters),
        clusters=count_clusters(clusters),
        effective_clusters=count_effective(clusters),
    )
    return _with_gain(row, full, of, sampling)


def _with_gain(
    row: DomainRow, full: Sequence[ScoredArm], of: dict[str, dict[int, ScoredArm]], sampling: Sampling
) -> _Domain:
    nothing = _Domain(row, np.zeros((len(full), 0)), np.zeros(0, dtype=int), np.zeros(0, dtype=int))
    against = next((name for name in (SILENT, GATE_OFF) if set(row.seeds) <= set(of.get(name, ()))), None)
    if against is None:
        why_not = f"there are no answers under {SILENT} or {GATE_OFF}"
        return _replaced(nothing, why_not=why_not)
    muted = [of[against][seed] for seed in row.seeds]
    at_full, at_muted = shared_examples(full[0].examples, muted[0].examples)
    both = full[0].inside(row.slice)[at_full] & muted[0].inside(row.slice)[at_muted]
    at_full, at_muted = at_full[both], at_muted[both]
    if not len(at_full) or not _alike(muted):
        return _replaced(
            nothing, why_not=f"no example was answered under {CLEAN} and {against} in every seed"
        )
    pairs = zip(full, muted, strict=True)
    gains = np.stack([one.scores[at_full] - other.scores[at_muted] for one, other in pairs])
    clusters = full[0].clusters[at_full]
    if len(full) > 1:
        interval = seed_difference(gains, clusters, sampling).inference.interval
    else:
        interval = difference_interval(gains[0], clusters, sampling.confidence)
    found = _Domain(row, gains, clusters, full[0].examples[at_full])
    return _replaced(
        found,
        against=against,
        gain=float(gains.mean()),
        gain_low=interval.low,
        gain_high=interval.high,
        n_gain=len(at_full),
    )


def _replaced(domain: _Domain, **fields: object) -> _Domain:
    row = msgspec.structs.replace(domain.row, **fields)
    return _Domain(row, domain.gains, domain.clusters, domain.examples)


def _alike(arms: Sequence[ScoredArm]) -> bool:
    """Whether the seeds answered the same examples."""
    return len(arms) == 1 or answered_alike([(arm, arm) for arm in arms])


def _differences(domains: Domains, sampling: Sampling) -> list[DomainDifference]:
    """The gain on each dataset less that on each later one, both over the same condition."""
    measured = [one for one in domains if one.row.gain is not None]
    rows: list[DomainDifference] = []
    tests: list[SameTest] = []
    for a, b in combinations(measured, 2):
        if a.row.dataset != b.row.dataset and a.row.against == b.row.against:
            rows.append(_difference(a, b, sampling))
            tests.append(same_test(np.r_[a.examples, b.examples], np.c_[a.gains, -b.gains]))
    adjusted = adjusted_once([row.p_value for row in rows], tests)
    family = sum(row.p_value is not None for row in rows)
    return [
        msgspec.structs.replace(row, holm_p=holm_p, family=family)
        for row, holm_p in zip(rows, adjusted, strict=True)
    ]


def _difference(a: _Domain, b: _Domain, sampling: Sampling) -> DomainDifference:
    found = separation(Losses(a.gains, a.clusters), Losses(b.gains, b.clusters), sampling.confidence)
    return DomainDifference(
        model=a.row.model,
        slice=a.row.slice,
        seed=a.row.seed,
        seeds=a.row.seeds,
        dataset_a=a.row.dataset,
        dataset_b=b.row.dataset,
        metric_a=a.row.metric,
        metric_b=b.row.metric,
        against=a.row.against,
        gain_a=found.first,
        gain_b=found.second,
        difference=found.value,
        stderr=found.stderr,
        ci_low=found.interval.low,
        ci_high=found.interval.high,
        confidence=sampling.confidence,
        interval=found.interval.method,
        p_value=found.p_value,
        test=found.test,
        n_a=a.row.n_gain,
        n_b=b.row.n_gain,
        clusters_a=count_clusters(a.clusters),
        clusters_b=count_clusters(b.clusters),
    )

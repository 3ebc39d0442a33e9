"""Spread: the same answers by every published rule of their benchmark.

Papers report one benchmark by different rules, and a rule can be worth more than a model. The first rule of a
benchmark is its protocol (`scorers/benchmarks.py`); every other rule is compared with it on the same answers.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import numpy as np

from safe_data.core.errors import InputError
from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import COMPARED_SLICES, Arm, ArmKey
from safe_eval.arms.scored_arm import ScoredArm, score_arms
from safe_eval.options import Sampling
from safe_eval.scorers.benchmarks import BENCHMARKS, benchmark_of
from safe_eval.scorers.rule_sources import SOURCES
from safe_eval.scorers.scorer import scorer_of
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.paired_score import difference_interval
from safe_eval.statistics.score_interval import count_effective, score_interval


class SpreadRow(msgspec.Struct, frozen=True, kw_only=True):
    """An arm's value by one rule on one slice, and how far it is from the value by the protocol."""

    rule: str  # the name of a metric
    protocol: str  # the benchmark's default rule
    dataset: str | None
    slice: str
    condition: str
    model: str
    seed: int
    value: float
    ci_low: float | None
    ci_high: float | None
    difference: float | None  # to the protocol, on the rows that both judge; None for the protocol itself
    difference_low: float | None
    difference_high: float | None
    confidence: float
    n: int
    clusters: int
    effective_clusters: float
    source: str


def spread_rows(arms: Arms, sampling: Sampling) -> Iterator[SpreadRow]:
    """Every arm of a known benchmark by each of its rules, on the slices all, audio and vl, and its own.

    Raises:
        InputError: no dataset is a known benchmark.
    """
    known = [arm for arm in arms.arms if benchmark_of(arm.key.dataset) is not None]
    if not known:
        datasets = ", ".join(sorted({str(arm.key.dataset) for arm in arms.arms}))
        raise InputError(
            f"--spread: no dataset here is a known benchmark ({datasets}); name the benchmark in 'dataset', "
            f"such as {', '.join(list(BENCHMARKS)[:3])}"
        )
    by_rule = _scored_by_rule(known)
    for arm in known:
        yield from _of_arm(arm, by_rule, sampling)


def spread_notes(arms: Arms) -> Iterator[str]:
    """Lines on datasets that are no known benchmark, and on rules that read what the rows do not hold."""
    lacking = sorted(
        {
            (str(arm.key.dataset), rule, str(scorer_of(rule).reads_fact))
            for arm in arms.arms
            for rule in _rules_of(arm)
            if not _has_facts(rule, arm)
        }
    )
    for dataset, rule, fact in lacking:
        yield f"{dataset}: the spread leaves out {rule}, because not every row has metadata {fact!r}"
    unknown = sorted({str(arm.key.dataset) for arm in arms.arms if benchmark_of(arm.key.dataset) is None})
    if unknown:
        yield f"the spread is not measured on {', '.join(unknown)}: no known benchmark has such a name"


def _scored_by_rule(known: Sequence[Arm]) -> dict[str, dict[ArmKey, ScoredArm]]:
    """The arms as each rule of their benchmarks scores them."""
    with_rule: dict[str, list[Arm]] = {}
    for arm in known:
        for rule in _rules_of(arm):
            if _has_facts(rule, arm):
                with_rule.setdefault(rule, []).append(arm)
    return {
        rule: {scored.key: scored for scored in score_arms(rule, some, requested=True)}
        for rule, some in with_rule.items()
    }


def _rules_of(arm: Arm) -> tuple[str, ...]:
    benchmark = benchmark_of(arm.key.dataset)
    return () if benchmark is None else benchmark.rules


def _has_facts(rule: str, arm: Arm) -> bool:
    """Whether every row holds what a rule reads beside references and answer."""
    return all(map(scorer_of(rule).has_facts, arm.rows))


def _of_arm(
    arm: Arm, by_rule: Mapping[str, Mapping[ArmKey, ScoredArm]], sampling: Sampling
) -> Iterator[SpreadRow]:
    rules = _rules_of(arm)
    default = by_rule.get(rules[0], {}).get(arm.key)
    if default is None:
        return
    for rule in rules:
        scored = by_rule.get(rule, {}).get(arm.key)
        if scored is None:
            continue
        own = [name for name in scored.slices if name not in arm.slices]
        for name in (*(name for name in COMPARED_SLICES if name in scored.slices), *own):
            yield _row(scored, default, name, sampling)


def _row(scored: ScoredArm, default: ScoredArm, name: str, sampling: Sampling) -> SpreadRow:
    inside = scored.slices[name]
    values, clusters = scored.scores[inside], scored.clusters[inside]
    interval = score_interval(values, clusters, sampling.confidence)
    difference = low = high = None
    if scored.metric != default.metric:
        at = np.searchsorted(default.at, scored.at[inside])
        apart = values - default.scores[at]
        between = difference_interval(apart, clusters, sampling.confidence)
        difference, low, high = float(apart.mean()), between.low, between.high
    return SpreadRow(
        rule=scored.metric,
        protocol=default.metric,
        **scored.key._asdict(),
        slice=name,
        value=float(values.mean()),
        ci_low=interval.low,
        ci_high=interval.high,
        difference=difference,
        difference_low=low,
        difference_high=high,
        confidence=sampling.confidence,
        n=len(values),
        clusters=count_clusters(clusters),
        effective_clusters=count_effective(clusters),
        source=SOURCES[scored.metric],
    )

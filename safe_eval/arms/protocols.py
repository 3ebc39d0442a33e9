"""Protocols: what a reader must know about the published rules: how far apart they are, what they lack."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.scorers.benchmarks import benchmark_of
from safe_eval.scorers.scorer import ANSWER_METRICS, scorer_of

MUCH = 0.01  # a difference of more than a point of a hundred
_WITHOUT_BENCHMARK = {"vqa_accuracy": ("vqa_accuracy", "vqa_accuracy_normalised")}


def protocol_notes(judged: Mapping[str, Sequence[ScoredArm]]) -> Iterator[str]:
    """One line per dataset whose score changes by more than a point under another published rule.

    It tells of the arm that changes most, under `full` if any is.
    """
    for metric, arms in judged.items():
        for dataset in dict.fromkeys(arm.key.dataset for arm in arms):
            of_it = [arm for arm in arms if arm.key.dataset == dataset]
            full = [arm for arm in of_it if arm.key.condition == "full"]
            others = [rule for rule in rules_of(dataset, metric) if rule != metric]
            if others:
                yield from _note(dataset, metric, full or of_it, others)


def fact_notes(scored: Mapping[str, Sequence[ScoredArm]]) -> Iterator[str]:
    """One line per benchmark scored by a rule that reads what its rows do not hold."""
    for metric, arms in scored.items():
        fact = scorer_of(metric).reads_fact if metric in ANSWER_METRICS else None
        for dataset in dict.fromkeys(arm.key.dataset for arm in arms if fact is not None):
            rows = [row for arm in arms if arm.key.dataset == dataset for row in arm.rows]
            lacking = sum(not scorer_of(metric).has_facts(row) for row in rows)
            benchmark = benchmark_of(dataset)
            if lacking and benchmark is not None and metric in benchmark.rules:
                yield (
                    f"{dataset}: {lacking} of {len(rows)} rows have no metadata {fact!r}, which {metric} "
                    "reads: its values are not those of the published rule"
                )


def rules_of(dataset: str | None, metric: str) -> tuple[str, ...]:
    """The published rules of rows that a metric judges; none if it is no rule of theirs.

    >>> rules_of("GQA", "gqa_accuracy"), rules_of("GQA", "accuracy")
    (('gqa_accuracy', 'gqa_accuracy_caseless'), ())
    """
    benchmark = benchmark_of(dataset)
    rules = _WITHOUT_BENCHMARK.get(metric, ()) if benchmark is None else benchmark.rules
    return rules if metric in rules else ()


def score_by(rule: str, arm: ScoredArm) -> float | None:
    """The mean score of an arm's judged rows by another rule; None if the rows lack what it reads."""
    scorer, rows = scorer_of(rule), arm.rows
    if not all(map(scorer.has_facts, rows)):
        return None
    scores = np.where(arm.arm.failed[arm.at], 0.0, scorer.score_all(rows))
    if scorer.only is not None:
        scores = scores[scorer.only(rows)]
    return float(np.nan_to_num(scores).mean()) if len(scores) else None


def _note(
    dataset: str | None, metric: str, arms: Sequence[ScoredArm], others: Sequence[str]
) -> Iterator[str]:
    most: tuple[float, str] = (MUCH, "")
    for arm in arms:
        own = float(arm.scores.mean())
        found = {rule: score for rule in others if (score := score_by(rule, arm)) is not None}
        far = {rule: score for rule, score in found.items() if abs(score - own) > MUCH}
        if far and (gap := max(abs(score - own) for score in far.values())) > most[0]:
            listed = ", ".join(f"{100 * score:.2f} by {rule}" for rule, score in far.items())
            most = gap, f"{arm.key.name} scores {100 * own:.2f} by {metric}, {listed}"
    if most[1]:
        about = "" if dataset is None else f"{dataset}: "
        yield f"{about}{most[1]}; say which rule a reported number is by"

"""Retention: how close every arm stays to the baseline, in accuracy and in distributions."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec
import numpy as np

from safe_data.core.errors import InputError, raise_row_errors
from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import Arm, Places, shared_examples
from safe_eval.arms.pairs import baseline_of
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.results.comparisons import matched_equals
from safe_eval.scorers.scorer import ANSWER_METRICS
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.distances import Distributions, Drift, drift
from safe_eval.statistics.paired import equivalence
from safe_eval.statistics.score_interval import count_effective

RETENTION_MARGIN = 0.005  # half a point of accuracy
RETENTION_SLICES = ("all", "vl")
DRIFT_METRICS = ("kl_nats", "total_variation")
_SUM_TOLERANCE = 0.01

Choices = Mapping[str, Mapping[str, float]]  # {example id: {choice: probability}}


class RetentionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One arm against another, `against`, on the examples that both answered.

    The equivalence interval belongs to two one-sided tests: a 90 % interval if `confidence` is 95 %. Numbers
    on choice probabilities are None unless both models give them; `why_not` then has the reason.
    """

    metric: str
    dataset: str | None
    seed: int
    model: str
    condition: str
    against: str  # baseline/full, or the other arm of a pair of equals
    slice: str
    base_accuracy: float
    accuracy: float
    difference: float
    equivalence_low: float | None
    equivalence_high: float | None
    margin: float
    verdict: str  # equivalent, different or undecided
    n: int
    clusters: int
    effective_clusters: float
    only_base: int  # examples that only the other arm has; in no other number
    only_safe: int
    confidence: float  # of the intervals below
    kl_nats: float | None = None
    kl_low: float | None = None
    kl_high: float | None = None
    total_variation: float | None = None
    total_variation_low: float | None = None
    total_variation_high: float | None = None
    same_choice: float | None = None  # share of examples with the same likeliest choice
    drift_n: int = 0  # examples with choice probabilities from both models
    drift_interval: str | None = None
    why_not: str | None = None


def retention_rows(
    arms: Arms, sampling: Sampling, *, margin: float = RETENTION_MARGIN
) -> Iterator[RetentionRow]:
    """Compare each arm with the baseline, and equals with each other, by metrics of right and wrong."""
    for metric in ANSWER_METRICS:
        scored = arms.judged.get(metric, ())
        for arm in scored:
            base = baseline_of(arm, scored, arms.pairing)
            if base is not None:
                yield from _rows(arm, base, margin, sampling)
        for seed, (arm, other) in matched_equals(scored, arms.pairing):
            rows = _rows(arm, other, margin, sampling)
            yield from (msgspec.structs.replace(row, seed=seed) for row in rows)


def _rows(safe: ScoredArm, base: ScoredArm, margin: float, sampling: Sampling) -> Iterator[RetentionRow]:
    """One row per slice in which both models answered some example."""
    at_safe, at_base = shared_examples(safe.examples, base.examples)
    for name in RETENTION_SLICES:
        in_safe, in_base = safe.inside(name), base.inside(name)
        both = in_safe[at_safe] & in_base[at_base]
        if both.any():
            n = int(both.sum())
            row = _row(safe, base, (at_safe[both], at_base[both]), margin, sampling)
            yield msgspec.structs.replace(
                row, slice=name, only_base=int(in_base.sum()) - n, only_safe=int(in_safe.sum()) - n
            )


def _row(
    safe: ScoredArm, base: ScoredArm, at: tuple[Places, Places], margin: float, sampling: Sampling
) -> RetentionRow:
    at_safe, at_base = at
    clusters = safe.clusters[at_safe]
    scores, base_scores = safe.scores[at_safe], base.scores[at_base]
    found = equivalence(scores - base_scores, clusters, margin, sampling)
    moved, why_not = _drift(safe, at_safe, base, at_base, sampling)
    row = RetentionRow(
        metric=safe.metric,
        **safe.key._asdict(),
        against=base.key.name,
        slice="all",
        base_accuracy=float(base_scores.mean()),
        accuracy=float(scores.mean()),
        difference=found.difference,
        equivalence_low=found.interval.low,
        equivalence_high=found.interval.high,
        margin=margin,
        verdict=found.verdict,
        n=len(scores),
        clusters=count_clusters(clusters),
        effective_clusters=count_effective(clusters),
        only_base=0,
        only_safe=0,
        confidence=sampling.confidence,
        why_not=why_not,
    )
    return row if moved is None else _with_drift(row, moved)


def _drift(
    safe: ScoredArm, at_safe: Places, base: ScoredArm, at_base: Places, sampling: Sampling
) -> tuple[Drift | None, str | None]:
    """How far the distributions over choices moved, or why this is not measured."""
    choices, base_choices = _choices(safe.arm, safe.at[at_safe]), _choices(base.arm, base.at[at_base])
    for whose, found in ((base.key.model, base_choices), (safe.key.model, choices)):
        if not found:
            return None, f"{whose} gives no choice_probabilities here"
    try:
        matched = match_choices(base_choices, choices)
    except InputError as error:
        return None, str(error)
    ids = [safe.arm.rows[place].example_id for place in safe.at[at_safe].tolist()]
    cluster_of = dict(zip(ids, safe.clusters[at_safe].tolist(), strict=True))
    clusters = np.array([cluster_of[name] for name in matched.examples])
    return drift(matched.base, matched.safe, clusters, sampling), None


def _choices(arm: Arm, at: Places) -> Choices:
    """The choice probabilities of the answers that give them."""
    return {
        row.example_id: row.choice_probabilities
        for row in map(arm.rows.__getitem__, at.tolist())
        if row.choice_probabilities and row.error is None
    }


def _with_drift(row: RetentionRow, moved: Drift) -> RetentionRow:
    return msgspec.structs.replace(
        row,
        kl_nats=moved.kl_nats,
        kl_low=moved.kl_interval.low,
        kl_high=moved.kl_interval.high,
        total_variation=moved.total_variation,
        total_variation_low=moved.total_variation_interval.low,
        total_variation_high=moved.total_variation_interval.high,
        same_choice=moved.same_choice,
        drift_n=moved.n,
        drift_interval=moved.kl_interval.method,
    )


@dataclass(frozen=True)
class MatchedChoices:
    """The choice distributions of the examples that both models have: one row each, padded with 0."""

    examples: tuple[str, ...]
    base: Distributions
    safe: Distributions
    only_base: int  # examples that only the base model answered; in no other number
    only_safe: int


def match_choices(base: Choices, safe: Choices) -> MatchedChoices:
    """Match the distributions by example id, and scale each to sum to 1.

    Raises:
        InputError: there is no example in common; or on a common example the two sides have different
            choices, or probabilities that are negative or do not sum to 1 within 0.01.
    """
    shared = tuple(sorted(base.keys() & safe.keys()))
    if not shared:
        raise InputError(
            "no example has choice probabilities from both models; write 'choice_probabilities' in both files"
        )
    raise_row_errors([fault for name in shared if (fault := _fault(name, base[name], safe[name]))], "choices")
    width = max(len(base[name]) for name in shared)
    rows = [
        [_distribution(side[name], sorted(base[name]), width) for name in shared] for side in (base, safe)
    ]
    return MatchedChoices(
        shared, np.array(rows[0]), np.array(rows[1]), len(base) - len(shared), len(safe) - len(shared)
    )


def _distribution(probabilities: Mapping[str, float], choices: list[str], width: int) -> list[float]:
    total = sum(probabilities.values())
    return [probabilities[choice] / total for choice in choices] + [0.0] * (width - len(choices))


def _fault(name: str, base: Mapping[str, float], safe: Mapping[str, float]) -> str | None:
    if base.keys() != safe.keys():
        choice = sorted(base.keys() ^ safe.keys())[0]
        return f"{name!r}: choice {choice!r} is on one side only; both models must be given the same choices"
    for whose, side in (("the other model", base), ("this model", safe)):
        if min(side.values(), default=-1) < 0 or abs(sum(side.values()) - 1) > _SUM_TOLERANCE:
            total = sum(side.values())
            return f"{name!r}: the probabilities of {whose} sum to {total:.3g}, not to 1; give all choices"
    return None

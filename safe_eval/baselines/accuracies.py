"""Accuracies: what each baseline scores on each type of question, and what so many questions could show."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import shared_examples
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.baselines.answerers import CHANCE, MAJORITY
from safe_eval.baselines.questions import Type
from safe_eval.baselines.sound_features import READERS
from safe_eval.comparison.differences import detectable_difference
from safe_eval.options import Sampling
from safe_eval.results.metrics import metric_row
from safe_eval.scorers.scorer import ANSWER_METRICS

ORDER = (CHANCE, MAJORITY, *READERS)  # of the models in tables


class Accuracy(msgspec.Struct, frozen=True, kw_only=True):
    """The accuracy of one baseline on one type of question, as `safe-eval score` computes it.

    `detectable` is the smallest true difference from `majority` that as many clusters would show, with a
    power of 80 %, if answers differ as often as here; None for majority, and where none differs.
    """

    metric: str
    dataset: str | None
    question_type: str | None  # None: no question of the dataset says its type
    model: str
    n: int
    clusters: int
    effective_clusters: float
    classes: int  # answers that training has
    value: float
    ci_low: float | None
    ci_high: float | None
    confidence: float
    detectable: float | None


def accuracies_of(arms: Arms, classes: Mapping[Type, int], sampling: Sampling) -> Iterator[Accuracy]:
    """One row for each dataset, type of question and baseline, with the numbers of scores.json.

    `classes` has how many answers training has to each type. Questions without a type have rows only where
    no question of their dataset has one.
    """
    for metric in ANSWER_METRICS:
        scored = arms.judged.get(metric, ())
        for dataset in dict.fromkeys(arm.key.dataset for arm in scored):
            own = sorted(
                (arm for arm in scored if arm.key.dataset == dataset),
                key=lambda arm: ORDER.index(arm.key.model),
            )
            for name in _slices(own):
                kind = name.removeprefix("type:") if name != "all" else None
                yield from _rows(own, name, kind, classes.get(kind, 0), sampling)


def _slices(arms: Sequence[ScoredArm]) -> list[str]:
    """The slices by type of question; all, where there is none."""
    names = sorted({name for arm in arms for name in arm.slices if name.startswith("type:")})
    return names or ["all"]


def _rows(
    arms: Sequence[ScoredArm], name: str, kind: Type, classes: int, sampling: Sampling
) -> Iterator[Accuracy]:
    majority = next(arm for arm in arms if arm.key.model == MAJORITY)
    for arm in arms:
        if name not in arm.slices:
            continue
        found = metric_row(arm, name, sampling)
        yield Accuracy(
            metric=found.metric,
            dataset=found.dataset,
            question_type=kind,
            model=found.model,
            n=found.n,
            clusters=found.clusters,
            effective_clusters=found.effective_clusters,
            classes=classes,
            value=found.value,
            ci_low=found.ci_low,
            ci_high=found.ci_high,
            confidence=found.confidence,
            detectable=None if arm is majority else _detectable(arm, majority, name, sampling),
        )


def _detectable(a: ScoredArm, b: ScoredArm, name: str, sampling: Sampling) -> float | None:
    at_a, at_b = shared_examples(a.examples, b.examples)
    inside = a.inside(name)[at_a] & b.inside(name)[at_b]
    at_a, at_b = at_a[inside], at_b[inside]
    return detectable_difference(a.scores[at_a] - b.scores[at_b], a.clusters[at_a], sampling)

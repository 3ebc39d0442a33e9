"""Aggregates: what the script of a benchmark reports per arm besides accuracy, or why it reports nothing."""

from collections.abc import Callable, Iterator, Sequence

import msgspec

from safe_data.core.errors import InputError
from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import ArmKey
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.scorers import classification, gqa, mme, pope, yes_no
from safe_eval.scorers.aggregate import Aggregate, not_measured
from safe_eval.scorers.benchmarks import benchmark_of
from safe_eval.scorers.captions.diversity import SELF_BLEU, VOCABULARY
from safe_eval.scorers.scorer import CAPTION_METRICS
from safe_eval.statistics.balanced_interval import balanced_interval, rarest_clusters
from safe_eval.statistics.bootstrap import Labels, count_clusters
from safe_eval.statistics.score_interval import count_effective, score_interval

Aggregates = Callable[[Sequence[Prediction]], list[Aggregate]]

_YES_OR_NO: dict[str, Aggregates] = {"pope": pope.aggregates, "mme": mme.aggregates}  # by benchmark


def _yes_or_no(predictions: Sequence[Prediction]) -> list[Aggregate]:
    benchmark = benchmark_of(predictions[0].dataset) if predictions else None
    aggregates = _YES_OR_NO.get(benchmark.name) if benchmark else None
    return (aggregates or yes_no.aggregates)(predictions)


# The aggregates of each metric. Accuracies and recalls of classes are also slices of the metric.
AGGREGATES: dict[str, Aggregates] = {
    "gqa_accuracy": gqa.aggregates,
    "yes_no_accuracy": _yes_or_no,
    "accuracy": classification.aggregates,
}
# Aggregates that are no slice, with the metric they belong to. Tables show them and criteria can name them.
OWN_AGGREGATES = {
    **dict.fromkeys(("consistency", "validity", "plausibility", "distribution"), "gqa_accuracy"),
    "balanced_accuracy": "accuracy",
    **dict.fromkeys((VOCABULARY, SELF_BLEU), "bleu_4"),
    **dict.fromkeys(
        ("precision", "recall", "f1", "yes_ratio", "accuracy_plus", *mme.HIGHEST), "yes_no_accuracy"
    ),
}
# The value of a perfect run.
HIGHEST = dict.fromkeys(OWN_AGGREGATES, 1.0) | mme.HIGHEST | {VOCABULARY: float("inf")}
WITHOUT_INTERVAL = ("distribution", VOCABULARY, SELF_BLEU)  # see `gqa.aggregates` and captions/diversity.py
CAPTIONS = "captions"  # the name in place of the metric if captions could not be measured
DIVERSITY = "caption diversity"  # and where an aggregate describes the captions together


class AggregateRow(msgspec.Struct, frozen=True, kw_only=True):
    """One aggregate of one arm."""

    name: str
    value: float | None  # None if not measured
    n: int  # items that it counts
    why_not: str | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    interval: str | None = None  # the method
    clusters: int | None = None  # None, like the confidence, if there is no interval
    effective_clusters: float | None = None  # of the rarest class, if it is a mean over classes
    confidence: float | None = None
    metric: str
    dataset: str | None
    seed: int
    model: str
    condition: str


def aggregate_rows(arms: Arms, sampling: Sampling) -> Iterator[AggregateRow]:
    """The aggregates of every arm whose metric has some, then the caption metrics that were not measured.

    Raises:
        InputError: the metadata do not have the form that the scorer reads.
    """
    for metric, aggregates in AGGREGATES.items():
        for arm in arms.judged.get(metric, ()):
            try:
                found = aggregates(arm.rows)
            except (AttributeError, TypeError) as error:
                raise InputError(
                    f"{arm.key.name}: the metadata are not as {metric} reads them ({error}); spell them as "
                    "in the benchmark's own files"
                ) from None
            yield from (_row(arm, aggregate, sampling) for aggregate in found)
    for key, aggregates_of_captions in arms.caption_diversity.items():
        for aggregate in aggregates_of_captions:
            yield _without_interval(DIVERSITY, key, aggregate)
    yield from _unmeasured_captions(arms)


def _row(arm: ScoredArm, aggregate: Aggregate, sampling: Sampling) -> AggregateRow:
    row = _without_interval(arm.metric, arm.key, aggregate)
    if aggregate.at is None or aggregate.scores is None:
        return row
    clusters: Labels = arm.clusters[aggregate.at]
    if aggregate.classes is None:
        interval = score_interval(aggregate.scores, clusters, sampling.confidence)
        effective = count_effective(clusters)
    else:
        interval = balanced_interval(aggregate.scores, aggregate.classes, clusters, sampling.confidence)
        effective = rarest_clusters(aggregate.classes, clusters)
    low, high = (None if end is None else aggregate.highest * end for end in (interval.low, interval.high))
    return msgspec.structs.replace(
        row,
        ci_low=low,
        ci_high=high,
        interval=interval.method,
        clusters=count_clusters(clusters),
        effective_clusters=effective,
        confidence=sampling.confidence,
    )


def _unmeasured_captions(arms: Arms) -> Iterator[AggregateRow]:
    """The caption metrics without values, for each arm that has captions."""
    keys = {arm.key: None for metric in CAPTION_METRICS for arm in arms.judged.get(metric, ())}
    for key in keys:
        reasons = arms.captions_not_measured.get(key.dataset, {})
        for metric in filter(reasons.__contains__, CAPTION_METRICS):
            yield _without_interval(CAPTIONS, key, not_measured(metric, reasons[metric]))


def _without_interval(metric: str, key: ArmKey, aggregate: Aggregate) -> AggregateRow:
    return AggregateRow(
        name=aggregate.name,
        value=aggregate.value,
        n=aggregate.n,
        why_not=aggregate.why_not,
        metric=metric,
        **key._asdict(),
    )

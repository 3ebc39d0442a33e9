"""Headline: `metric: accuracy` of a criterion stands for the rule by which each dataset is scored."""

from collections.abc import Iterator

import msgspec

from safe_eval.judging.criterion import Criterion
from safe_eval.judging.metric_names import SEED_STD
from safe_eval.scorers.scorer import judging_metrics
from safe_eval.scoring.scores import Scores

ACCURACY = "accuracy"  # also the name of the metric of multiple choice and of classes


def asks_for_headline(criterion: Criterion) -> bool:
    """Whether a criterion asks for the accuracy of each dataset, or for its spread over seeds."""
    return criterion.metric.removesuffix(SEED_STD) == ACCURACY


def of_each_dataset(criterion: Criterion, scores: Scores) -> list[Criterion]:
    """A criterion on accuracy as one for each dataset and rule that scores it; any other as it is.

    A dataset whose rows ask in two ways, with choices and without, has two rules. Those under which neither
    side was judged on the slice are left out: a dataset without sound has no questions about it.
    """
    if not asks_for_headline(criterion):
        return [criterion]
    return list(dict.fromkeys(_expanded(criterion, scores))) or [criterion]


def _expanded(criterion: Criterion, scores: Scores) -> Iterator[Criterion]:
    suffix = SEED_STD if criterion.metric.endswith(SEED_STD) else ""
    models = [(side or "").rpartition("/")[0] for side in (criterion.condition, criterion.against)]
    for row in scores.metrics:
        if row.model not in models or row.slice != criterion.slice:
            continue
        if criterion.dataset not in (None, row.dataset):
            continue
        if row.metric in judging_metrics(row.dataset, scores.provenance.protocol):
            dataset = row.dataset if row.dataset is not None else criterion.dataset
            yield msgspec.structs.replace(criterion, metric=f"{row.metric}{suffix}", dataset=dataset)

"""Statistics: count, accuracy and difference of what is filtered, by the functions that score a run.

Without a filter they are the numbers of scores.json to the last digit; with one, those of the filtered
predictions if these were scored anew.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from jaxtyping import Int
from numpy import ndarray

from safe_eval.arms.arm import ArmKey, shared_examples
from safe_eval.arms.given_arms import is_given
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.comparison.item_pairs import arm_of_items, highest_of
from safe_eval.results.comparisons import compare
from safe_eval.results.metrics import metric_row
from safe_eval.scorers.scorer import ANSWER_METRICS, RIGHT_FROM
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.viewer.cells import SCORED, asked
from safe_eval.viewer.filter import Filter
from safe_eval.viewer.rows import items_of
from safe_eval.viewer.viewed import Viewed

SAID = (
    "Intervals are those of scores.json, by {cluster} as the cluster. Each is of one filter: who looks at "
    "many filters finds some differences by chance."
)
SEVERAL = (
    "These items are scored by several metrics, which have no common mean; choose one, or filter a dataset "
    "or a task. "
)
OTHER_SCALE = (
    "The metric has a scale of its own or is of whole sets of answers, so that no mean of items is told. "
)


class ArmStatistics(msgspec.Struct, frozen=True):
    """How an arm did on what is filtered; None is not told."""

    arm: int
    items: int
    right: int
    accuracy: float | None = None
    low: float | None = None
    high: float | None = None


class PairStatistics(msgspec.Struct, frozen=True):
    """B − A on the items that both answered; gained and lost are those on which B scores higher or lower."""

    a: int
    b: int
    items: int
    gained: int
    lost: int
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    test: str | None


class Statistics(msgspec.Struct, frozen=True):
    """The content of data/statistics."""

    count: int
    groups: int
    metric: str | None
    arms: tuple[ArmStatistics, ...]
    pair: PairStatistics | None
    confidence: float
    said: str


Items = Int[ndarray, " items"]


def statistics(viewed: Viewed, chosen: Filter, a: int | None = None, b: int | None = None) -> Statistics:
    """What is filtered in numbers, and arm A against arm B if both are given."""
    items = items_of(viewed, chosen)
    shown = viewed.store.shown(chosen.metric)
    metrics = np.unique(shown.metrics[items])
    names = [viewed.metrics[number] for number in metrics.tolist() if number >= 0]
    metric = names[0] if len(names) == 1 else None
    is_told = metric is not None and _has_mean(viewed, items, chosen.metric, metric)
    cluster = viewed.runs[0].scores.provenance.cluster
    said = SAID.format(cluster=cluster)
    if len(names) > 1:
        said = SEVERAL + said
    elif metric is not None and not is_told:
        said = OTHER_SCALE + said
    arms = range(len(viewed.arms))
    scored = [_scored(viewed, items, chosen.metric, metric or "", arm) for arm in arms]
    pair = None
    if is_told and a is not None and b is not None:
        pair = _pair(viewed, scored, a, b)
    return Statistics(
        count=len(items),
        groups=count_clusters(viewed.clusters[items]) if len(items) else 0,
        metric=metric,
        arms=tuple(_of_arm(viewed, arm, number, is_told=is_told) for number, arm in enumerate(scored)),
        pair=pair,
        confidence=viewed.sampling.confidence,
        said=said,
    )


def _has_mean(viewed: Viewed, items: Items, number: int | None, metric: str) -> bool:
    """Whether the mean of a metric over items is told: a share of right answers, by us or another harness."""
    if metric in ANSWER_METRICS:
        return True
    return is_given(metric) and not (viewed.store.shown(number).outcomes[:, items] == SCORED).any()


def _of_arm(viewed: Viewed, arm: ScoredArm, number: int, *, is_told: bool) -> ArmStatistics:
    count = len(arm.scores)
    right = int((arm.scores >= RIGHT_FROM).sum()) if is_told else 0
    if not is_told or not count:
        return ArmStatistics(number, count, right)
    row = metric_row(arm, "all", viewed.sampling)
    return ArmStatistics(number, count, right, row.value, row.ci_low, row.ci_high)


def _pair(viewed: Viewed, scored: Sequence[ScoredArm], a: int, b: int) -> PairStatistics:
    """By the comparison of scores.json, which is of B − A."""
    one, other = scored[b], scored[a]
    row = compare(one, other, "all", shared_examples(one.examples, other.examples), viewed.sampling)
    return PairStatistics(
        a, b, row.n, row.gained, row.lost, row.difference, row.ci_low, row.ci_high, row.p_value, row.test
    )


def _scored(viewed: Viewed, chosen: Items, number: int | None, metric: str, arm: int) -> ScoredArm:
    """An arm's scores of some items in the form in which scores.json is computed."""
    shown = viewed.store.shown(number)
    items = chosen[asked(shown, arm)[chosen]]
    about = viewed.arms[arm]
    return arm_of_items(
        metric,
        ArmKey(None, about.seed, f"{about.run}:{about.model}", about.condition),
        at=items,
        example=items,
        clusters=viewed.clusters[items],
        answers=np.zeros_like(items),
        values=shown.scores[arm][items],
        needs=np.full_like(items, -1),
        scale=(0.0, highest_of(metric)),
    )

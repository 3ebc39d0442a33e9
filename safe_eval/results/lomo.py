"""LOMO: what is lost when one modality is left out or replaced, among what was right with it."""

from collections.abc import Iterator

import msgspec

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import COMPARED_SLICES, shared_examples
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.scorers.scorer import ANSWER_METRICS, RIGHT_FROM
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.intervals import mean_interval

SHARE_LOST = "share_lost"


class LomoRow(msgspec.Struct, frozen=True, kw_only=True):
    """Of the answers that a model gets right under `full`, the share it gets wrong under a condition.

    A score of 0.5 or more is right, as everywhere. Answers that were wrong under `full` are in no number:
    they had nothing to lose.
    """

    metric: str
    dataset: str | None
    seed: int
    model: str
    condition: str
    slice: str
    share_lost: float | None  # None if no answer was right under `full`
    ci_low: float | None = None
    ci_high: float | None = None
    confidence: float
    interval: str | None = None
    lost: int
    n: int  # answers that are right under `full`, and that the condition was asked as well
    clusters: int
    only_full: int  # examples that only one of the two answered; in no other number
    only_changed: int


def lomo_rows(arms: Arms, sampling: Sampling) -> Iterator[LomoRow]:
    """One row for each condition that stands beside `full`, and each slice; for metrics of right and wrong.

    The right answers are chosen by what the model said under `full`. Where answers are partly luck, some of
    them are lost by chance: a model that guesses among k loses (k − 1)/k without hearing anything.
    """
    for metric in ANSWER_METRICS:
        scored = {arm.key: arm for arm in arms.judged.get(metric, ())}
        for arm in scored.values():
            full = scored.get(arm.key._replace(condition="full"))
            if full is None or full is arm:
                continue
            whole = _row(full, arm, "all", sampling)
            for name in COMPARED_SLICES:
                if full.is_whole(name) and arm.is_whole(name):
                    yield msgspec.structs.replace(whole, slice=name)
                elif name in full.slices or name in arm.slices:
                    yield _row(full, arm, name, sampling)


def _row(full: ScoredArm, arm: ScoredArm, slice_name: str, sampling: Sampling) -> LomoRow:
    in_full, in_arm = full.inside(slice_name), arm.inside(slice_name)
    at_full, at_arm = shared_examples(full.examples, arm.examples)
    both = in_full[at_full] & in_arm[at_arm]
    at_full, at_arm = at_full[both], at_arm[both]
    right = full.scores[at_full] >= RIGHT_FROM
    lost, clusters = arm.scores[at_arm][right] < RIGHT_FROM, full.clusters[at_full][right]
    row = LomoRow(
        metric=full.metric,
        **arm.key._asdict(),
        slice=slice_name,
        share_lost=None,
        confidence=sampling.confidence,
        lost=int(lost.sum()),
        n=len(lost),
        clusters=count_clusters(clusters) if len(lost) else 0,
        only_full=int(in_full.sum()) - len(at_full),
        only_changed=int(in_arm.sum()) - len(at_arm),
    )
    if not len(lost):
        return row
    interval = mean_interval(lost.astype(float), clusters, sampling)
    return msgspec.structs.replace(
        row,
        share_lost=float(lost.mean()),
        ci_low=interval.low,
        ci_high=interval.high,
        interval=interval.method,
    )

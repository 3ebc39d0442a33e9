"""Noise curve: what is left of hearing as the sound gets noisier, from the clean sound to none."""

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import shared_examples
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.condition import snr_db
from safe_eval.options import Sampling
from safe_eval.scorers.scorer import ANSWER_METRICS
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.intervals import Interval
from safe_eval.statistics.paired_score import difference_interval
from safe_eval.statistics.score_interval import count_effective, score_interval

CLEAN, SILENT = "full", "mute_audio"  # the two ends of a curve


class NoiseRow(msgspec.Struct, frozen=True, kw_only=True):
    """The accuracy on questions that need the sound at one level of noise, and its difference from `full`."""

    metric: str
    dataset: str | None
    seed: int
    model: str
    condition: str
    snr_db: int | None  # None: no noise added under full, no sound under mute_audio
    value: float
    ci_low: float | None
    ci_high: float | None
    confidence: float
    interval: str | None
    difference: float | None = None  # this condition − full, on the examples that both answered
    difference_low: float | None = None
    difference_high: float | None = None
    difference_interval: str | None = None
    n: int
    clusters: int
    effective_clusters: float
    only_full: int = 0  # examples that only one of the two answered; not in the difference
    only_changed: int = 0


def noise_rows(arms: Arms, sampling: Sampling) -> Iterator[NoiseRow]:
    """The curve of each model, dataset and seed with a condition `snr_<n>db`: clean, ever noisier, silent."""
    for metric in ANSWER_METRICS:
        curves: dict[tuple[str | None, int, str], list[ScoredArm]] = {}
        for arm in arms.judged.get(metric, ()):
            on_curve = arm.key.condition in (CLEAN, SILENT) or snr_db(arm.key.condition) is not None
            if on_curve and arm.inside("audio").any():
                curves.setdefault((arm.key.dataset, arm.key.seed, arm.key.model), []).append(arm)
        for curve in curves.values():
            if any(snr_db(arm.key.condition) is not None for arm in curve):
                yield from _curve(curve, sampling)


def noise_place(condition: str) -> float:
    """Where a condition stands on the curve: clean first, then by falling ratio, and silence last.

    >>> sorted(["mute_audio", "snr_-5db", "snr_20db", "full"], key=noise_place)
    ['full', 'snr_20db', 'snr_-5db', 'mute_audio']
    """
    ratio = snr_db(condition)
    if ratio is not None:
        return -float(ratio)
    return float("-inf") if condition == CLEAN else float("inf")


def _curve(curve: Sequence[ScoredArm], sampling: Sampling) -> Iterator[NoiseRow]:
    full = next((arm for arm in curve if arm.key.condition == CLEAN), None)
    for arm in sorted(curve, key=lambda arm: noise_place(arm.key.condition)):
        row = _row(arm, sampling)
        yield row if full is None or full is arm else _beside_full(row, arm, full)


def _row(arm: ScoredArm, sampling: Sampling) -> NoiseRow:
    inside = arm.inside("audio")
    scores, clusters = arm.scores[inside], arm.clusters[inside]
    interval = score_interval(scores, clusters, sampling.confidence)
    return NoiseRow(
        metric=arm.metric,
        **arm.key._asdict(),
        snr_db=snr_db(arm.key.condition),
        value=float(scores.mean()),
        ci_low=interval.low,
        ci_high=interval.high,
        confidence=sampling.confidence,
        interval=interval.method,
        n=len(scores),
        clusters=count_clusters(clusters),
        effective_clusters=count_effective(clusters),
    )


def _beside_full(row: NoiseRow, arm: ScoredArm, full: ScoredArm) -> NoiseRow:
    at_arm, at_full = shared_examples(arm.examples, full.examples)
    both = arm.inside("audio")[at_arm] & full.inside("audio")[at_full]
    at_arm, at_full = at_arm[both], at_full[both]
    differences = arm.scores[at_arm] - full.scores[at_full]
    found = Interval()
    if len(differences):
        found = difference_interval(differences, arm.clusters[at_arm], row.confidence)
    return msgspec.structs.replace(
        row,
        difference=float(differences.mean()) if len(differences) else None,
        difference_low=found.low,
        difference_high=found.high,
        difference_interval=found.method,
        only_full=int(np.sum(full.inside("audio"))) - len(at_full),
        only_changed=row.n - len(at_arm),
    )

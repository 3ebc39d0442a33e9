"""Deferral: whether confidence tells right answers from wrong ones, and the gate questions about sounds.

Whoever may defer an answer, to a person or to a dearer model, asks three things: how wrong are the answers
that are kept (the risk–coverage curve and its area), how well does confidence order them (AUROC), and does
the gate open where the sound is needed.
"""

from collections.abc import Iterator
from operator import attrgetter

import msgspec
import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from safe_eval.arms.all_arms import Arms
from safe_eval.arms.arm import Arm, ArmKey
from safe_eval.options import Sampling
from safe_eval.results.calibration import confident_answers, judged_counts
from safe_eval.scorers.scorer import RIGHT_FROM
from safe_eval.statistics.auroc import auroc_and_interval
from safe_eval.statistics.bootstrap import Labels, Values, count_clusters
from safe_eval.statistics.calibration.forecasts import Forecasts
from safe_eval.statistics.risk_coverage import risk_coverage
from safe_eval.statistics.score_interval import count_effective

AURC, AUROC_CONFIDENCE, AUROC_GATE = "aurc", "auroc_confidence", "auroc_gate"
DEFERRAL_METRICS = {AURC: 1.0, AUROC_CONFIDENCE: 1.0, AUROC_GATE: 1.0}  # and their maxima

CONFIDENCE, GATE_SCORE, CONSULTED = "confidence", "gate_score", "consulted"  # fields that order the answers


class RiskPoint(msgspec.Struct, frozen=True, kw_only=True):
    """The risk of the answers whose confidence is at least `threshold`, and their share of all answers.

    The intervals of a curve hold at all of its points at once.
    """

    threshold: float
    coverage: float
    risk: float
    ci_low: float | None
    ci_high: float | None


class DeferralRow(msgspec.Struct, frozen=True, kw_only=True):
    """AURC, the AUROC of confidence or the AUROC of the gate, for one arm; or why it is not measured."""

    metric: str
    dataset: str | None
    seed: int
    model: str
    condition: str
    slice: str = "all"
    field: str | None  # that orders the answers; of the gate, its score or else its decision
    value: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    confidence: float  # of the interval
    interval: str | None = None
    n: int = 0
    clusters: int = 0
    effective_clusters: float = 0.0
    positive: int | None = None  # of an AUROC: right answers, or questions that need the sound
    unsaid: int = 0  # answers that failed or lack the field; in no number
    excess: float | None = None  # of AURC: above that of the best order of the same answers
    why_not: str | None = None
    curve: tuple[RiskPoint, ...] = ()  # of AURC


def deferral_rows(arms: Arms, sampling: Sampling) -> Iterator[DeferralRow]:
    """Two rows for every arm with confidences, and one for every arm with a gate.

    The loss of an answer is 1 − its score, so that the risk of all answers is 1 − accuracy. For AUROC an
    answer is right from a score of 0.5 on, as everywhere. A failed answer has neither confidence nor gate.
    """
    confident = confident_answers(arms.judged, arms.pairing.baseline)
    judged = judged_counts(arms.judged)
    for arm in arms.arms:
        if (answers := confident.get(arm.key)) is not None:
            unsaid = judged[arm.key] - len(answers.confidence)
            yield _of_aurc(arm.key, answers, unsaid, sampling)
            yield _of_confidence(arm.key, answers, unsaid, sampling)
        field, scores = gate_of(arm)
        if field is not None:
            yield _of_gate(arm, field, scores, sampling)


def gate_of(arm: Arm) -> tuple[str | None, Values]:
    """What the gate of an arm did, and the field that says so: how far it opened, or else whether.

    NaN is a row that does not say. The field is None where no row says.

    >>> from safe_eval.arms.arm import make_arms
    >>> from safe_eval.prediction import Prediction
    >>> row = Prediction(example_id="q", references=("a",), answer="a", consulted=True)
    >>> gate_of(make_arms([row])[0])
    ('consulted', array([1.]))
    """
    for field in (GATE_SCORE, CONSULTED):
        scores = np.array(list(map(attrgetter(field), arm.rows)), dtype=float)  # None is NaN
        if not np.isnan(scores).all():
            return field, scores
    return None, np.full(len(arm.rows), np.nan)


def _of_aurc(key: ArmKey, answers: Forecasts, unsaid: int, sampling: Sampling) -> DeferralRow:
    found = risk_coverage(answers.confidence, 1 - answers.correct, answers.clusters, sampling)
    return msgspec.structs.replace(
        _row(AURC, key, CONFIDENCE, answers.clusters, sampling),
        value=found.aurc,
        ci_low=found.interval.low,
        ci_high=found.interval.high,
        interval=found.interval.method,
        unsaid=unsaid,
        excess=found.excess,
        curve=tuple(
            RiskPoint(
                threshold=point.threshold,
                coverage=point.coverage,
                risk=point.risk,
                ci_low=point.interval.low,
                ci_high=point.interval.high,
            )
            for point in found.curve
        ),
    )


def _of_confidence(key: ArmKey, answers: Forecasts, unsaid: int, sampling: Sampling) -> DeferralRow:
    right = answers.correct >= RIGHT_FROM
    row = _row(AUROC_CONFIDENCE, key, CONFIDENCE, answers.clusters, sampling)
    row = msgspec.structs.replace(row, unsaid=unsaid)
    one_class = "every answer is right" if right.all() else "no answer is right"
    return _with_auroc(row, answers.confidence, right, answers.clusters, f"{one_class}, so there is no order")


def _of_gate(arm: Arm, field: str, scores: Values, sampling: Sampling) -> DeferralRow:
    """Over the questions that say whether they need the sound, the slices audio and vl."""
    nothing = np.zeros(len(scores), dtype=bool)
    audio, vl = arm.slices.get("audio", nothing), arm.slices.get("vl", nothing)
    at = np.flatnonzero((audio | vl) & ~arm.failed & ~np.isnan(scores))
    needs = audio[at]
    row = _row(AUROC_GATE, arm.key, field, arm.clusters[at], sampling)
    row = msgspec.structs.replace(row, unsaid=int((audio | vl).sum()) - len(at))
    one_class = "every question needs the sound" if needs.all() else "no question needs the sound"
    if not len(at):
        one_class = "no row with a gate says whether its question needs the sound ('needs_audio')"
    return _with_auroc(row, scores[at], needs, arm.clusters[at], one_class)


def _row(metric: str, key: ArmKey, field: str, clusters: Labels, sampling: Sampling) -> DeferralRow:
    return DeferralRow(
        metric=metric,
        **key._asdict(),
        field=field,
        confidence=sampling.confidence,
        n=len(clusters),
        clusters=count_clusters(clusters) if len(clusters) else 0,
        effective_clusters=count_effective(clusters) if len(clusters) else 0.0,
    )


def _with_auroc(
    row: DeferralRow, scores: Values, positive: Bool[ndarray, " items"], clusters: Labels, one_class: str
) -> DeferralRow:
    """The row with its AUROC, or with the reason where all items are of one class."""
    row = msgspec.structs.replace(row, positive=int(positive.sum()))
    if not positive.any() or positive.all():
        return msgspec.structs.replace(row, why_not=one_class)
    value, interval = auroc_and_interval(scores, positive, clusters, row.confidence)
    return msgspec.structs.replace(
        row, value=value, ci_low=interval.low, ci_high=interval.high, interval=interval.method
    )

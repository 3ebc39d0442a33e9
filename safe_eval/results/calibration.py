"""Calibration: whether the confidences of each arm match its scores.

An answer is right to the extent of its score: a VQA answer that scores 0.6 is right to 0.6, so a calibrated
confidence is the expected score. A failed answer has no confidence.
"""

from collections.abc import Iterator

import numpy as np

from safe_eval.arms.all_arms import Arms, Scored
from safe_eval.arms.arm import ArmKey
from safe_eval.arms.scored_arm import ScoredArm
from safe_eval.options import Sampling
from safe_eval.prediction import BASE
from safe_eval.results.metrics import Metric
from safe_eval.scorers.scorer import ANSWER_METRICS
from safe_eval.statistics.bca import BCA, bca_levels
from safe_eval.statistics.bootstrap import Resampled, Totals, cluster_totals
from safe_eval.statistics.calibration.ece_interval import (
    draw_totals,
    ece_and_interval,
    method_name,
    residuals_by_bin,
)
from safe_eval.statistics.calibration.forecasts import Forecasts, joined
from safe_eval.statistics.calibration.proper_scores import LARGEST_NLL, brier, nll
from safe_eval.statistics.calibration.reliability import check_confidences
from safe_eval.statistics.intervals import Interval, clustered_stderr, ratio, without_spread
from safe_eval.statistics.score_interval import LEAST_CLUSTERS, effective_clusters, score_interval

CALIBRATION_METRICS = {"ece": 1.0, "brier": 1.0, "nll": LARGEST_NLL, "confidence": 1.0}  # and their maxima


def calibration_rows(arms: Arms, sampling: Sampling) -> list[Metric]:
    """ECE (equal width, 15 bins), Brier score, NLL and mean confidence of every arm that states confidences.

    Requested metrics judge the same answers again, and caption scores do not say how right a caption is, so
    both are left out. Means have the intervals of `score_interval`; ECE and NLL use the same resamples.
    """
    return [
        row
        for key, answers in confident_answers(arms.judged, arms.pairing.baseline).items()
        for row in _rows(key, answers, sampling)
    ]


def confident_answers(judged: Scored, baseline: str | None = BASE) -> dict[ArmKey, Forecasts]:
    """The judged answers that state a confidence, by arm, in the order of the tables."""
    parts: dict[ArmKey, list[Forecasts]] = {}
    for metric in ANSWER_METRICS:
        for arm in judged.get(metric, ()):
            if len((stated := _stated(arm)).confidence):
                parts.setdefault(arm.key, []).append(stated)
    return {key: joined(parts[key]) for key in sorted(parts, key=lambda key: key.order_after(baseline))}


def judged_counts(judged: Scored) -> dict[ArmKey, int]:
    """The number of answers of each arm that are judged right or wrong."""
    counts: dict[ArmKey, int] = {}
    for metric in ANSWER_METRICS:
        for arm in judged.get(metric, ()):
            counts[arm.key] = counts.get(arm.key, 0) + len(arm.at)
    return counts


def calibration_notes(arms: Arms) -> Iterator[str]:
    """One line per arm in which only some judged answers state a confidence."""
    judged = judged_counts(arms.judged)
    for key, answers in confident_answers(arms.judged, arms.pairing.baseline).items():
        stated = len(answers.confidence)
        if stated < judged[key]:
            yield (
                f"{stated} of {judged[key]} answers of {key.name}, seed {key.seed}, state a confidence: "
                "calibration is of these alone"
            )


def _stated(arm: ScoredArm) -> Forecasts:
    confidence = arm.arm.confidences[arm.at]
    stated = np.flatnonzero(~np.isnan(confidence))
    return Forecasts(
        examples=arm.examples[stated],
        clusters=arm.clusters[stated],
        confidence=confidence[stated],
        correct=arm.scores[stated],
    )


def _rows(key: ArmKey, answers: Forecasts, sampling: Sampling) -> Iterator[Metric]:
    confidence, correct, clusters = answers.confidence, answers.correct, answers.clusters
    check_confidences(confidence, correct)
    means = {"brier": brier(confidence, correct), "nll": nll(confidence, correct), "confidence": confidence}
    residuals = residuals_by_bin(confidence, correct)
    totals = cluster_totals(np.column_stack([residuals, *means.values(), np.ones(len(confidence))]), clusters)
    effective = effective_clusters(totals[:, -1])
    drawn = None if effective < LEAST_CLUSTERS - 1e-9 else draw_totals(totals, sampling)
    of_residuals = [*range(residuals.shape[1]), -1]
    error, interval = ece_and_interval(
        totals[:, of_residuals], None if drawn is None else drawn[:, of_residuals], sampling
    )
    found: dict[str, tuple[float, float | None, Interval]] = {"ece": (error, None, interval)}
    for place, (name, values) in enumerate(means.items(), residuals.shape[1]):
        if CALIBRATION_METRICS[name] == 1.0:
            interval = score_interval(values, clusters, sampling.confidence)
        else:
            interval = _mean_interval(totals, drawn, place, CALIBRATION_METRICS[name], sampling)
        found[name] = float(values.mean()), clustered_stderr(values, clusters), interval
    for name, (value, stderr, interval) in found.items():
        yield Metric(
            metric=name,
            **key._asdict(),
            slice="all",
            value=value,
            stderr=stderr,
            ci_low=interval.low,
            ci_high=interval.high,
            confidence=sampling.confidence,
            interval=interval.method,
            n=len(confidence),
            clusters=len(totals),
            effective_clusters=effective,
        )


def _mean_interval(
    totals: Totals, drawn: Resampled | None, place: int, highest: float, sampling: Sampling
) -> Interval:
    if drawn is None:
        return Interval()
    columns = totals[:, [place, -1]]
    certain = without_spread(columns, sampling.confidence, (0.0, highest))
    if certain is not None:
        return certain
    means, whole = ratio(drawn[:, [place, -1]]), columns.sum(axis=0)
    levels = bca_levels(means, float(ratio(whole)), ratio(whole - columns), sampling.confidence)
    low, high = np.quantile(means, levels)
    return Interval(float(low), float(high), method_name(BCA, len(totals)))

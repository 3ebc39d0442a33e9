"""Calibration: whether a model that says 80 % is right in 80 of 100, before and after a temperature."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.statistics.bca import Statistic, bca_interval
from safe_eval.statistics.bootstrap import cluster_totals, count_clusters, resampled_totals
from safe_eval.statistics.calibration.ece_interval import error_interval
from safe_eval.statistics.calibration.proper_scores import LARGEST_NLL, brier, nll
from safe_eval.statistics.calibration.reliability import (
    BINS,
    Bin,
    Confidences,
    Correct,
    Spacing,
    bin_columns,
    check_confidences,
    debiased_ece_of,
    ece_of,
    inner_edges,
    mce_of,
    reliability,
    without_gaps,
)
from safe_eval.statistics.calibration.smooth_ece import smooth_ece
from safe_eval.statistics.calibration.temperature import apply_temperature, fit_temperature
from safe_eval.statistics.sampling import Interval, Labels, Sampling, Values


@dataclass(frozen=True)
class Answers:
    """Confidences in [0, 1] of answers that are right (1) or wrong (0), with what they belong to."""

    examples: Labels
    clusters: Labels
    confidence: Confidences
    correct: Correct


@dataclass(frozen=True)
class Measured:
    """A value and its interval."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class Calibration:
    """The calibration of one set of answers; errors in bins are never below 0, so noise makes them larger."""

    accuracy: Measured
    confidence: Measured
    brier: Measured
    nll: Measured
    ece: Measured  # equal width
    ece_equal_mass: Measured
    debiased_ece: Measured  # root mean square, equal mass
    mce: Measured  # equal width
    smooth_ece: float
    bars: tuple[Bin, ...]
    n: int
    clusters: int


@dataclass(frozen=True)
class Calibrated:
    """Test answers before and after the temperature that was fitted on other answers."""

    temperature: float
    before: Calibration
    after: Calibration
    dev_n: int
    shared_examples: int  # above 0 only where it was forced
    shared_clusters: int


def calibration(answers: Answers, sampling: Sampling, *, bins: int = BINS) -> Calibration:
    """Measure how far confidences are from the truth, with intervals that resample clusters.

    Means have BCa intervals, errors those of `error_interval`, bins held where they are. Smooth ECE has none:
    it would cost a minute.

    >>> sure = np.full(40, 0.9)
    >>> right = np.tile([1.0, 1.0, 1.0, 0.0], 10)
    >>> measured = calibration(Answers(np.arange(40), np.arange(40), sure, right), Sampling())
    >>> round(measured.ece.value, 3), measured.accuracy.value
    (0.15, 0.75)
    """
    confidence, correct, clusters = answers.confidence, answers.correct, answers.clusters
    check_confidences(confidence, correct)

    def in_bins(statistic: Statistic, spacing: Spacing) -> Measured:
        columns = bin_columns(confidence, correct, inner_edges(confidence, bins, spacing))
        totals = cluster_totals(columns, clusters)
        whole = totals.sum(axis=0)
        value = float(statistic(whole))
        if len(totals) < 2:
            return Measured(value, Interval())
        drawn = resampled_totals(totals, sampling)
        errors, by_chance = statistic(drawn), statistic(without_gaps(drawn, whole))
        return Measured(value, error_interval(value, errors, by_chance, len(totals), sampling))

    def mean(values: Values, most: float = 1.0) -> Measured:
        return Measured(float(values.mean()), bca_interval(values, clusters, sampling, scale=(0.0, most)))

    return Calibration(
        brier=mean(brier(confidence, correct)),
        nll=mean(nll(confidence, correct), LARGEST_NLL),
        accuracy=mean(correct),
        confidence=mean(confidence),
        ece=in_bins(ece_of, "equal width"),
        ece_equal_mass=in_bins(ece_of, "equal mass"),
        debiased_ece=in_bins(debiased_ece_of, "equal mass"),
        mce=in_bins(mce_of, "equal width"),
        smooth_ece=smooth_ece(confidence, correct),
        bars=reliability(confidence, correct, bins=bins),
        n=len(confidence),
        clusters=count_clusters(clusters),
    )


def calibrate(
    dev: Answers, test: Answers, sampling: Sampling, *, bins: int = BINS, force: bool = False
) -> Calibrated:
    """Fit a temperature on dev answers by NLL, and measure test answers before and after it.

    Raises:
        InputError: dev and test share examples, so that the fit would be judged by what it was fitted on;
            `force` measures them all the same.
    """
    shared = np.intersect1d(dev.examples, test.examples)
    if len(shared) and not force:
        raise InputError(
            f"{len(shared)} of {len(np.unique(test.examples))} scored examples are also in dev, for example "
            f"{str(shared[0])!r}; a temperature must be fitted on other examples than it is judged by: give "
            "another dev set, or force it"
        )
    temperature = fit_temperature(dev.confidence, dev.correct)
    cooled = replace(test, confidence=apply_temperature(test.confidence, temperature))
    return Calibrated(
        temperature=temperature,
        before=calibration(test, sampling, bins=bins),
        after=calibration(cooled, sampling, bins=bins),
        dev_n=len(dev.examples),
        shared_examples=len(shared),
        shared_clusters=len(np.intersect1d(dev.clusters, test.clusters)),
    )


def calibration_by_condition(
    answers: Answers, conditions: Sequence[str], sampling: Sampling, *, bins: int = BINS
) -> dict[str, Calibration]:
    """The calibration under each condition: does confidence fall where the sound is muted?"""
    if len(conditions) != len(answers.confidence):
        raise InputError(f"{len(conditions)} conditions of {len(answers.confidence)} answers do not match")
    labels = np.asarray(conditions)
    return {
        str(name): calibration(_where(answers, labels == name), sampling, bins=bins)
        for name in dict.fromkeys(conditions)
    }


def _where(answers: Answers, kept: Bool[ndarray, " items"]) -> Answers:
    return Answers(
        answers.examples[kept], answers.clusters[kept], answers.confidence[kept], answers.correct[kept]
    )

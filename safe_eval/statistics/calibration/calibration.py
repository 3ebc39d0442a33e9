"""Calibration: is a model that says 80 % right in 80 of 100 cases? Before and after a calibrator."""

from dataclasses import dataclass

import numpy as np

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.bca import Statistic, bca_interval
from safe_eval.statistics.bootstrap import Values, cluster_totals, count_clusters, resampled_totals
from safe_eval.statistics.calibration.calibrator import Calibrator, calibrated
from safe_eval.statistics.calibration.ece_interval import error_interval
from safe_eval.statistics.calibration.forecasts import Forecasts
from safe_eval.statistics.calibration.proper_scores import LARGEST_NLL, brier, nll
from safe_eval.statistics.calibration.reliability import (
    BINS,
    Bin,
    Spacing,
    as_if_calibrated,
    bin_columns,
    check_confidences,
    debiased_ece_of,
    ece_of,
    inner_edges,
    mce_of,
    reliability,
)
from safe_eval.statistics.calibration.smooth_ece import smooth_ece
from safe_eval.statistics.calibration.temperature import apply_temperature, bound_reached, fit_temperature
from safe_eval.statistics.intervals import Interval
from safe_eval.statistics.score_interval import LEAST_CLUSTERS, count_effective, score_interval


@dataclass(frozen=True)
class Estimate:
    """A value and its interval."""

    value: float
    interval: Interval


@dataclass(frozen=True)
class Calibration:
    """The calibration of one set of forecasts. Noise makes binned errors larger: they are never below 0."""

    accuracy: Estimate
    confidence: Estimate
    brier: Estimate
    nll: Estimate
    ece: Estimate  # equal width
    ece_equal_mass: Estimate
    debiased_ece: Estimate  # root mean square, equal mass
    mce: Estimate  # equal width
    smooth_ece: float
    bars: tuple[Bin, ...]
    n: int
    clusters: int
    effective_clusters: float


@dataclass(frozen=True)
class Calibrated:
    """The calibration of test forecasts before and after the calibrators that were fitted on dev forecasts.

    Beside them stands a plain temperature on the confidence, without a bias, and the mean NLL after it.
    """

    calibrators: tuple[Calibrator, ...]
    before: Calibration
    after: Calibration
    temperature: float
    temperature_bound: str | None
    temperature_nll: float
    dev_n: int
    shared_examples: int  # above 0 only if forced
    shared_clusters: int


def calibration(forecasts: Forecasts, sampling: Sampling, *, bins: int = BINS) -> Calibration:
    """Measure the calibration of forecasts, with intervals of the cluster bootstrap.

    Means have the intervals of `score_interval`, like the same means in scores.json; only NLL, whose scale is
    far wider than its values, has BCa's. Binned errors have those of `error_interval`, with the bins held
    fixed. Smooth ECE has no interval, because that would take a minute. Below two effective clusters there is
    no interval at all.

    Raises:
        InputError: see `check_confidences`; or `bins` is less than 1.

    >>> sure = np.full(40, 0.9)
    >>> right = np.tile([1.0, 1.0, 1.0, 0.0], 10)
    >>> measured = calibration(Forecasts(np.arange(40), np.arange(40), sure, right), Sampling())
    >>> round(measured.ece.value, 3), measured.accuracy.value
    (0.15, 0.75)
    """
    confidence, correct, clusters = forecasts.confidence, forecasts.correct, forecasts.clusters
    check_confidences(confidence, correct)
    effective = count_effective(clusters)
    too_few = effective < LEAST_CLUSTERS - 1e-9

    def in_bins(statistic: Statistic, spacing: Spacing) -> Estimate:
        columns = bin_columns(confidence, correct, inner_edges(confidence, bins, spacing))
        totals = cluster_totals(columns, clusters)
        whole = totals.sum(axis=0)
        value = float(statistic(whole))
        if too_few:
            return Estimate(value, Interval())
        drawn = resampled_totals(totals, sampling)
        errors, by_chance = statistic(drawn), statistic(as_if_calibrated(drawn, whole))
        return Estimate(value, error_interval(value, errors, by_chance, len(totals), sampling))

    def mean(values: Values) -> Estimate:
        return Estimate(float(values.mean()), score_interval(values, clusters, sampling.confidence))

    surprise = nll(confidence, correct)
    of_surprise = Interval()
    if not too_few:
        of_surprise = bca_interval(surprise, clusters, sampling, scale=(0.0, LARGEST_NLL))

    return Calibration(
        brier=mean(brier(confidence, correct)),
        nll=Estimate(float(surprise.mean()), of_surprise),
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
        effective_clusters=effective,
    )


def calibrate(
    dev: Forecasts, test: Forecasts, sampling: Sampling, *, bins: int = BINS, force: bool = False
) -> Calibrated:
    """Fit calibrators on dev forecasts, and measure test forecasts before and after them.

    However bad the forecasts are, there are numbers before and after: see `calibrated`.

    Raises:
        InputError: see `calibration`; or dev and test share examples, which would judge the calibrators by
            what they were fitted on. `force=True` allows shared examples.
    """
    shared = np.intersect1d(dev.examples, test.examples)
    if len(shared) and not force:
        raise InputError(
            f"{len(shared)} of {len(np.unique(test.examples))} scored examples are also in dev, for example "
            f"{str(shared[0])!r}; a calibrator must be fitted on other examples than it is judged by: give "
            "another dev set, or force it"
        )
    after, calibrators = calibrated(dev, test)
    temperature = fit_temperature(dev.confidence, dev.correct)
    cooled = apply_temperature(test.confidence, temperature)
    return Calibrated(
        calibrators=calibrators,
        before=calibration(test, sampling, bins=bins),
        after=calibration(after, sampling, bins=bins),
        temperature=temperature,
        temperature_bound=bound_reached(temperature),
        temperature_nll=float(nll(cooled, test.correct).mean()),
        dev_n=len(dev.examples),
        shared_examples=len(shared),
        shared_clusters=len(np.intersect1d(dev.clusters, test.clusters)),
    )

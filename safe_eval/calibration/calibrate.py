"""Calibrate: fit calibrators on dev predictions, and measure test predictions before and after them."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import numpy as np

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256, json_bytes
from safe_data.core.overwriting import write_new
from safe_eval.arms.arm import cluster_field
from safe_eval.calibration.choices import CalibratedChoices, calibrated_choices
from safe_eval.calibration.dev_and_test import forecasts_of, model_meant
from safe_eval.options import CalibrateOptions, Sampling
from safe_eval.prediction import Prediction
from safe_eval.predictions import partial_notes, read_predictions
from safe_eval.scoring.notes import few_clusters_note
from safe_eval.scoring.scores import PredictionsFile
from safe_eval.statistics.calibration.calibration import Calibration, calibrate, calibration
from safe_eval.statistics.calibration.calibrator import Calibrator
from safe_eval.statistics.calibration.forecasts import Forecasts
from safe_eval.statistics.paired import paired_difference

CALIBRATION_FILE = "calibration.json"
FITTED_ON = "full"  # the condition of the dev answers that calibrators are fitted on


class CalibratedArm(msgspec.Struct, frozen=True, kw_only=True):
    """The calibration of one seed and condition in test, before and after what was fitted on dev.

    Beside it stands a plain temperature on the confidence, with the NLL after it. `why_not` says why nothing
    could be fitted; then there are numbers before alone.
    """

    seed: int
    condition: str
    calibrators: tuple[Calibrator, ...]
    temperature: float | None
    temperature_bound: str | None
    temperature_nll: float | None
    dev_n: int
    shared_examples: int  # with dev; above 0 only if forced
    shared_clusters: int
    before: Calibration
    after: Calibration | None
    why_not: str | None = None


class ConfidenceDrop(msgspec.Struct, frozen=True, kw_only=True):
    """How much lower mean confidence is under a condition than under `full`, on the same examples.

    The confidences are as stated, before they are calibrated.
    """

    seed: int
    condition: str
    difference: float
    ci_low: float | None
    ci_high: float | None
    interval: str | None
    p_value: float
    n: int
    clusters: int


class CalibrationReport(msgspec.Struct, frozen=True, kw_only=True):
    """The content of calibration.json. `bars` holds the data of a reliability diagram."""

    model: str
    cells: tuple[CalibratedArm, ...]
    falls: tuple[ConfidenceDrop, ...]
    choices: tuple[CalibratedChoices, ...]
    notes: tuple[str, ...]
    forced: bool
    cluster: str
    seed: int
    resamples: int
    confidence: float
    dev: PredictionsFile
    test: PredictionsFile


def calibrate_files(
    dev: Path,
    test: Path,
    sampling: Sampling | None = None,
    options: CalibrateOptions | None = None,
    *,
    out: Path | None = None,
) -> CalibrationReport:
    """Fit calibrators per seed on the dev answers under `full`, and judge them on test.

    With `out`, write the report to OUT/calibration.json; `options.force` replaces another one.

    Whether an answer is right is its score by the metric of its row, which may be a fraction. Each seed is
    fitted on its own dev answers; a dev file of one seed serves every seed.

    Raises:
        InputError: see `read_predictions` and `statistics.calibration.calibration.calibrate`; there are no
            confidences, several models and no `model`, or no dev answers to fit on.
    """
    sampling, options = sampling or Sampling(), options or CalibrateOptions()
    force, allow_partial = options.force, options.allow_partial
    files = {"dev": dev, "test": test}
    sides = {side: read_predictions(file, allow_partial=allow_partial) for side, file in files.items()}
    partial = list(partial_notes(files.values())) if allow_partial else []
    chosen = model_meant(sides, options.model)
    rows = {side: [row for row in found if row.model == chosen] for side, found in sides.items()}
    dev_forecasts, test_forecasts = forecasts_of(rows["dev"], rows["test"]), forecasts_of(rows["test"])
    if not test_forecasts:
        raise InputError(
            f"all {len(rows['test'])} answers of {chosen} in test failed: no confidence to judge"
        )
    arms = tuple(
        _calibrated(seed, condition, _fitted_on(dev_forecasts, rows["dev"], seed), forecasts, sampling, force)
        for (seed, condition), forecasts in test_forecasts.items()
    )
    report = CalibrationReport(
        model=chosen,
        cells=arms,
        falls=tuple(_drops(test_forecasts, sampling)),
        choices=calibrated_choices(rows["dev"], rows["test"], FITTED_ON, sampling),
        notes=(*partial, *_notes(arms, rows)),
        forced=force,
        cluster=cluster_field(rows["test"]),
        seed=sampling.seed,
        resamples=sampling.resamples,
        confidence=sampling.confidence,
        dev=PredictionsFile(dev.name, file_sha256(dev)),
        test=PredictionsFile(test.name, file_sha256(test)),
    )
    if out is not None:
        write_new(out / CALIBRATION_FILE, json_bytes(report), force=force)
    return report


def _fitted_on(
    forecasts: Mapping[tuple[int, str], Forecasts], rows: Sequence[Prediction], seed: int
) -> Forecasts | str:
    """The dev forecasts to fit a seed on: of the same seed, or of the only one; or why there are none.

    Raises:
        InputError: dev was not asked under `full`, or was asked with several seeds and not with this one.
    """
    full = [row for row in rows if row.condition == FITTED_ON]
    if not any(row.confidence is not None or row.error is not None for row in full):
        raise InputError(f"dev has no confident answers under {FITTED_ON!r}, which calibrators are fitted on")
    asked = sorted({row.seed for row in full})
    if seed not in asked and len(asked) > 1:
        listed = ", ".join(map(str, asked))
        said = f"dev has no answers of seed {seed}, only of seeds {listed}"
        raise InputError(f"{said}; give those of every seed")
    of = seed if seed in asked else asked[0]
    found = forecasts.get((of, FITTED_ON))
    if found is not None:
        return found
    count = sum(row.seed == of for row in full)
    return f"all {count} dev answers under {FITTED_ON}, seed {of}, failed or state no confidence"


def _calibrated(
    seed: int, condition: str, dev: Forecasts | str, test: Forecasts, sampling: Sampling, force: bool
) -> CalibratedArm:
    if isinstance(dev, str):
        return CalibratedArm(
            seed=seed,
            condition=condition,
            calibrators=(),
            temperature=None,
            temperature_bound=None,
            temperature_nll=None,
            dev_n=0,
            shared_examples=0,
            shared_clusters=0,
            before=calibration(test, sampling),
            after=None,
            why_not=dev,
        )
    found = calibrate(dev, test, sampling, force=force)
    fields = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    return CalibratedArm(seed=seed, condition=condition, **fields)


def _drops(test: Mapping[tuple[int, str], Forecasts], sampling: Sampling) -> Iterator[ConfidenceDrop]:
    """Yield the drop in confidence under each condition other than `full`."""
    for (seed, condition), forecasts in test.items():
        full = test.get((seed, "full"))
        if full is None or condition == "full":
            continue
        shared, at_full, at_it = np.intersect1d(full.examples, forecasts.examples, return_indices=True)
        if not len(shared):
            continue
        found = paired_difference(
            full.confidence[at_full], forecasts.confidence[at_it], full.clusters[at_full], sampling
        )
        yield ConfidenceDrop(
            seed=seed,
            condition=condition,
            difference=found.difference,
            ci_low=found.interval.low,
            ci_high=found.interval.high,
            interval=found.interval.method,
            p_value=found.p_value,
            n=found.n,
            clusters=found.clusters,
        )


def _notes(arms: Sequence[CalibratedArm], rows: Mapping[str, Sequence[Prediction]]) -> Iterator[str]:
    shared = max((arm.shared_examples for arm in arms), default=0)
    if shared:
        yield (
            f"forced: {shared} scored examples are in dev too, so the results after calibration are flattered"
        )
    clusters = max((arm.shared_clusters for arm in arms), default=0)
    if clusters:
        field = cluster_field(rows["test"])
        counted = f"1 cluster ({field}) is" if clusters == 1 else f"{clusters} clusters ({field}) are"
        yield f"{counted} in dev and in test: the calibrators have seen their like"
    sizes = min(((arm.before.effective_clusters, arm.before.clusters) for arm in arms), default=None)
    few = sizes and few_clusters_note(sizes[1], sizes[0])
    if few:
        yield f"test: {few}"
    for side, found in rows.items():
        silent = sum(row.confidence is None or row.error is not None for row in found)
        if silent:
            yield f"{silent} of {len(found)} rows of {side} failed or state no confidence; they are left out"

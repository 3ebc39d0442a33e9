"""Choices: calibration and temperature of whole distributions over the choices of an example."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np

from safe_eval.arms.arm import ArmKey, cluster_field
from safe_eval.calibration.distributions import distribution_of, right_choice
from safe_eval.options import Sampling
from safe_eval.prediction import Prediction
from safe_eval.statistics.bca import bca_interval
from safe_eval.statistics.bootstrap import Labels, cluster_totals
from safe_eval.statistics.calibration.calibration import Estimate
from safe_eval.statistics.calibration.ece_interval import draw_totals, ece_and_interval, residuals_by_bin
from safe_eval.statistics.calibration.proper_scores import LARGEST_NLL, multiclass_brier, multiclass_nll
from safe_eval.statistics.calibration.reliability import Classes, Probabilities
from safe_eval.statistics.calibration.temperature import (
    apply_multiclass_temperature,
    bound_reached,
    fit_multiclass_temperature,
)
from safe_eval.statistics.intervals import Interval
from safe_eval.statistics.score_interval import LEAST_CLUSTERS, count_effective, score_interval

FEWEST = 20  # examples that must share their choices, in dev and in test

Choices = tuple[str, ...]


class ChoiceErrors(msgspec.Struct, frozen=True, kw_only=True):
    """The errors of distributions. Brier is summed over the classes, in [0, 2]."""

    classwise_ece: Estimate
    brier: Estimate
    nll: Estimate


class CalibratedChoices(msgspec.Struct, frozen=True, kw_only=True):
    """The test distributions over one set of choices, before and after a temperature fitted on dev.

    `bound` says which bound the temperature reached, and `why_not` why there is none.
    """

    seed: int
    condition: str
    choices: tuple[str, ...]
    n: int
    dev_n: int
    temperature: float | None
    before: ChoiceErrors
    after: ChoiceErrors | None
    bound: str | None = None
    why_not: str | None = None


@dataclass(frozen=True)
class _Distributions:
    probabilities: Probabilities
    labels: Classes
    clusters: Labels


def calibrated_choices(
    dev: Sequence[Prediction], test: Sequence[Prediction], fitted_on: str, sampling: Sampling
) -> tuple[CalibratedChoices, ...]:
    """Calibrate one model's test distributions, per seed, condition and set of choices.

    The choices are the classes, so each set of choices has its own temperature. It is fitted on dev rows
    under the condition `fitted_on`. A row counts if it has probabilities of all its choices and exactly one
    of them is a reference. Sets with fewer than 20 such rows are left out.
    """
    fits = {place: rows for place, rows in _by_choices(dev).items() if place[1] == fitted_on}
    found = []
    for (seed, condition, choices), rows in _by_choices(test).items():
        if len(rows) < FEWEST:
            continue
        same_seed = fits.get((seed, fitted_on, choices))
        any_seed = [fit for (_, _, names), fit in fits.items() if names == choices]
        fit = same_seed or (any_seed[0] if len(any_seed) == 1 else [])
        found.append(_calibrated(seed, condition, choices, fit, rows, sampling))
    return tuple(found)


def _by_choices(rows: Sequence[Prediction]) -> dict[tuple[int, str, Choices], list[Prediction]]:
    found: dict[tuple[int, str, Choices], list[Prediction]] = {}
    for row in sorted(rows, key=lambda row: (row.dataset or "", row.example_id)):
        given = distribution_of(row)
        if given is not None and right_choice(row, given) is not None:
            choices = tuple(sorted(given))
            found.setdefault((row.seed, row.condition, choices), []).append(row)
    order = sorted(found, key=lambda p: (ArmKey(None, p[0], "", p[1]).order, len(p[2]), p[2]))
    return {place: found[place] for place in order}


def _calibrated(
    seed: int,
    condition: str,
    choices: Choices,
    dev: Sequence[Prediction],
    test: Sequence[Prediction],
    sampling: Sampling,
) -> CalibratedChoices:
    given = _distributions(choices, test)
    temperature, after, why_not = None, None, None
    if len(dev) < FEWEST:
        why_not = f"only {len(dev)} dev answers have these choices; {FEWEST} are needed"
    else:
        fit = _distributions(choices, dev)
        temperature = fit_multiclass_temperature(fit.probabilities, fit.labels)
    if temperature is not None:
        tempered = apply_multiclass_temperature(given.probabilities, temperature)
        after = _errors(_Distributions(tempered, given.labels, given.clusters), sampling)
    return CalibratedChoices(
        seed=seed,
        condition=condition,
        choices=choices,
        n=len(test),
        dev_n=len(dev),
        temperature=temperature,
        before=_errors(given, sampling),
        after=after,
        bound=None if temperature is None else bound_reached(temperature),
        why_not=why_not,
    )


def _distributions(choices: Choices, rows: Sequence[Prediction]) -> _Distributions:
    given = [distribution_of(row) or {} for row in rows]
    right = [right_choice(row, one) or "" for row, one in zip(rows, given, strict=True)]
    field = cluster_field(rows)
    return _Distributions(
        np.array([[one[name] for name in choices] for one in given]),
        np.array([choices.index(name) for name in right]),
        np.array([str(getattr(row, field)) for row in rows], dtype=object),
    )


def _errors(given: _Distributions, sampling: Sampling) -> ChoiceErrors:
    squares = multiclass_brier(given.probabilities, given.labels)
    surprise = multiclass_nll(given.probabilities, given.labels)
    of_surprise = Interval()
    if count_effective(given.clusters) >= LEAST_CLUSTERS - 1e-9:
        of_surprise = bca_interval(surprise, given.clusters, sampling, scale=(0.0, LARGEST_NLL))
    of_squares = score_interval(squares, given.clusters, sampling.confidence, scale=(0.0, 2.0))
    return ChoiceErrors(
        classwise_ece=_classwise(given, sampling),
        brier=Estimate(float(squares.mean()), of_squares),
        nll=Estimate(float(surprise.mean()), of_surprise),
    )


def _classwise(given: _Distributions, sampling: Sampling) -> Estimate:
    """The value of `reliability.classwise_ece`, with an interval like the one of ECE."""
    probabilities, classes = given.probabilities, given.probabilities.shape[1]
    by_class = [
        residuals_by_bin(probabilities[:, k], (given.labels == k).astype(float)) for k in range(classes)
    ]
    residuals = np.hstack(by_class)
    totals = cluster_totals(np.column_stack([residuals, np.ones(len(residuals))]), given.clusters)
    few = count_effective(given.clusters) < LEAST_CLUSTERS - 1e-9
    drawn = None if few else draw_totals(totals, sampling)
    return Estimate(*ece_and_interval(totals, drawn, sampling, classes))

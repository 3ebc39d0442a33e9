"""Calibrators: choices by a temperature, other confidences by Platt scaling, and numbers for all of them."""

from dataclasses import replace

import numpy as np
import pytest
from made_forecasts import overconfident, planted

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.calibration.calibration import calibrate
from safe_eval.statistics.calibration.calibrator import calibrated
from safe_eval.statistics.calibration.forecasts import UNKNOWN, Distributions, Forecasts
from safe_eval.statistics.calibration.platt import apply_platt, fit_platt

QUICK = Sampling(resamples=100)


def chosen(n: int, seed: int, temperature: float = 8.0) -> Forecasts:
    """The likeliest of four choices, said with its probability."""
    said, right = planted(n, temperature, seed)
    best = said.argmax(axis=1)
    names = np.array([f"{seed}-{i}" for i in range(n)])
    return Forecasts(names, names, said.max(axis=1), (best == right) * 1.0, Distributions(said, right, best))


def test_choices_get_the_temperature_of_all_their_classes() -> None:
    """The plain temperature of the confidence alone is another number: 8 is planted."""
    found = calibrate(chosen(8000, 1), chosen(2000, 2), QUICK)
    (one,) = found.calibrators
    assert (one.method, one.dev_n, one.n, one.bound) == ("multiclass temperature", 8000, 2000, None)
    assert one.temperature == pytest.approx(8.0, rel=0.03)
    assert found.temperature > 10
    assert found.after.nll.value < found.temperature_nll < found.before.nll.value
    assert found.after.ece.value < 0.05 < 0.2 < found.before.ece.value
    assert found.after.accuracy == found.before.accuracy


def test_answers_without_a_distribution_are_fitted_apart() -> None:
    dev, test = (half_with(seed) for seed in (3, 4))
    after, (choices, platt) = calibrated(dev, test)
    assert (choices.dev_n, choices.n, platt.method, platt.dev_n, platt.n) == (
        200,
        200,
        "Platt scaling",
        200,
        200,
    )
    plain = fit_platt(dev.confidence[200:], dev.correct[200:])
    assert (platt.slope, platt.bias) == (plain.slope, plain.bias)
    assert (after.confidence[200:] == apply_platt(test.confidence[200:], plain)).all()


def half_with(seed: int) -> Forecasts:
    """200 answers with a distribution, and 200 without."""
    choices, stated = chosen(200, seed), overconfident(200, seed + 10)
    given = choices.distributions
    return Forecasts(
        np.r_[choices.examples, stated.examples],
        np.r_[choices.clusters, stated.clusters],
        np.r_[choices.confidence, stated.confidence],
        np.r_[choices.correct, stated.correct],
        Distributions(
            np.r_[given.probabilities, np.full((200, 4), np.nan)],
            np.r_[given.right, np.full(200, UNKNOWN)],
            np.r_[given.said, np.full(200, UNKNOWN)],
        ),
    )


def test_dev_without_distributions_fits_confidences_for_all() -> None:
    _, (one,) = calibrated(overconfident(300, 1), chosen(100, 2))
    assert (one.method, one.dev_n, one.n) == ("Platt scaling", 300, 100)
    _, (other,) = calibrated(chosen(300, 1), overconfident(100, 2))
    assert (other.method, other.dev_n, other.n) == ("Platt scaling", 300, 100)


def test_a_choice_that_is_right_of_no_reference_is_calibrated_and_not_fitted_on() -> None:
    dev, test = chosen(100, 1), chosen(50, 2)
    unknown = replace(dev.distributions, right=np.r_[np.full(40, UNKNOWN), dev.distributions.right[40:]])
    _, (one,) = calibrated(replace(dev, distributions=unknown), test)
    assert (one.dev_n, one.n) == (60, 50)


def test_dev_all_right_and_test_all_wrong_has_numbers_before_and_after() -> None:
    dev, test = overconfident(80, 1), overconfident(80, 2)
    found = calibrate(replace(dev, correct=np.ones(80)), replace(test, correct=np.zeros(80)), QUICK)
    assert np.isfinite([found.before.nll.value, found.after.nll.value, found.temperature_nll]).all()
    assert found.after.nll.value > found.before.nll.value


def test_distributions_are_as_long_as_what_they_are_of() -> None:
    with pytest.raises(InputError, match="2 right choices for 3 distributions"):
        Distributions(np.ones((3, 1)), np.zeros(2, int), np.zeros(2, int))

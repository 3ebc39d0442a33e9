"""Calibration before and after a temperature, and its intervals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_forecasts import overconfident

from benchmarks.simulations.calibration import answers_of
from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.calibration.calibration import calibrate, calibration
from safe_eval.statistics.calibration.forecasts import Forecasts
from safe_eval.statistics.calibration.proper_scores import brier, nll
from safe_eval.statistics.calibration.reliability import debiased_ece, ece, mce
from safe_eval.statistics.calibration.smooth_ece import smooth_ece
from safe_eval.statistics.intervals import Interval

QUICK = Sampling(resamples=500)


def test_a_temperature_of_dev_mends_test() -> None:
    found = calibrate(overconfident(3000, 1), overconfident(3000, 2), QUICK)
    assert found.temperature == pytest.approx(2.0, abs=0.25)
    assert found.after.nll.value < found.before.nll.value
    assert found.after.ece.value < 0.5 * found.before.ece.value
    assert found.after.accuracy == found.before.accuracy
    assert (found.dev_n, found.shared_examples, found.shared_clusters) == (3000, 0, 0)


def test_fitting_on_the_scored_forecasts_is_refused_unless_forced() -> None:
    dev, test = overconfident(200, 1), overconfident(200, 2)
    leaking = replace(dev, examples=np.r_[dev.examples[:-1], test.examples[:1]])
    with pytest.raises(InputError, match=r"1 of 200 scored examples are also in dev, for example '2-0'"):
        calibrate(leaking, test, QUICK)
    assert calibrate(leaking, test, QUICK, force=True).shared_examples == 1


def test_intervals_resample_clusters() -> None:
    answers = overconfident(400, 4)
    tenfold = Forecasts(
        *(np.repeat(getattr(answers, f), 10) for f in ("examples", "clusters", "confidence", "correct"))
    )
    once, again = calibration(answers, QUICK), calibration(tenfold, QUICK)
    assert again.clusters == once.clusters == 200
    for name, apart in {"ece": 1e-6, "mce": 1e-6, "nll": 1e-6, "brier": 1e-3}.items():
        single, many = getattr(once, name), getattr(again, name)
        assert single.value == pytest.approx(many.value)
        assert [single.interval.low, single.interval.high] == pytest.approx(
            [many.interval.low, many.interval.high], abs=apart
        )


@pytest.mark.parametrize("clusters", [50, 300])
def test_an_ece_interval_holds_0_for_a_calibrated_model_and_not_for_an_overconfident_one(
    clusters: int,
) -> None:
    """Quantiles alone held it in half of all trials."""
    honest = [calibration(answers_of(np.random.default_rng(n), clusters, 1.0), QUICK) for n in range(40)]
    sure = [calibration(answers_of(np.random.default_rng(n), clusters, 3.0), QUICK) for n in range(40)]
    assert sum(found.ece.interval.low == 0 for found in honest) >= 34
    assert sum(found.ece.interval.low > 0 for found in sure) >= 34


def test_one_cluster_has_values_without_intervals() -> None:
    answers = overconfident(50, 5)
    single = calibration(replace(answers, clusters=np.zeros(50)), QUICK)
    assert single.ece.value > 0
    assert single.ece.interval == single.brier.interval == Interval()


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=30), st.randoms())
def test_errors_are_fractions_and_do_not_depend_on_order(
    items: list[tuple[float, bool]], random: object
) -> None:
    errors = []
    for _ in range(2):
        confidence, correct = np.array(items, dtype=float).T
        errors.append([f(confidence, correct) for f in (ece, mce, debiased_ece, smooth_ece)])
        random.shuffle(items)
    assert errors[0] == pytest.approx(errors[1], abs=1e-6)
    assert all(-1e-9 <= error <= 1 + 1e-9 for error in errors[0])


def test_a_perfect_answer_has_no_error() -> None:
    sure = np.array([1.0, 0.0, 1.0])
    assert ece(sure, sure) == mce(sure, sure) == debiased_ece(sure, sure) == smooth_ece(sure, sure) == 0
    assert brier(sure, sure).sum() == nll(sure, sure).sum() == 0

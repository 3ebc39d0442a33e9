"""Reliability: edges by hand, netcal, recorded values of other code, and refusals."""

import numpy as np
import pytest
from made_forecasts import overconfident

from safe_data.core.errors import InputError
from safe_eval.statistics.calibration.proper_scores import brier, nll
from safe_eval.statistics.calibration.reliability import classwise_ece, debiased_ece, ece, mce, reliability
from safe_eval.statistics.calibration.smooth_ece import smooth_ece
from safe_eval.statistics.calibration.temperature import (
    fit_temperature,
)


def test_a_bin_holds_its_upper_edge() -> None:
    """Confidences on the edges of five bins: 0 and 0.2 in the first, 0.4 in the second, … 1 in the last."""
    confidence = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
    bars = reliability(confidence, np.array([0.0, 1, 1, 1, 1, 1]), bins=5)
    assert [bar.n for bar in bars] == [2, 1, 1, 1, 1]
    assert (bars[0].low, bars[0].high, bars[-1].high) == (0.0, 0.2, 1.0)
    assert (bars[0].confidence, bars[0].accuracy) == (pytest.approx(0.1), 0.5)
    # |1 − 0.2| of the first bin's sums, then 0.6, 0.4, 0.2 and 0
    assert ece(confidence, np.array([0.0, 1, 1, 1, 1, 1]), bins=5) == pytest.approx(2.0 / 6)
    assert mce(confidence, np.array([0.0, 1, 1, 1, 1, 1]), bins=5) == pytest.approx(0.6)


def test_an_empty_bin_has_no_means_and_costs_nothing() -> None:
    bars = reliability(np.array([0.9, 0.9]), np.array([1.0, 0.0]), bins=2)
    assert (bars[0].n, bars[0].confidence, bars[0].accuracy) == (0, None, None)


def test_equal_mass_keeps_equal_confidences_together() -> None:
    confidence = np.array([0.1, 0.5, 0.5, 0.5, 0.9, 0.95])
    bars = reliability(confidence, np.ones(6), bins=3, spacing="equal mass")
    assert [bar.n for bar in bars] == [4, 0, 2]
    assert sum(bar.n for bar in reliability(confidence, np.ones(6), bins=50, spacing="equal mass")) == 6


@pytest.mark.parametrize("seed", range(3))
def test_ece_and_mce_are_netcals(seed: int) -> None:
    from netcal.metrics import ECE, MCE

    answers = overconfident(3000, seed)
    right = answers.correct.astype(int)
    assert ece(answers.confidence, answers.correct) == pytest.approx(
        ECE(15).measure(answers.confidence, right), abs=1e-12
    )
    assert mce(answers.confidence, answers.correct) == pytest.approx(
        MCE(15).measure(answers.confidence, right), abs=1e-12
    )


def test_on_the_edges_netcals_bins_are_the_mirror_of_ours() -> None:
    """netcal's bins hold their lower edge: its error of p is ours of 1 − p, where edges are exact."""
    from netcal.metrics import ECE

    confidence = np.tile([0.25, 0.5, 0.75, 1.0, 0.6], 8)
    correct = (np.random.default_rng(0).random(40) < 0.5).astype(float)
    theirs = ECE(4).measure(confidence, correct.astype(int))
    assert ece(1 - confidence, 1 - correct, bins=4) == pytest.approx(theirs, abs=1e-12)
    assert ece(confidence, correct, bins=4) != pytest.approx(theirs, abs=0.01)


def test_errors_of_outside_code() -> None:
    """Values of uncertainty-calibration 0.1.4 (15 bins) and relplot 1.0.3 on these very answers."""
    rng = np.random.default_rng(1)
    confidence = rng.beta(5, 1, 2000)
    correct = (rng.random(2000) < confidence**1.5).astype(float)
    assert debiased_ece(confidence, correct) == pytest.approx(0.08732894620200134, abs=1e-12)
    assert ece(confidence, correct, spacing="equal mass") == pytest.approx(0.0770941244541894, abs=1e-12)
    assert ece(confidence, correct) == pytest.approx(0.07883403183764622, abs=1e-12)
    assert smooth_ece(confidence, correct) == pytest.approx(0.07678677168841323, abs=0.002)


def test_smooth_ece_of_one_confidence_is_its_error_whatever_the_end() -> None:
    for confidence in (0.0, 0.3, 0.9, 1.0):
        correct = np.tile([0.0, 1.0], 50)
        assert smooth_ece(np.full(100, confidence), correct) == pytest.approx(abs(confidence - 0.5), abs=1e-6)


def test_classwise_is_the_mean_over_classes() -> None:
    rng = np.random.default_rng(0)
    probabilities, labels = rng.dirichlet(np.ones(3), size=200), rng.integers(0, 3, size=200)
    by_hand = [ece(probabilities[:, k], (labels == k) * 1.0) for k in range(3)]
    assert classwise_ece(probabilities, labels) == pytest.approx(np.mean(by_hand))


@pytest.mark.parametrize(
    ("confidence", "correct", "words"),
    [
        ([], [], "have no calibration"),
        ([0.5], [1.0, 0.0], "1 confidences of 2 answers"),
        ([1.2], [1.0], "write probabilities, not logits"),
        ([float("nan")], [1.0], "outside"),
        ([0.5], [2.0], "right or wrong"),
    ],
)
def test_what_has_no_calibration(confidence: list[float], correct: list[float], words: str) -> None:
    for measure in (ece, mce, debiased_ece, smooth_ece, brier, nll, fit_temperature):
        with pytest.raises(InputError, match=words):
            measure(np.array(confidence), np.array(correct))


def test_distributions_without_a_calibration_are_refused() -> None:
    with pytest.raises(InputError, match="do not sum to 1"):
        classwise_ece(np.array([[0.5, 0.2]]), np.array([0]))
    with pytest.raises(InputError, match="not one of the 2 classes"):
        classwise_ece(np.array([[0.5, 0.5]]), np.array([2]))

"""Calibration: edges by hand, scikit-learn's Brier score and temperature, outside values, refusals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.coverage_simulation import answers_of
from safe_data.core.errors import InputError
from safe_eval.statistics.calibration.calibration import (
    Answers,
    calibrate,
    calibration,
    calibration_by_condition,
)
from safe_eval.statistics.calibration.proper_scores import brier, multiclass_brier, multiclass_nll, nll
from safe_eval.statistics.calibration.reliability import classwise_ece, debiased_ece, ece, mce, reliability
from safe_eval.statistics.calibration.smooth_ece import smooth_ece
from safe_eval.statistics.calibration.temperature import (
    apply_multiclass_temperature,
    apply_temperature,
    fit_multiclass_temperature,
    fit_temperature,
)
from safe_eval.statistics.sampling import Interval, Sampling

QUICK = Sampling(resamples=500)


def overconfident(n: int, seed: int) -> Answers:
    """Answers said with twice the logit they deserve, two of a clip."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0.5, 1.0, size=n)
    correct = (rng.random(n) < 1 / (1 + np.exp(-logits))).astype(float)
    names = np.array([f"{seed}-{i}" for i in range(n)])
    return Answers(
        names, np.array([f"{seed}-{i // 2}" for i in range(n)]), 1 / (1 + np.exp(-2 * logits)), correct
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


def test_smooth_ece_of_one_confidence_is_its_gap_whatever_the_end() -> None:
    for confidence in (0.0, 0.3, 0.9, 1.0):
        correct = np.tile([0.0, 1.0], 50)
        assert smooth_ece(np.full(100, confidence), correct) == pytest.approx(abs(confidence - 0.5), abs=1e-6)


def test_classwise_is_the_mean_over_classes() -> None:
    rng = np.random.default_rng(0)
    probabilities, labels = rng.dirichlet(np.ones(3), size=200), rng.integers(0, 3, size=200)
    by_hand = [ece(probabilities[:, k], (labels == k) * 1.0) for k in range(3)]
    assert classwise_ece(probabilities, labels) == pytest.approx(np.mean(by_hand))


def test_brier_and_nll_are_scikit_learns() -> None:
    from sklearn.metrics import brier_score_loss, log_loss

    rng = np.random.default_rng(0)
    probabilities, labels = rng.dirichlet(np.ones(4), size=300), rng.integers(0, 4, size=300)
    whole = brier_score_loss(labels, probabilities, labels=range(4), scale_by_half=False)
    assert multiclass_brier(probabilities, labels).mean() == pytest.approx(whole)
    assert multiclass_brier(probabilities, labels, half=True).mean() == pytest.approx(whole / 2)
    assert multiclass_nll(probabilities, labels).mean() == pytest.approx(log_loss(labels, probabilities))
    confidence, correct = probabilities[:, 0], (labels == 0) * 1.0
    assert brier(confidence, correct).mean() == pytest.approx(brier_score_loss(labels == 0, confidence))
    assert nll(confidence, correct).mean() == pytest.approx(log_loss(labels == 0, confidence))
    assert np.isfinite(nll(np.array([1.0, 0.0]), np.array([0.0, 1.0]))).all()


@pytest.mark.parametrize("classes", [2, 4])
def test_temperature_is_scikit_learns(classes: int) -> None:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    class Logits(ClassifierMixin, BaseEstimator):
        """A fitted classifier that says the logits it is given."""

        def fit(self, X: np.ndarray, y: np.ndarray) -> "Logits":
            self.classes_ = np.unique(y)
            return self

        def predict(self, X: np.ndarray) -> np.ndarray:
            return X.argmax(axis=1)

        def decision_function(self, X: np.ndarray) -> np.ndarray:
            # one column z is taken for the two logits −z and z
            return (X[:, 1] - X[:, 0]) / 2 if len(self.classes_) == 2 else X

    rng = np.random.default_rng(classes)
    logits = 2 * rng.normal(size=(3000, classes))
    chances = apply_multiclass_temperature(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), 1.7)
    labels = (rng.random(3000)[:, None] > chances.cumsum(axis=1)[:, :-1]).sum(axis=1)
    theirs = CalibratedClassifierCV(FrozenEstimator(Logits().fit(logits, labels)), method="temperature")
    beta = theirs.fit(logits, labels).calibrated_classifiers_[0].calibrators[0].beta_
    said = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert fit_multiclass_temperature(said, labels) == pytest.approx(1 / beta, abs=1e-6)
    if classes == 2:
        assert fit_temperature(said[:, 1], labels * 1.0) == pytest.approx(1 / beta, abs=1e-6)


def test_a_temperature_undoes_itself_and_keeps_the_order() -> None:
    confidence = np.array([0.05, 0.4, 0.6, 0.99])
    cooled = apply_temperature(confidence, 1.7)
    assert (np.diff(cooled) > 0).all()
    assert apply_temperature(cooled, 1 / 1.7) == pytest.approx(confidence)


def test_a_temperature_of_dev_mends_test() -> None:
    found = calibrate(overconfident(3000, 1), overconfident(3000, 2), QUICK)
    assert found.temperature == pytest.approx(2.0, abs=0.25)
    assert found.after.nll.value < found.before.nll.value
    assert found.after.ece.value < 0.5 * found.before.ece.value
    assert found.after.accuracy == found.before.accuracy
    assert (found.dev_n, found.shared_examples, found.shared_clusters) == (3000, 0, 0)


def test_fitting_on_the_scored_answers_is_refused_unless_forced() -> None:
    dev, test = overconfident(200, 1), overconfident(200, 2)
    leaking = replace(dev, examples=np.r_[dev.examples[:-1], test.examples[:1]])
    with pytest.raises(InputError, match=r"1 of 200 scored examples are also in dev, for example '2-0'"):
        calibrate(leaking, test, QUICK)
    assert calibrate(leaking, test, QUICK, force=True).shared_examples == 1


def test_each_condition_has_its_own_calibration() -> None:
    answers = overconfident(400, 3)
    halves = ["full"] * 200 + ["mute_audio"] * 200
    found = calibration_by_condition(answers, halves, QUICK)
    assert list(found) == ["full", "mute_audio"]
    first = Answers(*(getattr(answers, f)[:200] for f in ("examples", "clusters", "confidence", "correct")))
    assert found["full"] == calibration(first, QUICK)
    with pytest.raises(InputError, match="do not match"):
        calibration_by_condition(answers, ["full"], QUICK)


def test_intervals_resample_clusters() -> None:
    answers = overconfident(400, 4)
    tenfold = Answers(
        *(np.repeat(getattr(answers, f), 10) for f in ("examples", "clusters", "confidence", "correct"))
    )
    once, again = calibration(answers, QUICK), calibration(tenfold, QUICK)
    assert again.clusters == once.clusters == 200
    for name in ("ece", "mce", "brier", "nll"):
        single, many = getattr(once, name), getattr(again, name)
        assert single.value == pytest.approx(many.value)
        assert [single.interval.low, single.interval.high] == pytest.approx(
            [many.interval.low, many.interval.high], abs=1e-6
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


def test_what_no_temperature_fits() -> None:
    with pytest.raises(InputError, match="every answer is right"):
        fit_temperature(np.array([0.6, 0.7]), np.ones(2))
    with pytest.raises(InputError, match="says nothing"):
        fit_temperature(np.array([0.9, 0.9]), np.zeros(2))
    with pytest.raises(InputError, match="is not above 0"):
        apply_temperature(np.array([0.5]), 0.0)
    with pytest.raises(InputError, match="do not sum to 1"):
        classwise_ece(np.array([[0.5, 0.2]]), np.array([0]))
    with pytest.raises(InputError, match="none of the 2 classes"):
        classwise_ece(np.array([[0.5, 0.5]]), np.array([2]))

"""Platt scaling: against scikit-learn, and numbers for forecasts however bad they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from safe_eval.statistics.calibration.platt import Platt, apply_platt, fit_platt


def sure_and_mostly_wrong(n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.uniform(0.9, 0.999, n), (rng.random(n) < 0.375).astype(float)


def test_slope_and_bias_are_those_of_scikit_learns_logistic_regression() -> None:
    """Without a penalty; an item with target t is one of weight t that is right, and one that is not."""
    from sklearn.linear_model import LogisticRegression

    confidence, correct = sure_and_mostly_wrong()
    rights, wrongs = correct.sum(), (1 - correct).sum()
    targets = np.where(correct > 0, (rights + 1) / (rights + 2), 1 / (wrongs + 2))
    logits = np.log(confidence / (1 - confidence))[:, None]
    theirs = LogisticRegression(C=np.inf, solver="newton-cholesky", tol=1e-12).fit(
        np.r_[logits, logits],
        np.repeat([1, 0], len(correct)),
        sample_weight=np.r_[targets, 1 - targets],
    )
    found = fit_platt(confidence, correct)
    assert [found.slope, found.bias] == pytest.approx([theirs.coef_[0, 0], theirs.intercept_[0]], abs=1e-6)
    assert found.bound is None


def test_it_is_the_sigmoid_of_scikit_learns_calibration() -> None:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.frozen import FrozenEstimator

    class Logits(ClassifierMixin, BaseEstimator):
        """A fitted classifier that says the logits it is given."""

        def fit(self, X: np.ndarray, y: np.ndarray) -> "Logits":
            self.classes_ = np.unique(y)
            return self

        def predict(self, X: np.ndarray) -> np.ndarray:
            return X[:, 0] > 0

        def decision_function(self, X: np.ndarray) -> np.ndarray:
            return X[:, 0]

    confidence, correct = sure_and_mostly_wrong()
    logits = np.log(confidence / (1 - confidence))[:, None]
    theirs = CalibratedClassifierCV(FrozenEstimator(Logits().fit(logits, correct)), method="sigmoid")
    chances = theirs.fit(logits, correct).predict_proba(logits)[:, 1]
    assert apply_platt(confidence, fit_platt(confidence, correct)) == pytest.approx(chances, abs=1e-5)


def test_it_mends_what_a_temperature_cannot() -> None:
    confidence, correct = sure_and_mostly_wrong()
    after = apply_platt(confidence, fit_platt(confidence, correct))
    assert after.mean() == pytest.approx(correct.mean(), abs=0.005)
    assert (after < 0.5).all()  # at any temperature they stay above


@pytest.mark.parametrize(
    ("confidence", "correct", "after"),
    [
        ([1.0] * 8, [1, 0, 0, 0] * 2, 0.28125),  # (2 · 3/4 + 6 · 1/8) / 8, by the targets
        ([0.0] * 8, [1, 0, 0, 0] * 2, 0.28125),
        ([0.5] * 8, [1, 0, 0, 0] * 2, 0.28125),
        ([0.6, 0.9] * 4, [1] * 8, 0.9),
        ([0.6, 0.9] * 4, [0] * 8, 0.1),
        ([0.8], [0], 1 / 3),
    ],
)
def test_whatever_was_said_there_is_a_fit(confidence: list, correct: list, after: float) -> None:
    said, right = np.array(confidence), np.array(correct, dtype=float)
    found = fit_platt(said, right)
    assert apply_platt(said, found) == pytest.approx(np.full(len(said), after), abs=1e-6)


def test_forecasts_without_error_have_finite_parameters_within_bounds() -> None:
    apart = fit_platt(np.repeat([0.6, 0.8], 9), np.repeat([0.0, 1.0], 9))
    assert 0 < apart.slope < 10
    nearly_equal = fit_platt(np.repeat([0.6, 0.6 + 1e-9], 9), np.repeat([0.0, 1.0], 9))
    assert nearly_equal.slope == 1000
    assert nearly_equal.bound == (
        "the slope reached its bound 1000: confidences that hardly differ tell right from wrong"
    )


def test_surer_and_more_often_wrong_is_a_slope_below_0() -> None:
    turned = fit_platt(np.tile([0.9, 0.6], 40), np.tile([0.0, 1.0], 40))
    assert turned.slope < 0
    assert apply_platt(np.array([0.9]), turned) < apply_platt(np.array([0.6]), turned)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=20))
def test_calibrated_confidences_are_probabilities_and_mean_what_was_seen(
    items: list[tuple[float, float]],
) -> None:
    confidence, correct = np.array(items).T
    found = fit_platt(confidence, correct)
    after = apply_platt(confidence, found)
    assert np.isfinite([found.slope, found.bias]).all()
    assert ((after >= 0) & (after <= 1)).all()
    rights = correct.sum()
    targets = correct * (rights + 1) / (rights + 2) + (1 - correct) / (len(correct) - rights + 2)
    assert after.mean() == pytest.approx(targets.mean(), abs=1e-4)


def test_slope_1_and_bias_0_change_nothing() -> None:
    said = np.array([0.01, 0.5, 0.7])
    assert apply_platt(said, Platt(1.0, 0.0)) == pytest.approx(said)

"""Temperature scaling: against scikit-learn and SciPy, a planted temperature, and bounds that are reached."""

import numpy as np
import pytest
from made_forecasts import planted, softmax

from safe_data.core.errors import InputError
from safe_eval.statistics.calibration.temperature import (
    apply_multiclass_temperature,
    apply_temperature,
    bound_reached,
    fit_multiclass_temperature,
    fit_temperature,
)


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


def test_a_planted_temperature_is_found_however_hot() -> None:
    said, right = planted(30_000, 8.0)
    assert said.min() < 1e-30  # no probability is so small that it tells nothing
    assert fit_multiclass_temperature(said, right) == pytest.approx(8.0, rel=0.02)


def test_a_temperature_is_scipys() -> None:
    from scipy.optimize import minimize_scalar

    said, right = planted(400, 8.0)
    logits = np.log(said)

    def nll(temperature: float) -> float:
        return float(-np.log(softmax(logits / temperature)[np.arange(400), right]).mean())

    theirs = minimize_scalar(nll, bounds=(1, 50), method="bounded", options={"xatol": 1e-9}).x
    assert fit_multiclass_temperature(said, right) == pytest.approx(theirs, abs=1e-5)


def test_items_may_have_different_choices() -> None:
    said, right = planted(600, 3.0)
    padded = np.hstack([said, np.full((600, 2), np.nan)])
    assert fit_multiclass_temperature(padded, right) == pytest.approx(fit_multiclass_temperature(said, right))
    cooled = apply_multiclass_temperature(padded, 3.0)
    assert cooled[:, :4] == pytest.approx(apply_multiclass_temperature(said, 3.0))
    assert np.isnan(cooled[:, 4:]).all()


def test_a_probability_of_0_is_below_all_that_are_said() -> None:
    cooled = apply_multiclass_temperature(np.array([[1.0, 1e-20, 0.0]]), 10.0)[0]
    assert cooled[0] > cooled[1] >= cooled[2] > 0


@pytest.mark.parametrize(
    ("confidence", "correct", "temperature", "why"),
    [
        ([0.6, 0.7], [1, 1], 0.001, "every likelier outcome came, or nearly"),
        ([0.9, 0.9], [0, 0], 1000.0, "likelier outcomes did not come more often"),
        ([1.0, 1.0], [0, 1], 1000.0, "likelier outcomes did not come more often"),
        ([0.5, 0.5], [0, 0], 1.0, None),  # which no temperature changes
    ],
)
def test_a_bound_that_is_reached_is_named(
    confidence: list[float], correct: list[int], temperature: float, why: str | None
) -> None:
    found = fit_temperature(np.array(confidence), np.array(correct, dtype=float))
    assert found == temperature
    assert bound_reached(found) == (why and f"the temperature reached its bound {temperature:g}: {why}")


def test_a_temperature_is_above_0() -> None:
    with pytest.raises(InputError, match="is not above 0"):
        apply_temperature(np.array([0.5]), 0.0)

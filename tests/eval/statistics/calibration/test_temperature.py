"""Temperature scaling: against scikit-learn, and where no temperature fits."""

import numpy as np
import pytest

from safe_data.core.errors import InputError
from safe_eval.statistics.calibration.temperature import (
    apply_multiclass_temperature,
    apply_temperature,
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


def test_what_no_temperature_fits() -> None:
    with pytest.raises(InputError, match="every answer is right"):
        fit_temperature(np.array([0.6, 0.7]), np.ones(2))
    with pytest.raises(InputError, match="says nothing"):
        fit_temperature(np.array([0.9, 0.9]), np.zeros(2))
    with pytest.raises(InputError, match="is not above 0"):
        apply_temperature(np.array([0.5]), 0.0)

"""Brier score and NLL equal scikit-learn."""

import numpy as np
import pytest

from safe_eval.statistics.calibration.proper_scores import brier, multiclass_brier, multiclass_nll, nll


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

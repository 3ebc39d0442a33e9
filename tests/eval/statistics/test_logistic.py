"""Logistic regression: the fit is scikit-learn's, and its penalty is judged on other groups."""

from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from safe_data.core.errors import InputError
from safe_eval.statistics import logistic
from safe_eval.statistics.logistic import STRENGTHS, Logistic, best_strength, fit_logistic


def made(items: int, features: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = rng.integers(3, size=items)
    values = rng.standard_normal((items, features)) * rng.uniform(0.1, 9, features)
    values[:, :3] += 1.5 * (labels[:, None] == np.arange(3))
    return values, labels


@pytest.mark.parametrize("strength", STRENGTHS)
@pytest.mark.parametrize("shape", [(90, 4), (40, 60)])
def test_the_fit_is_that_of_scikit_learn(strength: float, shape: tuple[int, int]) -> None:
    features, labels = made(*shape, seed=0)
    others, _ = made(50, shape[1], seed=1)
    fit = fit_logistic(features, labels, 3, strength)
    mean, std = features.mean(axis=0), features.std(axis=0)
    theirs = LogisticRegression(C=strength, tol=1e-8, max_iter=10_000).fit((features - mean) / std, labels)
    assert np.abs(fit.chances(others) - theirs.predict_proba((others - mean) / std)).max() < 1e-3


def test_a_class_that_was_not_seen_has_no_chance_and_a_constant_no_weight() -> None:
    features, labels = made(60, 4, seed=0)
    features[:, 3] = 7.0
    fit = fit_logistic(features, labels * 2, 6, 1.0)
    chances = fit.chances(features)
    assert np.all(chances[:, [1, 3, 5]] == 0)
    assert chances.sum(axis=1) == pytest.approx(1)
    assert np.abs(fit.weights[3]).max() < 1e-9


def test_no_item_is_judged_by_a_fit_on_its_group(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = np.repeat(np.arange(12), 5)
    features, labels = groups[:, None].astype(float), groups % 2
    asked: list[float] = []

    def watched(features: np.ndarray, labels: np.ndarray, classes: int, strength: float) -> Logistic:
        fit = fit_logistic(features, labels, classes, strength)

        def chances(others: np.ndarray) -> np.ndarray:
            assert not set(others[:, 0]) & set(features[:, 0])
            asked.extend(others[:, 0])
            return fit.chances(others)

        return SimpleNamespace(chances=chances)

    monkeypatch.setattr(logistic, "fit_logistic", watched)
    assert best_strength(features, labels, 2, [str(group) for group in groups]) in STRENGTHS
    assert sorted(asked) == sorted([*groups] * len(STRENGTHS))
    with pytest.raises(InputError, match=r"must be at least 2"):
        best_strength(features, labels, 2, ["one"] * 60)


def test_of_equal_penalties_the_strongest_is_taken() -> None:
    groups = np.arange(40)
    features = np.where(groups % 2, 1.0, -1.0)[:, None]
    names = [str(group) for group in groups]
    assert best_strength(features, groups % 2, 2, names) == 0.1  # all weaker ones name all right, too
    assert best_strength(features, groups % 2 * 0, 2, names) == STRENGTHS[0]


def test_what_is_no_number_is_refused() -> None:
    with pytest.raises(InputError, match="not a finite number"):
        fit_logistic(np.array([[np.nan], [1.0]]), np.array([0, 1]), 2, 1.0)

"""Learned gates: the fit is scikit-learn's, follows from the seed, and scores no group it was fitted on."""

from functools import partial

import numpy as np
import pytest
from made_outcomes import made_outcomes
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from safe_data.core.errors import InputError
from safe_eval.statistics.folds import folds_by_group
from safe_train.gates.features import CLAMP, features_of
from safe_train.gates.learned import (
    SEEN,
    check_labels,
    corrected,
    fit_network,
    scores_out_of_fold,
)
from safe_train.gates.network import Network

MADE = made_outcomes(600)
FEATURES, LABELS = features_of(MADE.states, SEEN), corrected(MADE, 4)
LINEAR = partial(fit_network, hidden=False, l2=0.001, seed=0)


def test_the_label_is_right_with_the_sound_and_wrong_without() -> None:
    wanted = [with_sound == 1 and without == 0 for without, with_sound, _ in MADE.scores]
    assert LABELS.tolist() == wanted
    assert LABELS.sum() > 10


def test_the_linear_fit_is_that_of_scikit_learn() -> None:
    inputs = np.clip((FEATURES - FEATURES.mean(0)) / FEATURES.std(0), -CLAMP, CLAMP)
    rights = LABELS.sum()
    targets = np.where(LABELS, (rights + 1) / (rights + 2), 1 / (len(LABELS) - rights + 2))
    theirs = LogisticRegression(C=1 / (0.001 * len(LABELS)), tol=1e-9, max_iter=10_000).fit(
        np.concatenate([inputs, inputs]),
        np.repeat([1, 0], len(LABELS)),
        sample_weight=np.concatenate([targets, 1 - targets]),
    )
    chances = expit(LINEAR(FEATURES, LABELS)(FEATURES)[:, 0])
    np.testing.assert_allclose(chances, theirs.predict_proba(inputs)[:, 1], atol=1e-5)


@pytest.mark.parametrize("hidden", [False, True])
def test_the_fit_follows_from_the_seed_alone(hidden: bool) -> None:
    fits = [fit_network(FEATURES, LABELS, hidden=hidden, l2=0.001, seed=seed).weights for seed in (1, 1, 2)]
    assert all((fits[0][name] == fits[1][name]).all() for name in fits[0])
    assert (fits[0]["last.weight"] == fits[2]["last.weight"]).all() is np.bool_(not hidden)


def test_scores_are_chances_though_few_are_corrected() -> None:
    made = made_outcomes(4000, seed=5)
    labels = corrected(made, 4) & (np.arange(4000) % 5 == 0)
    features = features_of(made.states, SEEN)
    scores = expit(LINEAR(features, labels)(features)[:, 0])
    assert labels.mean() < 0.06
    assert abs(scores.mean() - labels.mean()) < 0.002


def test_no_group_is_scored_by_a_gate_that_saw_it() -> None:
    folds = folds_by_group(MADE.groups, 5)
    groups = np.array(MADE.groups)
    seen: list[set[str]] = []

    def spy(features: np.ndarray, labels: np.ndarray) -> Network:
        rows = [int(np.flatnonzero((row == FEATURES).all(1))[0]) for row in features]
        seen.append(set(groups[rows]))
        return LINEAR(features, labels)

    scores = scores_out_of_fold(FEATURES, LABELS, folds, spy)
    assert len(seen) == 5
    for fold, fitted_on in zip(np.unique(folds), seen, strict=True):
        assert fitted_on == set(groups) - set(groups[folds == fold])
    # A label that its own group's gate would know moves no score of that group.
    changed = LABELS.copy()
    changed[folds == 0] = ~changed[folds == 0]
    again = scores_out_of_fold(FEATURES, changed, folds, LINEAR)
    assert (again[folds == 0] == scores[folds == 0]).all()
    assert not (again[folds != 0] == scores[folds != 0]).all()


def test_a_gate_that_learns_by_heart_has_no_better_scores_out_of_fold() -> None:
    rng = np.random.default_rng(0)
    noise, labels = rng.standard_normal((200, 150)), rng.random(200) < 0.5
    fit = partial(fit_network, hidden=False, l2=1e-6, seed=0)
    by_heart = expit(fit(noise, labels)(noise)[:, 0])
    out = scores_out_of_fold(noise, labels, folds_by_group([str(i) for i in range(200)], 5), fit)
    assert ((by_heart > 0.5) == labels).mean() > 0.95
    assert ((out > 0.5) == labels).mean() < 0.65


def test_too_few_of_either_label_are_refused() -> None:
    with pytest.raises(InputError, match=r"hearing with 4 tokens corrects 9 of 600 answers; a learned gate"):
        check_labels(np.arange(600) < 9, 4)
    check_labels(np.arange(600) < 10, 4)

"""AUROC: against scikit-learn and a plain loop, and what its interval does in clusters and at the ends."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulations.deferral import of_auroc, of_decision
from safe_data.core.errors import InputError
from safe_eval.statistics.auroc import auroc, auroc_and_interval
from safe_eval.statistics.intervals import Interval


def made(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Scores in steps of 0.1, so that many are equal."""
    rng = np.random.default_rng(seed)
    positive = rng.random(n) < 0.4
    return np.round(rng.normal(size=n) + positive, 1), positive


@pytest.mark.parametrize("seed", range(3))
def test_auroc_is_scikit_learns_with_ties(seed: int) -> None:
    from sklearn.metrics import roc_auc_score

    scores, positive = made(seed=seed)
    assert auroc(scores, positive) == pytest.approx(roc_auc_score(positive, scores), abs=1e-12)


def test_of_decisions_it_is_balanced_accuracy() -> None:
    from sklearn.metrics import balanced_accuracy_score

    _, positive = made()
    opens = np.random.default_rng(1).random(len(positive)) < np.where(positive, 0.8, 0.3)
    found = auroc(opens.astype(float), positive)
    assert found == pytest.approx(balanced_accuracy_score(positive, opens), abs=1e-12)


def test_of_independent_items_the_standard_error_is_delongs() -> None:
    rng = np.random.default_rng(0)
    positive = rng.random(1500) < 0.5
    scores = rng.normal(size=1500) + positive
    pairs = scores[positive][:, None] > scores[~positive]
    variance = (
        pairs.mean(axis=1).var(ddof=1) / positive.sum() + pairs.mean(axis=0).var(ddof=1) / (~positive).sum()
    )
    _, interval = auroc_and_interval(scores, positive, np.arange(1500), 0.95)
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * np.sqrt(variance), rel=0.01)


def test_the_same_item_again_in_its_cluster_says_nothing_new() -> None:
    scores, positive = made()
    clusters = np.arange(len(scores)) // 2
    value, once = auroc_and_interval(scores, positive, clusters, 0.95)
    again, tenfold = auroc_and_interval(*(np.repeat(one, 10) for one in (scores, positive, clusters)), 0.95)
    assert again == pytest.approx(value)
    assert tenfold.high - tenfold.low == pytest.approx(once.high - once.low, rel=0.02)


def test_a_perfect_order_is_not_beyond_doubt() -> None:
    positive = np.arange(60) % 2 > 0
    value, interval = auroc_and_interval(positive * 1.0, positive, np.arange(60), 0.95)
    assert (value, interval.high) == (1.0, 1.0)
    assert 0.85 < interval.low < 0.97
    _, fewer = auroc_and_interval(positive[:20] * 1.0, positive[:20], np.arange(20), 0.95)
    assert fewer.low < interval.low


def test_scores_that_are_all_equal_order_nothing() -> None:
    positive = np.arange(60) % 3 > 0
    value, interval = auroc_and_interval(np.full(60, 0.7), positive, np.arange(60), 0.95)
    assert value == 0.5
    assert interval.low < 0.4 < 0.6 < interval.high


def test_the_items_of_one_cluster_show_no_other() -> None:
    scores, positive = made(20)
    assert auroc_and_interval(scores, positive, np.zeros(20), 0.95)[1] == Interval()
    alone = np.where(positive, 0, np.arange(20))
    assert auroc_and_interval(scores, positive, alone, 0.95)[1] == Interval()


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 6)), min_size=2, max_size=40))
def test_turned_round_it_is_what_is_missing_to_1(items: list[tuple[int, bool, int]]) -> None:
    scores, labels, clusters = (np.array(column) for column in zip(*items, strict=True))
    if labels.all() or not labels.any():
        return
    value, interval = auroc_and_interval(scores * 1.0, labels, clusters, 0.95)
    turned, other = auroc_and_interval(-scores * 1.0, labels, clusters, 0.95)
    assert turned == pytest.approx(1 - value)
    if interval.low is not None:
        assert 0 <= interval.low <= value <= interval.high <= 1
        assert [other.low, other.high] == pytest.approx([1 - interval.high, 1 - interval.low], abs=1e-9)


def test_what_has_no_auroc_is_refused() -> None:
    with pytest.raises(InputError, match="3 positive and 0 negative items of 3 scores have no AUROC"):
        auroc(np.ones(3), np.ones(3, dtype=bool))
    with pytest.raises(InputError, match="a score is not a finite number"):
        auroc(np.array([np.nan, 1.0]), np.array([True, False]))


@pytest.mark.parametrize("truth", [0.6, 0.8, 0.95])
def test_the_interval_holds_the_truth(truth: float) -> None:
    """In full by `python -m benchmarks.coverage_simulation`; here enough to see a wrong formula."""
    found = [
        of_auroc(np.random.default_rng(n), truth=truth, positive=0.5, count=50)["DeLong score"]
        for n in range(200)
    ]
    assert 0.91 <= np.mean(found) <= 0.995


def test_the_interval_of_decisions_holds_the_truth() -> None:
    found = [of_decision(np.random.default_rng(n), right=0.7, count=50)["DeLong score"] for n in range(200)]
    assert 0.91 <= np.mean(found) <= 0.99

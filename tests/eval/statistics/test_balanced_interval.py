"""Balanced interval: put together from the recalls, wide for a rare class, and close to a plain bootstrap."""

from functools import partial

import numpy as np
import pytest

from benchmarks.simulations.case import Case, shares
from benchmarks.simulations.means import of_recalls
from safe_eval.statistics.balanced_interval import BALANCED, balanced_interval, rarest_clusters
from safe_eval.statistics.intervals import Interval
from safe_eval.statistics.score_interval import score_interval


def plain_loop(right: np.ndarray, classes: np.ndarray, clusters: np.ndarray) -> np.ndarray:
    """Balanced accuracies of clusters drawn one by one."""
    rng, labels, found = np.random.default_rng(7), np.unique(clusters), []
    members = {c: np.flatnonzero(clusters == c) for c in labels}
    for _ in range(2000):
        drawn = np.concatenate([members[c] for c in rng.choice(labels, len(labels))])
        recalls = [right[drawn][classes[drawn] == c].mean() for c in np.unique(classes[drawn])]
        found.append(float(np.mean(recalls)))
    return np.array(found)


@pytest.mark.parametrize("shared", [False, True])  # whether a cluster has clips of both classes
def test_many_clusters_have_the_interval_of_a_plain_bootstrap(shared: bool) -> None:
    rng = np.random.default_rng(0)
    clusters = np.arange(1200) // 4
    classes = rng.integers(0, 2, 1200) if shared else clusters % 2
    right = (rng.random(1200) < rng.beta(2, 1, 300)[clusters]).astype(float)
    found = balanced_interval(right, classes, clusters, 0.95)
    low, high = np.quantile(plain_loop(right, classes, clusters), (0.025, 0.975))
    assert (found.low, found.high) == pytest.approx((low, high), abs=0.012)
    assert found.method == BALANCED


def test_one_class_has_the_interval_of_its_recall() -> None:
    right, clusters = np.array([1.0, 1, 0, 1, 1, 0] * 5), np.arange(30) // 2
    found = balanced_interval(right, np.zeros(30, int), clusters, 0.95)
    alone = score_interval(right, clusters, 0.95)
    assert (found.low, found.high) == pytest.approx((alone.low, alone.high))


def test_perfect_recalls_of_a_rare_class_claim_no_certainty() -> None:
    classes = np.array([0] * 95 + [1] * 5)
    found = balanced_interval(np.ones(100), classes, np.arange(100), 0.95)
    assert found.high == 1.0
    assert found.low < 0.7
    assert rarest_clusters(classes, np.arange(100)) == 5
    opposite = balanced_interval(1.0 - classes, classes, np.arange(100), 0.95)
    assert (opposite.low + opposite.high) / 2 == pytest.approx(0.5, abs=0.25)


def test_a_class_in_one_cluster_has_no_interval() -> None:
    classes = np.array([0] * 20 + [1] * 3)
    clusters = np.array([*range(20), 7, 7, 7])
    assert balanced_interval(np.ones(23), classes, clusters, 0.95) == Interval()
    assert balanced_interval(np.ones(23), classes, np.zeros(23), 0.95) == Interval()


def test_a_class_of_few_clusters_is_held_as_often_as_said() -> None:
    for rare in (3, 5, 20):
        trial = partial(of_recalls, rare=rare, correlation=0.3)
        assert shares(Case("recalls", "0.95", trial), 100)["balanced"] >= 0.9

"""Seeds: simulated parts of the spread are recovered, and intervals cover clusters and seeds."""

from functools import partial

import numpy as np
import pytest

from benchmarks.simulations.case import Case, shares
from benchmarks.simulations.seeds import of_the_mean
from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.intervals import (
    Interval,
    mean_interval,
)
from safe_eval.statistics.seeds import (
    always_right,
    always_wrong,
    seed_spread,
    two_way_interval,
)

QUICK = Sampling(resamples=500)


THREE = np.array([[1.0, 0.0, 0.6, 0.0], [1.0, 0.0, 0.3, 1.0], [1.0, 0.3, 0.9, 1.0]])


def test_mean_and_std_over_runs_by_hand() -> None:
    spread = seed_spread(THREE, np.arange(4), QUICK)
    assert spread.means == pytest.approx((0.4, 0.575, 0.8))
    assert spread.mean == pytest.approx(np.mean([0.4, 0.575, 0.8]))
    assert spread.std == pytest.approx(np.std([0.4, 0.575, 0.8], ddof=1))
    assert (spread.n, spread.clusters, spread.interval.method) == (4, 4, "cluster and seed t")


def test_seeds_items_and_scatter_are_told_apart() -> None:
    """Simulated from known parts: seeds of std 0.05, items of std 0.3, scatter of std 0.5, 400 items."""
    rng = np.random.default_rng(0)
    parts = []
    for _ in range(200):
        seeds, items = rng.normal(0, 0.05, size=(5, 1)), rng.normal(0, 0.3, size=400)
        spread = seed_spread(
            seeds + items + rng.normal(0, 0.5, size=(5, 400)), np.arange(400), Sampling(resamples=100)
        )
        parts.append([spread.std**2, spread.noise_std**2, spread.sampling_stderr**2])
    between, noise, sampling = np.mean(parts, axis=0)
    assert noise == pytest.approx(0.5**2 / 400, rel=0.03)
    assert between - noise == pytest.approx(0.05**2, rel=0.15)
    assert sampling == pytest.approx((0.3**2 + 0.5**2 / 5) / 400, rel=0.03)


def test_seeds_of_equal_worth_have_no_spread_of_their_own() -> None:
    """Scatter that clusters share: counted by item it would be taken for a difference between seeds."""
    rng = np.random.default_rng(1)
    clusters = np.arange(600) // 6
    shares = []
    for _ in range(100):
        scores = rng.normal(size=(4, 100))[:, clusters]
        spread = seed_spread(scores, clusters, Sampling(resamples=100))
        shares.append(spread.std**2 / spread.noise_std**2)
    assert np.mean(shares) == pytest.approx(1, abs=0.15)


def test_one_seed_has_no_spread() -> None:
    spread = seed_spread(THREE[:1], np.arange(4), QUICK)
    assert (spread.std, spread.noise_std, spread.seed_std, spread.interval) == (None, None, None, Interval())
    assert spread.sampling_stderr > 0


def test_wrong_and_right_in_every_seed() -> None:
    assert always_wrong(THREE, right_from=0.5).tolist() == [False, True, False, False]
    assert always_right(THREE, right_from=0.5).tolist() == [True, False, False, False]
    assert always_right(THREE, right_from=0.3).tolist() == [True, False, True, False]


def test_scores_are_seeds_by_items() -> None:
    with pytest.raises(InputError, match="give seeds × items"):
        seed_spread(THREE, np.arange(3), QUICK)


def test_two_ways_are_wider_than_one_where_seeds_differ() -> None:
    from scipy.stats import t

    rng = np.random.default_rng(0)
    items = rng.random(200)
    worth = np.array([-0.2, -0.1, 0.0, 0.1, 0.2])
    values, seeds = np.add.outer(worth, items).ravel(), np.repeat(np.arange(5), 200)
    clusters = np.tile(np.arange(200), 5)
    both = two_way_interval(values, clusters, seeds, Sampling())
    one = mean_interval(values, clusters, Sampling())
    assert both.method == "cluster and seed t"
    assert both.high - both.low > 2 * (one.high - one.low)
    of_seeds, of_clusters = worth.var(ddof=1) / 5, items.var(ddof=1) / 200
    freedom = (of_seeds + of_clusters) ** 2 / (of_seeds**2 / 4 + of_clusters**2 / 199)
    expected = 2 * t.ppf(0.975, freedom) * np.sqrt(of_seeds + of_clusters)
    assert both.high - both.low == pytest.approx(expected)


def test_two_ways_hold_the_truth_where_seeds_differ() -> None:
    case = Case("five seeds", "0.95", partial(of_the_mean, seeds=5, seed_std=0.03), trials=400)
    assert 0.92 <= shares(case)["two-way t"] <= 0.98


def test_two_ways_of_equal_seeds_are_one_way_and_of_one_seed_none() -> None:
    items, clusters = np.random.default_rng(0).random(300), np.arange(300)
    seeds = np.repeat([0, 1, 2], 300)
    both = two_way_interval(np.tile(items, 3), np.tile(clusters, 3), seeds, Sampling())
    one = mean_interval(items, clusters, Sampling())
    assert [both.low, both.high] == pytest.approx([one.low, one.high], abs=0.004)
    assert two_way_interval(items, clusters, np.zeros(300), Sampling()) == Interval()
    assert two_way_interval(items, np.zeros(300), np.arange(300) % 2, Sampling()) == Interval()

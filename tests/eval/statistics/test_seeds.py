"""Seeds: simulated parts of the spread are recovered, and intervals cover clusters and seeds."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.simulations.case import Case, shares
from benchmarks.simulations.seeds import (
    equally_good,
    few_changes,
    limit_of_seeds,
    loss_called_none,
    of_the_mean,
)
from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.intervals import (
    Interval,
    mean_interval,
)
from safe_eval.statistics.seeds import (
    always_right,
    always_wrong,
    linear_spread,
    seed_difference,
    seed_spread,
)
from safe_eval.statistics.two_way import two_way_interval

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
        scores = seeds + items + rng.normal(0, 0.5, size=(5, 400))
        spread = linear_spread(scores, np.arange(400), QUICK, scale=(-9, 9))
        parts.append([spread.std**2, spread.noise_std**2, spread.sampling_stderr**2])
    between, noise, sampling = np.mean(parts, axis=0)
    assert noise == pytest.approx(0.5**2 / 400, rel=0.03)
    assert between - noise == pytest.approx(0.05**2, rel=0.15)
    assert sampling == pytest.approx((0.3**2 + 0.5**2 / 5) / 400, rel=0.03)


def test_seeds_of_equal_worth_have_no_spread_of_their_own() -> None:
    """Scatter that clusters share: counted by item it would be taken for a difference between seeds."""
    rng = np.random.default_rng(1)
    clusters = np.arange(600) // 6
    shares_of_noise = []
    for _ in range(100):
        scores = rng.normal(size=(4, 100))[:, clusters]
        spread = linear_spread(scores, clusters, QUICK, scale=(-9, 9))
        shares_of_noise.append(spread.std**2 / spread.noise_std**2)
    assert np.mean(shares_of_noise) == pytest.approx(1, abs=0.15)


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


@st.composite
def differences_over_seeds(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Gains and losses of 2 to 5 seeds, right or wrong or graded, in clusters of unequal size."""
    seeds, items, groups = draw(st.integers(2, 5)), draw(st.integers(2, 60)), draw(st.integers(2, 20))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    share, gained = draw(st.floats(0, 1)), draw(st.floats(0, 1))
    shared = rng.random(items)
    drawn = np.where(rng.random((seeds, items)) < draw(st.floats(0, 1)), shared, rng.random((seeds, items)))
    signs = np.where(rng.random(items) < gained, 1.0, -1.0)
    grades = rng.choice([0.3, 0.6, 1.0], size=items) if draw(st.booleans()) else np.ones(items)
    return (drawn < share) * signs * grades, rng.integers(0, groups, size=items)


@given(differences_over_seeds(), st.sampled_from([0.8, 0.9, 0.95, 0.99]))
@settings(max_examples=40, deadline=None)
def test_p_is_small_exactly_where_the_interval_excludes_0(
    made: tuple[np.ndarray, np.ndarray], confidence: float
) -> None:
    found = seed_difference(*made, Sampling(confidence=confidence)).inference
    if found.interval.low is None:
        assert found.p_value is None
        return
    excludes = found.interval.low > 0 or found.interval.high < 0
    assert (found.p_value <= 1 - confidence) == excludes
    mean = made[0].mean()
    assert found.interval.low <= mean <= found.interval.high
    assert found.one_sided.low <= mean <= found.one_sided.high


@pytest.mark.parametrize(("seeds", "seed_std"), [(3, 0.0), (3, 0.01), (3, 0.03), (5, 0.01)])
def test_seeds_that_differ_by_chance_are_told_apart_no_more_often_than_said(
    seeds: int, seed_std: float
) -> None:
    """The sign-flip test over clusters, which sees no seeds, gave p ≤ 0.05 in 54 % of trials at 1 point."""
    for alone in (False, True):
        trial = partial(equally_good, seeds=seeds, seed_std=seed_std, one_baseline=alone)
        found = shares(Case("alike", "0.05", trial), 40)
        assert found["p at most 0.05"] == found["interval without 0"] <= 0.05 + 0.1


def test_few_changes_and_few_losses_are_no_certainty() -> None:
    few = shares(Case("few", "<= 0.05", partial(few_changes, seeds=3, changed=0.03)), 50)
    assert max(few.values()) <= 0.05 + 0.09
    lost = partial(loss_called_none, seeds=3, seed_std=0.005, margin=0.01, count=1000, sizes="singletons")
    assert shares(Case("lost", "<= 0.06", lost), 100)["one-sided tests"] <= 0.06 + 0.07


def test_no_change_at_all_is_an_interval_and_one_change_is_nearly_the_same() -> None:
    clusters, none = np.arange(600), np.zeros((3, 600))
    one = none.copy()
    one[:, 7] = -1.0
    (without, once) = (seed_difference(rows, clusters, Sampling()).inference for rows in (none, one))
    assert without.p_value == 1.0
    assert without.interval.low == pytest.approx(-0.0059, abs=1e-4) == -without.interval.high
    assert without.one_sided.low == pytest.approx(-0.0050, abs=1e-4)
    assert once.one_sided.low < without.one_sided.low
    assert once.interval.low < without.interval.low


def test_a_worse_model_never_passes_where_a_better_one_fails() -> None:
    """Losses that all seeds share: each more lowers the low end of the one-sided tests."""
    clusters, lows = np.arange(2000) // 2, []
    for lost in range(0, 60, 3):
        differences = np.zeros((3, 2000))
        differences[:, :lost] = -1.0
        lows.append(seed_difference(differences, clusters, Sampling()).inference.one_sided.low)
    assert lows == sorted(lows, reverse=True)


def test_scores_on_another_scale_agree_with_their_p_value_too() -> None:
    """CIDEr goes to 10. Where all clusters and seeds agree, p belongs to Wilson's limit."""
    for gain in (0.0, 0.1, 2.0):
        found = seed_difference(np.full((3, 40), gain), np.arange(40), Sampling(), scale=(-10, 10)).inference
        assert found.interval.method == "wilson"
        assert (found.p_value <= 0.05) == (found.interval.low > 0)


@pytest.mark.parametrize(("seeds", "seed_std"), [(3, 0.005), (3, 0.02), (10, 0.02)])
def test_the_limit_of_the_spread_between_seeds_holds_it(seeds: int, seed_std: float) -> None:
    trial = partial(limit_of_seeds, seeds=seeds, seed_std=seed_std, count=250, sizes="one to eight")
    assert shares(Case("limits", ">= 0.95", trial), 100)["the limit holds it"] >= 0.95 - 0.065


def test_without_item_noise_the_limit_is_the_chi_square_one() -> None:
    from scipy.stats import chi2

    scores = np.add.outer([0.0, 0.01, 0.02], np.random.default_rng(0).random(500) / 2)
    found = seed_spread(scores, np.arange(500), Sampling())
    assert found.seed_std == pytest.approx(found.std) == pytest.approx(0.01)
    assert found.seed_std_high == pytest.approx(0.01 * np.sqrt(2 / chi2.ppf(0.05, 2)), rel=1e-3)


def test_seeds_that_never_differed_may_differ_in_clusters_not_yet_seen() -> None:
    scores = np.tile(np.arange(100) % 2.0, (3, 1))
    found = seed_spread(scores, np.arange(100), Sampling())
    assert (found.std, found.seed_std) == (0.0, 0.0)
    assert found.seed_std_high == pytest.approx((1 - 0.05 ** (1 / 100)) / 2)


def test_two_ways_of_equal_seeds_are_one_way_and_of_one_seed_none() -> None:
    items, clusters = np.random.default_rng(0).random(300), np.arange(300)
    seeds = np.repeat([0, 1, 2], 300)
    both = two_way_interval(np.tile(items, 3), np.tile(clusters, 3), seeds, Sampling())
    one = mean_interval(items, clusters, Sampling())
    assert [both.low, both.high] == pytest.approx([one.low, one.high], abs=0.004)
    assert two_way_interval(items, clusters, np.zeros(300), Sampling()) == Interval()
    assert two_way_interval(items, np.zeros(300), np.arange(300) % 2, Sampling()) == Interval()

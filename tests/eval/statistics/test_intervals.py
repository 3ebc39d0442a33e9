"""Intervals: BCa, Student's t, Wilson, two-way, and the draws below them, against SciPy and statsmodels."""

from typing import Any

import numpy as np
import pytest

from benchmarks.coverage_simulation import two_way_coverage
from safe_data.core.errors import InputError
from safe_eval.statistics.bca import bca_interval, bca_interval_of, bca_levels
from safe_eval.statistics.bootstrap import _by_cluster, _times_drawn, cluster_totals
from safe_eval.statistics.intervals import (
    clustered_stderr,
    mean_interval,
    percentile_levels,
    t_interval,
    wilson_interval,
    wilson_zero,
)
from safe_eval.statistics.sampling import Interval, Sampling
from safe_eval.statistics.seeds import two_way_interval

WIDENED = 2 * percentile_levels(0.95, 300)[1] - 1  # the level at which SciPy ends where ours do

SKEWED = np.random.default_rng(7).exponential(size=300) ** 1.5


def scipys_bca(values: np.ndarray, resamples: int) -> Any:
    from scipy.stats import bootstrap

    draws = {"n_resamples": resamples, "rng": np.random.default_rng(1), "batch": 100}
    return bootstrap((values,), np.mean, confidence_level=WIDENED, method="BCa", **draws)


@pytest.mark.parametrize("kind", ["skewed", "right or wrong"])
def test_bca_ends_are_scipys_on_the_same_resamples(kind: str) -> None:
    values = SKEWED if kind == "skewed" else (SKEWED < 2).astype(float)
    theirs = scipys_bca(values, 2000)
    left_out = (values.sum() - values) / (len(values) - 1)
    levels = bca_levels(theirs.bootstrap_distribution, values.mean(), left_out, 0.95)
    ours = np.quantile(theirs.bootstrap_distribution, levels)
    assert ours == pytest.approx(list(theirs.confidence_interval), abs=1e-9)


def test_bca_interval_of_single_items_is_scipys_within_its_noise() -> None:
    theirs = scipys_bca(SKEWED, 10_000).confidence_interval
    ours = bca_interval(SKEWED, np.arange(300), Sampling())
    assert [ours.low, ours.high] == pytest.approx(list(theirs), abs=0.02)
    percentile = mean_interval(SKEWED, np.arange(300), Sampling())
    assert ours.high > percentile.high + 0.01  # the long tail is on that side


def test_the_jackknife_of_bca_leaves_out_whole_clusters() -> None:
    """Each item ten times in its cluster is the same evidence as once."""
    once = bca_interval(SKEWED, np.arange(300), Sampling())
    tenfold = bca_interval(np.repeat(SKEWED, 10), np.repeat(np.arange(300), 10), Sampling())
    assert [once.low, once.high] == pytest.approx([tenfold.low, tenfold.high], abs=1e-6)


def test_bca_of_other_sums_and_of_no_spread() -> None:
    """A difference of two slices of the same clips, which share clusters."""
    rng = np.random.default_rng(0)
    totals = np.stack([rng.integers(0, 5, 200), np.full(200, 4), rng.integers(0, 3, 200), np.full(200, 2)], 1)

    def drop(sums: np.ndarray) -> np.ndarray:
        return sums[..., 0] / sums[..., 1] - sums[..., 2] / sums[..., 3]

    interval = bca_interval_of(drop, totals.astype(float), Sampling())
    assert interval.low < drop(totals.sum(axis=0)) < interval.high
    assert bca_interval_of(drop, np.ones((20, 4)), Sampling()) == Interval()
    assert bca_interval_of(drop, np.ones((1, 4)), Sampling()) == Interval()


def test_bca_of_one_cluster_and_of_agreement_is_as_the_percentile_interval() -> None:
    assert bca_interval(np.ones(3), np.zeros(3), Sampling()) == Interval()
    every = np.ones(50), np.arange(50)
    assert bca_interval(*every, Sampling()) == mean_interval(*every, Sampling())
    assert t_interval(*every, 0.95) == mean_interval(*every, Sampling())


def test_t_interval_is_the_textbook_one_and_that_of_resamples_nearly_as_wide() -> None:
    from scipy.stats import t

    values = np.random.default_rng(3).random(8)
    ours = t_interval(values, np.arange(8), 0.95)
    theirs = t.interval(0.95, 7, loc=values.mean(), scale=values.std(ddof=1) / np.sqrt(8))
    assert [ours.low, ours.high] == pytest.approx(list(theirs))
    drawn = mean_interval(values, np.arange(8), Sampling())
    assert drawn.high - drawn.low == pytest.approx(ours.high - ours.low, rel=0.1)


def test_intervals_of_few_clusters_reach_as_far_as_students_t() -> None:
    """Normal resamples end at √(C / (C − 1)) × t of their own standard deviations: Hesterberg's expansion."""
    from scipy.stats import norm, t

    for clusters in (2, 10, 120):
        low, high = percentile_levels(0.95, clusters)
        reach = np.sqrt(clusters / (clusters - 1)) * t.ppf(0.975, clusters - 1)
        assert (low, high) == (pytest.approx(norm.cdf(-reach)), pytest.approx(norm.cdf(reach)))


def test_stderr_is_statsmodels_clustered_one() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(30), rng.integers(1, 8, size=30))
    values = rng.random(30)[clusters] + rng.random(len(clusters))
    fit = sm.OLS(values, np.ones(len(values))).fit(cov_type="cluster", cov_kwds={"groups": clusters})
    assert clustered_stderr(values, clusters) == pytest.approx(fit.bse[0], rel=1e-9)


@pytest.mark.parametrize(("right", "n"), [(0, 10), (7, 10), (10, 10), (431, 1000)])
def test_wilson_is_scipys(right: int, n: int) -> None:
    from scipy.stats import binomtest

    theirs = binomtest(right, n).proportion_ci(0.9, method="wilson")
    ours = wilson_interval(right / n, n, 0.9)
    assert [ours.low, ours.high] == pytest.approx([theirs.low, theirs.high], abs=1e-12)
    if not right:
        assert ours.high == pytest.approx(wilson_zero(n, 0.9))


@pytest.mark.parametrize(("share", "n"), [(1.2, 10), (0.5, 0), (float("nan"), 10)])
def test_wilson_refuses_what_is_no_share(share: float, n: int) -> None:
    with pytest.raises(InputError, match="give one in"):
        wilson_interval(share, n, 0.95)


def test_counts_of_the_fast_draw_are_multinomial() -> None:
    """Each row sums to C; each count is Binomial(C, 1/C); two counts have covariance −1/C."""
    from scipy.stats import binom, chisquare

    clusters = 100
    counts = np.concatenate([*_times_drawn(clusters, Sampling(resamples=20_000))]).astype(int)
    assert (counts.sum(axis=1) == clusters).all()
    expected = binom.pmf(np.arange(6), clusters, 1 / clusters) * counts.size
    observed = np.bincount(counts.ravel(), minlength=10)
    tail = [counts.size - expected.sum()], [observed[6:].sum()]
    assert chisquare(np.r_[observed[:6], tail[1]], np.r_[expected, tail[0]]).pvalue > 0.001
    assert counts.mean(axis=0) == pytest.approx(np.ones(clusters), abs=0.04)
    covariance = np.cov(counts.T)
    apart = covariance[~np.eye(clusters, dtype=bool)].mean()
    assert apart == pytest.approx(-1 / clusters, rel=0.02)
    assert np.diag(covariance).mean() == pytest.approx(1 - 1 / clusters, rel=0.02)


def test_sums_in_32_bits_are_those_of_64() -> None:
    rng = np.random.default_rng(0)
    totals = np.stack([rng.random(500) + 1000, rng.integers(1, 9, 500)], axis=1)
    sampling = Sampling(resamples=200)
    exact = np.concatenate([counts.astype(float) @ totals for counts in _times_drawn(500, sampling)])
    assert _by_cluster(totals, sampling) == pytest.approx(exact, abs=1e-3 * exact.std(axis=0).min())


def test_the_fast_draw_does_not_depend_on_the_order_of_items() -> None:
    rng = np.random.default_rng(0)
    values, clusters, order = rng.random(900), np.arange(900) // 3, rng.permutation(900)
    sampling = Sampling(resamples=200)
    assert bca_interval(values, clusters, sampling) == bca_interval(values[order], clusters[order], sampling)


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
    assert 0.92 <= two_way_coverage(5, seed_std=0.03, trials=400) <= 0.98


def test_two_ways_of_equal_seeds_are_one_way_and_of_one_seed_none() -> None:
    items, clusters = np.random.default_rng(0).random(300), np.arange(300)
    seeds = np.repeat([0, 1, 2], 300)
    both = two_way_interval(np.tile(items, 3), np.tile(clusters, 3), seeds, Sampling())
    one = mean_interval(items, clusters, Sampling())
    assert [both.low, both.high] == pytest.approx([one.low, one.high], abs=0.004)
    assert two_way_interval(items, clusters, np.zeros(300), Sampling()) == Interval()
    assert two_way_interval(items, np.zeros(300), np.arange(300) % 2, Sampling()) == Interval()


def test_totals_are_by_cluster_and_column() -> None:
    totals = cluster_totals(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array(["b", "a", "b"]))
    assert totals.tolist() == [[3.0, 4.0], [6.0, 8.0]]

"""Intervals and standard errors of a mean: against SciPy and statsmodels, and where they say nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.intervals import (
    DIFFERENCE,
    Interval,
    clustered_stderr,
    mean_interval,
    percentile_levels,
    t_interval,
    wilson_interval,
    wilson_zero,
)

QUICK = Sampling(resamples=1000)


@pytest.mark.parametrize("values", ["continuous", "right or wrong"])
def test_interval_of_single_items_is_scipys_percentile_interval(values: str) -> None:
    from scipy.stats import bootstrap

    scores = np.random.default_rng(5).random(300)
    if values == "right or wrong":
        scores = (scores < 0.8).astype(float)
    ours = mean_interval(scores, np.arange(300), Sampling())
    low, high = percentile_levels(0.95, 300)
    theirs = bootstrap(
        (scores,),
        np.mean,
        confidence_level=high - low,
        method="percentile",
        n_resamples=10_000,
        rng=np.random.default_rng(1),
        batch=100,
    ).confidence_interval
    assert ours.method == "cluster bootstrap"
    assert ours.low == pytest.approx(theirs.low, abs=0.004)
    assert ours.high == pytest.approx(theirs.high, abs=0.004)


def test_questions_of_one_clip_make_no_more_certain_than_one_of_them() -> None:
    once = (np.random.default_rng(1).random(100) < 0.6).astype(float)
    clusters = np.arange(100)
    single, tenfold = (mean_interval(np.repeat(once, n), np.repeat(clusters, n), QUICK) for n in (1, 10))
    assert [single.low, single.high] == pytest.approx([tenfold.low, tenfold.high], abs=1e-12)
    assert clustered_stderr(np.repeat(once, 10), np.repeat(clusters, 10)) == pytest.approx(
        clustered_stderr(once, clusters)
    )


def test_stderr_is_the_textbook_one_for_single_items_and_larger_in_clusters() -> None:
    scores = np.random.default_rng(3).random(50)
    assert clustered_stderr(scores, np.arange(50)) == pytest.approx(scores.std(ddof=1) / np.sqrt(50))
    pairs = np.repeat(scores, 2)
    assert clustered_stderr(pairs, np.arange(100) // 2) > clustered_stderr(pairs, np.arange(100))


def test_stderr_follows_the_finite_cluster_factor() -> None:
    scores, clusters = np.array([1.0, 1.0, 0.0, 0.0, 1.0, 0.0]), np.array([0, 0, 1, 1, 2, 2])
    # deviations of the cluster sums from 3/6: +1, -1, 0; sqrt(3/2 * 2) / 6
    assert clustered_stderr(scores, clusters) == pytest.approx(np.sqrt(1.5 * 2) / 6)


def test_one_cluster_is_not_measured() -> None:
    scores, one = np.array([1.0, 0.0, 1.0]), np.zeros(3, dtype=int)
    assert mean_interval(scores, one, QUICK) == Interval(None, None, None)
    assert clustered_stderr(scores, one) is None


def test_a_unanimous_result_has_wilsons_interval_on_the_clusters() -> None:
    from scipy.stats import binomtest

    right, clusters = np.ones(120), np.repeat(np.arange(40), 3)
    wilson = binomtest(40, 40).proportion_ci(0.95, method="wilson")
    interval = mean_interval(right, clusters, QUICK)
    assert (interval.low, interval.high, interval.method) == (pytest.approx(wilson.low), 1.0, "wilson")
    wrong = mean_interval(np.zeros(120), clusters, QUICK)
    assert (wrong.low, wrong.high) == (0.0, pytest.approx(1 - wilson.low))


def test_no_difference_anywhere_is_still_uncertain() -> None:
    clusters = np.arange(100)
    same = mean_interval(np.zeros(100), clusters, QUICK, scale=DIFFERENCE)
    assert same.method == "wilson"
    assert same.low == pytest.approx(
        -0.036993, abs=1e-6
    )  # Wilson's limit for 0 of 100; the rule of three says 0.03
    assert same.high == -same.low
    narrower = mean_interval(np.zeros(100), clusters, Sampling(0.9, 500), scale=DIFFERENCE)
    assert narrower.high < same.high
    always = mean_interval(np.ones(100), clusters, QUICK, scale=DIFFERENCE)
    assert (always.low, always.high) == (pytest.approx(1 - 2 * same.high), 1.0)


def test_equal_numbers_outside_the_scale_have_no_interval() -> None:
    assert mean_interval(np.full(10, 3.5), np.arange(10), QUICK) == Interval()


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 9)), min_size=2, max_size=40), st.randoms())
def test_intervals_do_not_depend_on_the_order(items: list[tuple[float, int]], random: object) -> None:
    before = mean_interval(*_arrays(items), Sampling(resamples=100))
    random.shuffle(items)
    after = mean_interval(*_arrays(items), Sampling(resamples=100))
    assert before.method == after.method
    if before.low is not None:
        assert [before.low, before.high] == pytest.approx([after.low, after.high], abs=1e-9)
        assert -1e-9 <= before.low <= before.high <= 1 + 1e-9


def _arrays(items: list[tuple[float, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([value for value, _ in items]), np.array([cluster for _, cluster in items])


def test_the_seed_decides_the_draws() -> None:
    scores = np.random.default_rng(4).random(200)
    first, again, other = (mean_interval(scores, np.arange(200), Sampling(seed=s)) for s in (0, 0, 1))
    assert first == again != other


def test_nothing_and_nan_have_no_mean() -> None:
    with pytest.raises(InputError, match="0 scores"):
        mean_interval(np.array([]), np.array([]), QUICK)
    with pytest.raises(InputError, match="not a finite number"):
        mean_interval(np.array([1.0, np.nan]), np.array([0, 1]), QUICK)
    with pytest.raises(InputError, match="2 scores in 3 clusters"):
        mean_interval(np.ones(2), np.arange(3), QUICK)


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

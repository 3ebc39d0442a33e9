"""Intervals, standard errors and tests: against SciPy, arithmetic, and where they have nothing to say."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.coverage_simulation import (
    Scores,
    clusters_of,
    coverage,
    graded,
    holds,
    rejections,
    right_or_wrong,
)
from safe_data.core.errors import InputError
from safe_eval.statistics.intervals import clustered_stderr, mean_interval, percentile_levels
from safe_eval.statistics.paired import MCNEMAR, SIGN_FLIP, mcnemar, paired_test, sign_flip
from safe_eval.statistics.sampling import DIFFERENCE, Interval, Sampling

QUICK = Sampling(resamples=1000)


NOUNS = (
    *("sampling", "bootstrap", "intervals", "bca", "two_way", "paired", "equivalence", "multiplicity"),
    *("power", "seeds", "retention"),
)


@pytest.mark.parametrize("scores", [right_or_wrong, graded])
def test_intervals_cover_and_tests_reject_as_often_as_they_say(scores: Scores) -> None:
    """A short run of `python -m benchmarks coverage_simulation`; the bounds are wider by its noise."""
    covered = coverage(scores, 120, trials=400, resamples=400)
    assert {name: share for name, share in covered.items() if not 0.92 <= share <= 0.98} == {}
    rejected = rejections(scores, 120, trials=400, resamples=400)
    assert {name: share for name, share in rejected.items() if not 0.02 <= share <= 0.08} == {}


def test_items_taken_as_independent_cover_too_little() -> None:
    """The test above can fail: the same intervals without their clusters."""
    held = 0
    for trial in range(200):
        rng = np.random.default_rng(trial)
        clusters = clusters_of(rng, 120)
        values = right_or_wrong(rng, clusters)
        held += holds(mean_interval(values, np.arange(len(values)), Sampling(resamples=200)), 0.7)
    assert held / 200 < 0.9


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


def test_clusters_of_unequal_size_are_resampled_whole() -> None:
    """Against a plain loop over resamples, an independent stream of draws."""
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(30), rng.integers(1, 8, size=30))
    scores = (rng.random(30)[clusters] < rng.random(len(clusters))).astype(float)
    drawn = [
        np.concatenate([scores[clusters == c] for c in rng.integers(30, size=30)]).mean() for _ in range(4000)
    ]
    ours = mean_interval(scores, clusters, Sampling())
    assert [ours.low, ours.high] == pytest.approx(np.quantile(drawn, percentile_levels(0.95, 30)), abs=0.015)


def test_few_and_many_kinds_of_cluster_are_drawn_alike() -> None:
    """The same scores, once with a trace added that makes every cluster its own kind."""
    scores = (np.random.default_rng(2).random(400) < 0.7).astype(float)
    few = mean_interval(scores, np.arange(400), Sampling())
    many = mean_interval(scores + np.arange(400) * 1e-9, np.arange(400), Sampling())
    assert [few.low, few.high] == pytest.approx([many.low, many.high], abs=0.006)


def test_questions_of_one_clip_make_no_more_certain_than_one_of_them() -> None:
    once = (np.random.default_rng(1).random(100) < 0.6).astype(float)
    clusters = np.arange(100)
    single, tenfold = (mean_interval(np.repeat(once, n), np.repeat(clusters, n), QUICK) for n in (1, 10))
    assert [single.low, single.high] == pytest.approx([tenfold.low, tenfold.high], abs=1e-12)
    assert clustered_stderr(np.repeat(once, 10), np.repeat(clusters, 10)) == pytest.approx(
        clustered_stderr(once, clusters)
    )


def test_95_of_100_intervals_hold_the_truth() -> None:
    rng = np.random.default_rng(0)
    clusters, held = np.repeat(np.arange(60), 4), 0
    for trial in range(1000):
        right = rng.random(60)  # each cluster has its own chance, 0.5 on average
        scores = (rng.random(240) < right[clusters]).astype(float)
        interval = mean_interval(scores, clusters, Sampling(resamples=500, seed=trial))
        held += interval.low <= 0.5 <= interval.high
    assert 0.92 <= held / 1000 <= 0.97


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


@pytest.mark.parametrize(("gained", "lost"), [(0, 1), (3, 11), (20, 5), (400, 300), (5, 5)])
def test_mcnemar_is_the_exact_binomial_test(gained: int, lost: int) -> None:
    from scipy.stats import binomtest

    assert mcnemar(gained, lost) == pytest.approx(binomtest(gained, gained + lost, 0.5).pvalue)
    assert mcnemar(gained, lost) == mcnemar(lost, gained)


def test_mcnemar_without_any_change_says_nothing() -> None:
    assert mcnemar(0, 0) == 1.0
    with pytest.raises(ValueError, match="cannot be negative"):
        mcnemar(-1, 2)


def test_right_or_wrong_is_tested_by_mcnemar_and_shares_by_sign_flips() -> None:
    right, half, clusters = np.ones(12), np.full(12, 0.3), np.arange(12)
    assert paired_test(right, 1 - right, clusters, QUICK) == (mcnemar(12, 0), MCNEMAR)
    p_value, test = paired_test(right, half, clusters, QUICK)
    assert test == SIGN_FLIP
    assert p_value < 0.01


def test_sign_flips_agree_with_scipys_permutation_test() -> None:
    from scipy.stats import permutation_test

    differences = np.random.default_rng(8).normal(0.15, 0.4, size=40)
    theirs = permutation_test(
        (differences, np.zeros(40)),
        lambda a, b: np.mean(a - b),
        permutation_type="samples",
        n_resamples=4000,
        rng=np.random.default_rng(1),
    )
    ours = sign_flip(differences, np.arange(40), Sampling())
    assert ours == pytest.approx(theirs.pvalue, abs=0.015)


def test_sign_flips_turn_whole_clusters() -> None:
    """Ten questions of one clip that all get better are one change, not ten."""
    better = np.full(10, 0.3)
    assert sign_flip(better, np.arange(10), QUICK) < 0.01
    assert sign_flip(better, np.zeros(10, dtype=int), QUICK) == 1.0
    assert sign_flip(np.zeros(10), np.arange(10), QUICK) == 1.0
    assert sign_flip(np.full(200, 0.3), np.arange(200), QUICK) == 1 / 1001  # never 0


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        ({"confidence": 1.5}, "confidence 1.5 is not between 0.5 and 1"),
        ({"confidence": 95}, "95 % is 0.95"),
        ({"resamples": 10}, "too few"),
        ({"seed": -1}, "seed -1 is negative"),
    ],
)
def test_sampling_that_makes_no_interval(bad: dict[str, float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        Sampling(**bad)


def test_nothing_and_nan_have_no_mean() -> None:
    with pytest.raises(InputError, match="0 scores"):
        mean_interval(np.array([]), np.array([]), QUICK)
    with pytest.raises(InputError, match="not a finite number"):
        mean_interval(np.array([1.0, np.nan]), np.array([0, 1]), QUICK)
    with pytest.raises(InputError, match="2 scores in 3 clusters"):
        mean_interval(np.ones(2), np.arange(3), QUICK)

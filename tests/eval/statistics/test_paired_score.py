"""Paired score bounds: Tango's published case, cases by hand, and the likelihood maximised by brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.bounded_mean import BOUNDED
from safe_eval.statistics.intervals import (
    Interval,
    t_interval,
    wilson_interval,
    wilson_zero,
)
from safe_eval.statistics.paired import equivalence, mcnemar
from safe_eval.statistics.paired_score import (
    difference_interval,
    items_that_show,
    paired_loss,
    score_bounds,
    score_statistic,
)


def brute(lost: float, gained: float, n: float, loss: float) -> float:
    """The score test with the nuisance found on a grid: p(gained) = q, p(lost) = q + loss."""
    q = np.linspace(max(0, -loss), (1 - loss) / 2, 400_001)[1:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = [(lost, q + loss), (gained, q), (n - lost - gained, 1 - 2 * q - loss)]
        likelihood = sum(np.where(count > 0, count * np.log(p), 0.0) for count, p in parts)
    best = q[np.argmax(likelihood)]
    return float((lost - gained - n * loss) / np.sqrt(n * (2 * best + loss - loss**2)))


@pytest.mark.parametrize(
    ("lost", "gained", "n", "loss"),
    [(5, 0, 200, 0.01), (3, 4, 60, 0.05), (12, 2, 50, -0.1), (1, 0, 44, 0.1), (30, 20, 100, 0.3)],
)
def test_the_nuisance_is_the_likeliest(lost: int, gained: int, n: int, loss: float) -> None:
    assert score_statistic(lost, gained, n, loss) == pytest.approx(brute(lost, gained, n, loss), abs=2e-3)


def test_tangos_own_example() -> None:
    """Soft contact lenses, 1998: 1 of 44 lost, margin 0.1: Z = 1.709, p = 0.044, so just not inferior."""
    assert score_statistic(1, 0, 44, 0.1) == pytest.approx(-1.709, abs=5e-4)
    assert score_bounds(1, 0, 44)[1] < 0.1 < score_bounds(1, 0, 44, 0.957)[1]


def test_with_losses_alone_the_upper_bound_is_wilsons() -> None:
    assert score_bounds(5, 0, 200)[1] == pytest.approx(wilson_interval(0.025, 200, 0.90).high)
    assert score_bounds(0, 0, 200)[1] == pytest.approx(wilson_zero(200, 0.90))
    assert score_bounds(0, 0, 200)[0] == -score_bounds(0, 0, 200)[1]


def test_gains_mirror_losses_and_all_may_be_lost() -> None:
    low, high = score_bounds(7, 2, 90)
    assert score_bounds(2, 7, 90) == (-high, -low)
    assert score_bounds(50, 0, 50)[1] == pytest.approx(1.0)
    assert score_bounds(50, 0, 50)[0] == pytest.approx(-score_bounds(0, 50, 50)[1])


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 300), st.data())
def test_more_losses_never_look_better(n: int, data: st.DataObject) -> None:
    lost = data.draw(st.integers(0, n - 1))
    gained = data.draw(st.integers(0, n - 1 - lost))
    low, high = score_bounds(lost, gained, n)
    worse_low, worse_high = score_bounds(lost + 1, gained, n)
    assert low <= (lost - gained) / n <= high
    assert worse_low >= low - 1e-9
    assert worse_high >= high - 1e-9


def test_a_few_unlucky_questions_show_nothing() -> None:
    """Of 200 questions, 4 lost do not show a loss above 1 point, and 5 do."""
    assert score_bounds(4, 0, 200)[0] < 0.01 < score_bounds(5, 0, 200)[0]


def scores(lost: list[int], n: int) -> tuple[np.ndarray, np.ndarray]:
    after = np.ones(n)
    after[lost] = 0
    return np.ones(n), after


def test_without_any_change_the_clusters_count_not_their_items() -> None:
    single = paired_loss(*scores([], 100), np.arange(100))
    tenfold = paired_loss(*scores([], 1000), np.repeat(np.arange(100), 10))
    assert tenfold.effective == pytest.approx(single.effective) == pytest.approx(100)
    assert (tenfold.low, tenfold.high) == pytest.approx((single.low, single.high))
    giant = paired_loss(*scores([], 100), np.array([0] * 50 + list(range(1, 51))))
    assert giant.effective == pytest.approx(100**2 / (50**2 + 50))


def test_clusters_that_fall_together_show_less() -> None:
    clusters = np.arange(200) // 5
    together = paired_loss(*scores([0, 1, 2, 3, 4], 200), clusters)
    apart = paired_loss(*scores([0, 10, 20, 30, 40], 200), clusters)
    assert (together.lost, together.loss) == (apart.lost, apart.loss) == (5, 0.025)
    assert together.effective < apart.effective < 200
    assert together.low < apart.low
    assert together.high > apart.high


@pytest.mark.parametrize(("size", "correlation"), [(1, 0.0), (2, 0.9), (5, 0.3)])
def test_bounds_err_in_one_of_twenty(size: int, correlation: float) -> None:
    """At a true loss of 1 point, as many are lost as are gained and a point more."""
    rng = np.random.default_rng(0)
    clusters, wrong = np.arange(600) // size, np.zeros(2)
    for _ in range(600):
        shared = rng.random(clusters.max() + 1)[clusters]
        drawn = np.where((rng.random(clusters.max() + 1) < correlation)[clusters], shared, rng.random(600))
        lost, gained = drawn < 0.03, (drawn >= 0.03) & (drawn < 0.05)
        found = paired_loss((~gained).astype(float), (~lost).astype(float), clusters)
        wrong += [found.low > 0.01, found.high < 0.01]
    assert (wrong / 600 <= 0.075).all()


def test_how_many_items_would_show_it() -> None:
    unchanged = paired_loss(*scores([], 200), np.arange(200))
    needed = items_that_show(unchanged, 0.01)
    assert needed == 268
    assert score_bounds(0, 0, needed)[1] < 0.01 < score_bounds(0, 0, needed - 1)[1]
    pairs = paired_loss(*scores([], 200), np.arange(200) // 2)
    assert items_that_show(pairs, 0.01) == 2 * 268
    assert items_that_show(paired_loss(*scores([0, 1], 200), np.arange(200)), 0.01) is None


@pytest.mark.parametrize(
    ("before", "after", "clusters", "message"),
    [
        (np.ones(2), np.ones(3), np.arange(3), "2 scores and 3 in 3 clusters are not paired"),
        (np.ones(0), np.ones(0), np.arange(0), "0 scores and 0 in 0 clusters are not paired"),
        (np.ones(2), np.array([0.5, 1]), np.arange(2), "scores other than 0 and 1 are neither lost"),
    ],
)
def test_what_cannot_be_compared(
    before: np.ndarray, after: np.ndarray, clusters: np.ndarray, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        paired_loss(before, after, clusters)


@pytest.mark.parametrize(("counts", "confidence"), [((3, 3, 5), 0.95), ((0, 0, 0), 0.95), ((0, 0, 5), 95.0)])
def test_counts_and_confidences_that_cannot_be(counts: tuple[int, int, int], confidence: float) -> None:
    with pytest.raises(InputError, match=r"cannot be|is not between 0\.5 and 1"):
        score_bounds(*counts, confidence)


CHANGES = st.lists(st.sampled_from([-1.0, 0.0, 0.0, 0.0, 1.0]), min_size=20, max_size=200).map(np.array)


def test_the_interval_is_chosen_by_the_scale() -> None:
    few = np.repeat([-1.0, 0.0], [1, 599])
    each = np.arange(600)
    found = difference_interval(few, each, 0.9)
    assert (found.method, t_interval(few, each, 0.9).low) == (BOUNDED, pytest.approx(-0.0044, abs=1e-4))
    assert found.low == pytest.approx(-0.0079, abs=1e-4)  # a margin of half a point that t would grant
    assert difference_interval(few / 2, each, 0.9).method == BOUNDED
    assert difference_interval(few, each * 0, 0.9) == Interval()
    assert difference_interval(few, each, 0.9, scale=(-10.0, 10.0)).method == "cluster t"
    assert difference_interval(few * 0, each, 0.9, scale=(-10.0, 10.0)).method == "wilson"


@given(CHANGES)
@settings(max_examples=40, deadline=None)
def test_both_tests_of_equivalence_agree_with_their_interval(changes: np.ndarray) -> None:
    each, margin = np.arange(len(changes)), 0.12
    found = equivalence(changes, each, margin, Sampling())
    assert (found.verdict == "equivalent") == (found.p_value < 0.05)
    assert found.interval.low <= changes.mean() <= found.interval.high


@given(CHANGES)
@settings(max_examples=40, deadline=None)
def test_a_turned_difference_has_a_turned_interval(changes: np.ndarray) -> None:
    each = np.arange(len(changes))
    one, other = difference_interval(changes, each, 0.9), difference_interval(-changes, each, 0.9)
    assert (one.low, one.high) == (pytest.approx(-other.high), pytest.approx(-other.low))


def test_clusters_widen_the_difference_interval() -> None:
    lost = np.repeat([-1.0, 0.0], [8, 592])
    alone, together = (difference_interval(lost, np.arange(600) // size, 0.9) for size in (1, 4))
    assert together.low < alone.low


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 200))
@settings(max_examples=60, deadline=None)
def test_the_interval_excludes_no_difference_where_mcnemars_exact_test_does(
    gained: int, lost: int, same: int
) -> None:
    changes = np.repeat([1.0, -1.0, 0.0], [gained, lost, same + 2])
    found = difference_interval(changes, np.arange(len(changes)), 0.95)
    assert (found.low > 0 or found.high < 0) == (mcnemar(gained, lost) < 0.05)

"""Risk–coverage: against a plain loop, with ties, and how often the intervals hold."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulations.deferral import answers, of_curve
from safe_data.core.errors import InputError
from safe_eval.options import Sampling
from safe_eval.statistics.intervals import Interval
from safe_eval.statistics.risk_coverage import aurc, excess_aurc, risk_coverage
from safe_eval.statistics.score_interval import score_interval

QUICK = Sampling(resamples=500)


def by_loop(losses: list[float]) -> float:
    """AURC of losses in the order in which they are answered."""
    return float(np.mean([np.mean(losses[: kept + 1]) for kept in range(len(losses))]))


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.randoms())
def test_aurc_is_that_of_a_plain_loop(losses: list[float], random: object) -> None:
    confidence = list(range(len(losses)))
    random.shuffle(confidence)
    falling = [losses[place] for place in np.argsort(-np.array(confidence))]
    found = aurc(np.array(confidence, dtype=float), np.array(losses))
    assert found == pytest.approx(by_loop(falling), abs=1e-12)
    assert excess_aurc(np.array(confidence, dtype=float), np.array(losses)) >= -1e-12


def test_ties_count_as_the_mean_over_their_orders() -> None:
    confidence, losses = np.array([0.9, 0.5, 0.5, 0.5, 0.1]), np.array([0.0, 1.0, 0.0, 1.0, 1.0])
    orders = [by_loop([0.0, *middle, 1.0]) for middle in itertools.permutations([1.0, 0.0, 1.0])]
    assert aurc(confidence, losses) == pytest.approx(np.mean(orders))


def test_without_an_order_it_is_the_mean_loss() -> None:
    losses = np.array([1.0, 0.0, 0.25, 0.0])
    found = risk_coverage(np.full(4, 0.8), losses, np.arange(4), QUICK)
    assert found.aurc == pytest.approx(losses.mean())
    (point,) = found.curve  # no threshold parts equal confidences
    assert (point.threshold, point.coverage, point.risk, point.n) == (0.8, 1.0, losses.mean(), 4)


def test_the_best_order_has_no_excess() -> None:
    losses = np.array([0.0, 0.5, 1.0, 0.0])
    assert excess_aurc(-losses, losses) == 0
    assert excess_aurc(losses, losses) > 0.3


def test_the_curve_keeps_what_its_threshold_keeps() -> None:
    rng = np.random.default_rng(0)
    confidence, losses = rng.random(300).round(2), rng.random(300)
    curve = risk_coverage(confidence, losses, np.arange(300), QUICK).curve
    assert len(curve) == 20
    assert curve[-1].coverage == 1.0
    for point in curve:
        kept = confidence >= point.threshold
        assert (point.n, point.coverage) == (kept.sum(), kept.mean())
        assert point.risk == pytest.approx(losses[kept].mean())


def test_a_joint_interval_is_wider_than_that_of_one_point() -> None:
    rng = np.random.default_rng(0)
    clusters = np.arange(400) // 2
    confidence, losses = answers(rng, clusters, 1.0, 0.5)
    last = risk_coverage(confidence, losses, clusters, QUICK).curve[-1]
    alone = score_interval(losses, clusters, 0.95)
    assert last.interval.low < alone.low < alone.high < last.interval.high


def test_the_interval_of_the_area_is_as_wide_as_a_bootstraps() -> None:
    rng = np.random.default_rng(1)
    clusters = np.repeat(np.arange(150), rng.integers(1, 6, size=150))
    confidence, losses = answers(rng, clusters, 0.5, 0.5)
    members = [np.flatnonzero(clusters == cluster) for cluster in range(150)]
    drawn = [np.concatenate([members[c] for c in rng.integers(150, size=150)]) for _ in range(600)]
    spread = np.std([aurc(confidence[at], losses[at]) for at in drawn])
    interval = risk_coverage(confidence, losses, clusters, QUICK).interval
    assert interval.high - interval.low == pytest.approx(2 * 1.97 * spread, rel=0.08)


def test_the_same_item_again_in_its_cluster_says_nothing_new() -> None:
    rng = np.random.default_rng(2)
    clusters = np.arange(200) // 2
    confidence, losses = answers(rng, clusters, 0.5, 0.5)
    once = risk_coverage(confidence, losses, clusters, QUICK)
    tenfold = risk_coverage(*(np.repeat(one, 10) for one in (confidence, losses, clusters)), QUICK)
    assert tenfold.aurc == pytest.approx(once.aurc, rel=0.02)  # ties
    width = once.interval.high - once.interval.low
    assert tenfold.interval.high - tenfold.interval.low == pytest.approx(width, rel=0.05)


def test_always_right_is_not_beyond_doubt_and_one_cluster_shows_no_other() -> None:
    found = risk_coverage(np.linspace(0, 1, 50), np.zeros(50), np.arange(50), QUICK)
    assert (found.aurc, found.excess, found.interval.low) == pytest.approx((0, 0, 0))
    assert 0.05 < found.interval.high < 0.2
    alone = risk_coverage(np.linspace(0, 1, 50), np.zeros(50), np.zeros(50), QUICK)
    assert alone.interval == Interval() == alone.curve[-1].interval


def test_what_has_no_curve_is_refused() -> None:
    with pytest.raises(InputError, match="0 confidences of 0 losses have no risk–coverage curve"):
        aurc(np.array([]), np.array([]))
    with pytest.raises(InputError, match="a confidence or a loss is not a finite number"):
        aurc(np.array([np.nan]), np.array([0.0]))


def test_the_intervals_hold_the_truth() -> None:
    """In full by `python -m benchmarks.coverage_simulation`; here enough to see a wrong formula."""
    found = [of_curve(np.random.default_rng(n), logit=1.0, doubt=0.5, count=50) for n in range(60)]
    assert np.mean([one["AURC"] for one in found]) >= 0.88
    assert np.mean([one["whole curve"] for one in found]) >= 0.9

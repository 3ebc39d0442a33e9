"""Sample size: the clusters that would show something, against intervals of data so many times as long."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_eval.statistics.balanced_interval import BALANCED
from safe_eval.statistics.bounded_mean import BOUNDED
from safe_eval.statistics.intervals import WILSON, Interval
from safe_eval.statistics.paired_score import difference_interval
from safe_eval.statistics.sample_size import Found, WouldShow, times_that_show, would_show
from safe_eval.statistics.score_interval import count_effective, score_interval

SIZES = {"alone": np.ones(100, int), "equal": np.full(60, 5), "unequal": 1 + 80 // np.arange(1, 41)}


def many(values: np.ndarray, clusters: np.ndarray, times: int) -> tuple[np.ndarray, np.ndarray]:
    """The same data, so many times, in new clusters each time."""
    copies = [clusters + copy * (clusters.max() + 1) for copy in range(times)]
    return np.tile(values, times), np.concatenate(copies)


def drawn(rng: np.random.Generator, clusters: np.ndarray, share: float) -> np.ndarray:
    """Scores 0 or 1 of which those of one cluster are alike."""
    chance = rng.beta(3 * share, 3 * (1 - share), clusters.max() + 1)
    return (rng.random(len(clusters)) < chance[clusters]).astype(float)


def found_in(values: np.ndarray, clusters: np.ndarray, interval: Interval, risk: float) -> Found:
    assert interval.low is not None
    assert interval.high is not None
    scale = (-1.0, 1.0) if interval.method == BOUNDED else (0.0, 1.0)
    effective = count_effective(clusters)
    return Found(
        float(values.mean()),
        interval.low,
        interval.high,
        interval.method,
        risk,
        effective,
        len(values),
        scale,
    )


@pytest.mark.parametrize(("sizes", "shares"), [*itertools.product(SIZES, [(0, 0), (0.02, 0), (0.05, 0.05)])])
def test_so_many_clusters_show_a_difference(sizes: str, shares: tuple[float, float]) -> None:
    """The end that six times the data have is the limit: about six times the clusters are said to show it."""
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(len(SIZES[sizes])), SIZES[sizes])
    values = drawn(rng, clusters, shares[1]) if shares[1] else np.zeros(len(clusters))
    values = values - (drawn(rng, clusters, shares[0]) if shares[0] else 0)
    found = found_in(values, clusters, difference_interval(values, clusters, 0.9), 0.05)
    of_more = difference_interval(*many(values, clusters, 6), 0.9)
    for limit in (of_more.low, of_more.high):
        assert limit is not None
        assert times_that_show(found, limit) == pytest.approx(6, rel=0.15)


@pytest.mark.parametrize(("sizes", "share"), [*itertools.product(SIZES, [0.5, 0.9, 1.0])])
def test_so_many_clusters_show_a_share(sizes: str, share: float) -> None:
    clusters = np.repeat(np.arange(len(SIZES[sizes])), SIZES[sizes])
    values = drawn(np.random.default_rng(1), clusters, share) if share < 1 else np.ones(len(clusters))
    found = found_in(values, clusters, score_interval(values, clusters, 0.95), 0.025)
    of_more = score_interval(*many(values, clusters, 6), 0.95)
    for limit in (of_more.low, of_more.high):
        assert limit is not None
        if 0 < limit < 1:
            assert times_that_show(found, limit) == pytest.approx(6, rel=0.15)


def test_no_change_needs_598_clusters_for_half_a_point() -> None:
    zeros = np.zeros(400)
    found = found_in(zeros, np.arange(400) // 2, difference_interval(zeros, np.arange(400) // 2, 0.9), 0.05)
    needed = would_show(found, (-0.005, 0.005), 200)
    assert needed is not None
    assert needed.clusters == pytest.approx(598, abs=3)
    assert needed.items == pytest.approx(2 * needed.clusters, abs=1)
    assert would_show(found, (-0.5,), 200) is None  # it is shown already


@pytest.mark.parametrize(
    ("method", "times"),
    [("cluster t", 9.0), ("cluster bootstrap", 9.0), (WILSON, 3.0)],
)
def test_other_intervals_narrow_as_their_method_does(method: str, times: float) -> None:
    found = Found(0.0, -0.3, 0.3, method, 0.05, 50, 50, (-1.0, 1.0))
    assert times_that_show(found, -0.1) == pytest.approx(times)


def test_perfect_recalls_narrow_as_a_share_does() -> None:
    found = Found(1.0, 0.9, 1.0, BALANCED, 0.025, 50, 50, (0.0, 1.0))
    assert times_that_show(found, 0.95) == pytest.approx(2.1, abs=0.2)


def test_what_no_number_shows() -> None:
    found = Found(0.1, -0.1, 0.3, BOUNDED, 0.025, 50, 50, (-1.0, 1.0))
    assert times_that_show(found, 0.1) is None
    assert times_that_show(Found(0.1, -0.1, 0.3, BOUNDED, 0.025, 1, 50, (-1.0, 1.0)), 0.0) is None
    assert would_show(found, (0.1,), 50) is None
    share = Found(0.5, 0.4, 1.0, "clustered score", 0.025, 50, 50, (0.0, 1.0))
    assert times_that_show(share, 1.0) is None


def more_as_the_limit_nears(of: Callable[[float], float | None], limits: list[float]) -> bool:
    times = [of(limit) for limit in limits]
    return all(one is not None for one in times) and times == sorted(times, key=lambda one: one or 0)


@settings(max_examples=30)
@given(st.integers(0, 6), st.integers(0, 6), st.sampled_from([1, 4]), st.sampled_from(["bounded", "score"]))
def test_a_nearer_limit_needs_more(lost: int, gained: int, size: int, kind: str) -> None:
    values = np.zeros(40 * size)
    values[: lost * size] = -1
    values[len(values) - gained :] = 1
    clusters = np.arange(len(values)) // size
    interval = difference_interval(values, clusters, 0.95)
    if kind == "score":
        values = np.abs(values)
        interval = score_interval(values, clusters, 0.95)
    found = found_in(values, clusters, interval, 0.025)
    room = found.high - found.value
    limits = [found.value + room * part for part in (0.9, 0.5, 0.2, 0.1)]
    assert more_as_the_limit_nears(lambda limit: times_that_show(found, limit), limits)
    assert all(math.isfinite(times_that_show(found, limit) or 0) for limit in limits)


def test_its_words() -> None:
    assert str(WouldShow(1200, 4800)) == "about 1,200 clusters (4,800 items) like these would"
    assert str(WouldShow(seeds=12)) == "about 12 seeds like these would"

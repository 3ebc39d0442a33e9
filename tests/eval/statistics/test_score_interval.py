"""Score interval: known intervals, what clusters are worth, and how often it holds the truth."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from safe_data.core.errors import InputError
from safe_eval.statistics.score_interval import count_effective, effective_clusters, score_interval, worth


@pytest.mark.parametrize(("right", "n"), [(0, 50), (3, 50), (35, 50), (400, 1000)])
def test_items_alone_have_wilsons_interval_or_a_wider_one(right: int, n: int) -> None:
    values = np.repeat([1.0, 0.0], [right, n - right])
    found = score_interval(values, np.arange(n), 0.95)
    wilson = binomtest(right, n).proportion_ci(0.95, "wilson")
    assert found.low is not None
    assert found.high is not None
    assert found.low <= wilson.low + 1e-9
    assert found.high >= wilson.high - 1e-9
    assert (found.low, found.high) == pytest.approx((wilson.low, wilson.high), abs=0.02)


def test_clusters_that_agree_count_once() -> None:
    values = np.repeat(np.tile([1.0, 0.0], 40), 5)
    assert worth(values, np.arange(400) // 5).items == pytest.approx(80, rel=0.05)
    assert worth(values, np.arange(400)).items == pytest.approx(400, rel=0.01)


def test_one_giant_cluster_is_hardly_more_than_one() -> None:
    assert effective_clusters(np.array([1000.0, 1, 1])) == pytest.approx(1.004, abs=0.001)
    assert score_interval(np.ones(5), np.zeros(5), 0.95).low is None


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.3, 0.6, 1.0]), min_size=4, max_size=30), st.integers(1, 4))
def test_the_interval_holds_the_mean_and_turns_round(scores: list[float], size: int) -> None:
    values, clusters = np.array(scores), np.arange(len(scores)) // size
    one, other = score_interval(values, clusters, 0.95), score_interval(1 - values, clusters, 0.95)
    if one.low is None or one.high is None or other.low is None or other.high is None:
        assert count_effective(clusters) < 2
        return
    assert 0 <= one.low <= values.mean() + 1e-9
    assert values.mean() - 1e-9 <= one.high <= 1
    assert (one.low, one.high) == pytest.approx((1 - other.high, 1 - other.low), abs=1e-9)


def test_a_score_outside_the_scale_is_refused() -> None:
    with pytest.raises(InputError, match=r"outside \[0, 1\]"):
        score_interval(np.array([1.5, 0.0]), np.arange(2), 0.95)


@pytest.mark.parametrize("mean", [0.7, 0.95, 0.99])
@pytest.mark.parametrize(("kind", "clusters"), [("equal", 20), ("equal", 100), ("zipf", 50), ("zipf", 200)])
def test_it_holds_the_truth_as_often_as_it_says(kind: str, clusters: int, mean: float) -> None:
    shares = np.ones(clusters) if kind == "equal" else 1 / np.arange(1, clusters + 1)
    sizes = np.maximum(1, np.round(shares / shares.sum() * clusters * 8)).astype(int)
    labels = np.repeat(np.arange(clusters), sizes)
    rng, held, weight = np.random.default_rng(clusters), 0, 1 / 0.3 - 1
    for _ in range(200):
        chance = rng.beta(mean * weight, (1 - mean) * weight, clusters)
        found = score_interval(rng.binomial(1, chance[labels]).astype(float), labels, 0.95)
        held += found.low is not None and found.high is not None and found.low <= mean <= found.high
    assert held >= 200 * (0.93 - 2 * (0.93 * 0.07 / 200) ** 0.5)

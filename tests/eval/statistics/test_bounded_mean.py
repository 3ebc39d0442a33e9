"""Bounds of a mean: known ones, sampled weights, and never a better bound for a worse model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from safe_data.core.errors import InputError
from safe_eval.statistics.bounded_mean import mean_bounds

losses = st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=6, max_size=40)
CLUSTERED = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 5, 5, 6, 7, 8, 9, 10, 11, 12] * 2)


@pytest.mark.parametrize(("right", "n"), [(0, 3), (1, 3), (3, 100), (20, 5000), (0, 50_000), (5, 200_000)])
def test_right_or_wrong_items_have_the_bounds_of_clopper_and_pearson(right: int, n: int) -> None:
    values = np.zeros(n)
    values[:right] = 1
    bounds = mean_bounds(values, np.arange(n), 0.95, scale=(0, 1))
    assert bounds.high == pytest.approx(beta.ppf(0.95, right + 1, n - right), rel=1e-6)
    assert bounds.low == pytest.approx(beta.ppf(0.05, right, n - right + 1) if right else 0, rel=1e-6)


def test_graded_clusters_of_unequal_size_have_the_quantile_of_sampled_weights() -> None:
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(30), rng.integers(1, 9, 30))
    values = rng.random(len(clusters))
    sizes = np.bincount(clusters)
    means = np.bincount(clusters, values) / sizes
    effective = sizes.sum() ** 2 / (sizes**2).sum()
    drawn = rng.dirichlet([*effective * sizes / sizes.sum(), 1], 200_000) @ [*means, 1]
    bounds = mean_bounds(values, clusters, 0.95, scale=(0, 1))
    assert bounds.high == pytest.approx(np.quantile(drawn, 0.95), abs=0.001)


@settings(deadline=None, max_examples=50)
@given(losses, st.data())
def test_a_worse_model_has_no_better_bound(changes: list[float], data: st.DataObject) -> None:
    values = np.array(changes)
    clusters = CLUSTERED[: len(values)]
    worse = values - data.draw(
        st.lists(st.sampled_from([0, 0, 0, 1]), min_size=len(values), max_size=len(values))
    )
    before, after = (mean_bounds(np.clip(one, -1, 1), clusters, 0.95) for one in (values, worse))
    assert after.low is not None
    assert before.low is not None
    assert after.high is not None
    assert before.high is not None
    assert after.low <= before.low + 1e-7
    assert after.high <= before.high + 1e-7


def test_the_bounds_are_continuous_at_no_change() -> None:
    clusters = np.arange(10_000) // 100
    none = mean_bounds(np.zeros(10_000), clusters, 0.95)
    one = np.zeros(10_000)
    one[0] = -1
    changed = mean_bounds(one, clusters, 0.95)
    assert none.low == pytest.approx(-(1 - 0.05 ** (1 / 100)), abs=1e-6)
    assert changed.low == pytest.approx(none.low, abs=5e-4)
    assert changed.low < none.low


@settings(deadline=None, max_examples=50)
@given(losses)
def test_the_bounds_of_gains_are_those_of_losses_turned_round(changes: list[float]) -> None:
    values = np.array(changes)
    one, other = (mean_bounds(turned, CLUSTERED[: len(values)], 0.95) for turned in (values, -values))
    assert (one.low, one.high) == pytest.approx((-(other.high or 0), -(other.low or 0)), abs=1e-9)


@pytest.mark.parametrize(
    ("value", "confidence", "said"), [(2.0, 0.95, r"outside \[-1, 1\]"), (0.0, 1.0, "95 % is")]
)
def test_what_has_no_bounds_is_refused(value: float, confidence: float, said: str) -> None:
    with pytest.raises(InputError, match=said):
        mean_bounds(np.array([value, 0.0]), np.arange(2), confidence)


@pytest.mark.parametrize(("size", "clusters"), [(1, 600), (1, 2000), (8, 50), (8, 200)])
@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.9])
def test_a_loss_of_the_margin_is_seldom_ruled_out(size: int, clusters: int, correlation: float) -> None:
    margin, trials, ruled_out = (0.005 if size == 1 else 0.05), 200, 0
    rng = np.random.default_rng([size, clusters])
    labels = np.repeat(np.arange(clusters), size)
    for _ in range(trials):
        chance = np.full(clusters, margin)
        if correlation:
            weight = 1 / correlation - 1
            chance = rng.beta(margin * weight, (1 - margin) * weight, clusters)
        lost = -rng.binomial(1, chance[labels]).astype(float)
        low = mean_bounds(lost, labels, 0.95).low
        assert low is not None
        ruled_out += low > -margin
    assert ruled_out <= 0.06 * trials + 2 * (trials * 0.06 * 0.94) ** 0.5

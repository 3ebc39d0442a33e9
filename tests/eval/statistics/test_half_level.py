"""Half level: the severity at which half of a gain is gone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.isotonic import IsotonicRegression

from safe_eval.options import Sampling
from safe_eval.statistics.half_level import BEFORE, NEVER, crossings, half_level, non_increasing

QUICK = Sampling(resamples=400)
PLACES = np.array([-20.0, -10.0, 0.0, 10.0])
curves = arrays(float, st.integers(1, 7), elements=st.sampled_from([k / 8 for k in range(9)]))


def listener(half: float, slope: float, *, clips: int, seed: int, seeds: int = 1) -> np.ndarray:
    """Right or wrong, seeds × columns × items: clean, at each place by a logistic, and without sound."""
    rng = np.random.default_rng(seed)
    heard = 1 / (1 + np.exp((PLACES - half) / slope))
    shares = np.r_[0.9, 0.2 + 0.7 * heard, 0.2]
    return (rng.random((seeds, 1, clips)) < shares[None, :, None]).astype(float)


@settings(deadline=None)  # scikit-learn loads in the first call
@given(curves)
def test_a_curve_is_made_to_fall_as_scikit_learn_does(values: np.ndarray) -> None:
    expected = IsotonicRegression(increasing=False).fit_transform(np.arange(len(values)), values)
    assert non_increasing(values) == pytest.approx(expected)
    assert non_increasing(np.stack([values, values]))[1] == pytest.approx(expected)


@given(curves, st.floats(0.01, 0.99))
def test_a_falling_curve_crosses_where_its_line_does(values: np.ndarray, height: float) -> None:
    falling, places = non_increasing(values), np.arange(len(values), dtype=float)
    found = float(crossings(values, np.array(height), places))
    if falling[0] < height:
        assert found == BEFORE
    elif falling[-1] > height:
        assert found == NEVER
    else:
        assert np.interp(found, places, falling) == pytest.approx(height, abs=1e-9)


@pytest.mark.parametrize("half", [-12.0, -5.0, 3.0])
def test_the_half_level_of_a_planted_listener_is_found(half: float) -> None:
    found = half_level(listener(half, 2.5, clips=4000, seed=1), PLACES, np.arange(4000), QUICK)
    assert found.severity == pytest.approx(half, abs=1.5)  # straight lines between levels 10 dB apart
    assert found.interval.low < found.severity < found.interval.high
    assert found.interval.high - found.interval.low < 2
    assert found.gain == pytest.approx(0.7, abs=0.03)


def test_the_interval_covers_the_level_of_the_listener() -> None:
    """Of the truth with straight lines between the levels, which is what is estimated."""
    shares = 0.2 + 0.7 / (1 + np.exp((PLACES + 4) / 4))
    truth = float(crossings(shares, np.array(0.55), PLACES))
    covered = 0
    for seed in range(100):
        made = listener(-4, 4, clips=200, seed=seed)
        found = half_level(np.repeat(made, 2, axis=2), PLACES, np.repeat(np.arange(200), 2), QUICK)
        covered += found.interval.low <= truth <= found.interval.high
    assert 88 <= covered <= 100


def test_clusters_that_stand_together_widen_the_interval() -> None:
    made = listener(-4, 4, clips=400, seed=3)
    alone = half_level(made, PLACES, np.arange(400), QUICK).interval
    repeated = half_level(np.repeat(made[:, :, :100], 4, axis=2), PLACES, np.arange(400) // 4, QUICK).interval
    assert repeated.high - repeated.low > 1.5 * (alone.high - alone.low)


def test_what_does_not_cross_has_no_interval() -> None:
    early = half_level(listener(-60, 2, clips=200, seed=0), PLACES, np.arange(200), QUICK)
    late = half_level(listener(60, 2, clips=200, seed=0), PLACES, np.arange(200), QUICK)
    none = half_level(np.ones((1, 6, 50)), PLACES, np.arange(50), QUICK)
    assert (early.severity, late.severity) == (BEFORE, NEVER)
    assert np.isnan(none.severity)
    assert [one.interval.low for one in (early, late, none)] == [None, None, None]
    one_cluster = half_level(listener(-4, 4, clips=50, seed=0), PLACES, np.zeros(50, dtype=int), QUICK)
    assert (one_cluster.interval.low, one_cluster.gain_interval.low) == (None, None)


def test_seeds_that_differ_widen_the_interval() -> None:
    alike = listener(-4, 4, clips=400, seed=0, seeds=3)
    apart = np.concatenate([listener(half, 4, clips=400, seed=0) for half in (-9, -4, 1)])
    narrow, wide = (half_level(made, PLACES, np.arange(400), QUICK) for made in (alike, apart))
    assert len(wide.of_each_seed) == 3
    assert wide.interval.high - wide.interval.low > 1.5 * (narrow.interval.high - narrow.interval.low)
    assert wide.interval.method == "cluster and seed t"


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(40)))
def test_the_order_of_the_items_does_not_matter(order: list[int]) -> None:
    made, clusters = listener(-4, 4, clips=40, seed=5), np.arange(40) // 2
    assert half_level(made[:, :, order], PLACES, clusters[order], QUICK) == half_level(
        made, PLACES, clusters, QUICK
    )

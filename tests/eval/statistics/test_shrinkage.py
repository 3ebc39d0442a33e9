"""Shrinkage: parity with statsmodels and with a published example, and intervals that hold the truth."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.simulations.case import Case, shares
from benchmarks.simulations.shrinkage import made_slices, of_slices, shrunken
from safe_data.core.errors import InputError
from safe_eval.statistics.score_interval import worth
from safe_eval.statistics.shrinkage import paule_mandel, sampling_variances, shrink

# Batting averages of 18 players after 45 at bats, and in the rest of the season: Efron & Morris 1977,
# "Stein's paradox in statistics", Scientific American 236, which shrinks them by the factor 0.212.
EARLY = "400 378 356 333 311 311 289 267 244 244 222 222 222 222 222 200 178 156"
LATER = "346 298 276 222 273 270 263 210 269 230 264 256 303 264 226 285 316 200"


def slices(draw: list[tuple[float, float]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([value for value, _ in draw]), np.array([variance for _, variance in draw])


SLICES = st.lists(st.tuples(st.floats(0, 1), st.floats(0.001, 0.5)), min_size=4, max_size=12).map(slices)


def test_published_batting_averages_are_shrunk_as_published() -> None:
    early, later = (np.array(text.split(), float) / 1000 for text in (EARLY, LATER))
    mean = float(early.mean())
    found = shrink(early, np.full(18, mean * (1 - mean) / 45), 0.95)
    assert found.weights == pytest.approx(0.212, abs=0.002)
    assert found.mean == pytest.approx(0.265, abs=0.001)
    assert [round(value, 3) for value in found.values[[0, -1]]] == [0.294, 0.242]
    errors = [float(((values - later) ** 2).sum()) for values in (early, found.values)]
    assert errors == pytest.approx([0.077, 0.022], abs=0.002)


@pytest.mark.parametrize("seed", range(5))
def test_the_spread_is_that_of_statsmodels(seed: int) -> None:
    from statsmodels.stats.meta_analysis import combine_effects

    rng = np.random.default_rng(seed)
    variances = rng.uniform(0.001, 0.05, 8)
    values = rng.normal(0.6, 0.3, 8)
    mean, spread = paule_mandel(values, variances)
    theirs = combine_effects(values, variances, method_re="iterated")
    assert spread == pytest.approx(theirs.tau2, abs=1e-6)
    assert mean == pytest.approx(theirs.mean_effect_re, abs=1e-6)
    assert spread > 0


def test_slices_that_chance_explains_have_no_spread() -> None:
    assert paule_mandel(np.array([0.5, 0.52, 0.48, 0.5]), np.full(4, 0.01)) == (0.5, 0.0)


@given(SLICES)
def test_a_shrunken_value_lies_between_its_own_and_the_mean(given: tuple[np.ndarray, np.ndarray]) -> None:
    values, variances = given
    found = shrink(values, variances, 0.95)
    low, high = np.minimum(values, found.mean), np.maximum(values, found.mean)
    assert (low - 1e-9 <= found.values).all()
    assert (found.values <= high + 1e-9).all()
    assert (found.low < found.values).all()
    assert ((found.weights > 0) & (found.weights <= 1)).all()


@given(SLICES)
def test_the_order_of_slices_does_not_matter(given: tuple[np.ndarray, np.ndarray]) -> None:
    values, variances = given
    found, turned = shrink(values, variances, 0.95), shrink(values[::-1], variances[::-1], 0.95)
    assert turned.values[::-1] == pytest.approx(found.values, abs=1e-7)
    assert turned.low[::-1] == pytest.approx(found.low, abs=1e-7)


def test_the_less_items_the_more_it_is_drawn() -> None:
    found = shrink(np.array([0.9, 0.9, 0.5, 0.4, 0.6]), np.array([0.1, 0.001, 0.01, 0.01, 0.01]), 0.95)
    assert found.weights[0] < found.weights[1]
    assert found.values[0] < found.values[1]


def test_two_items_both_right_are_not_certain() -> None:
    few, many = worth(np.ones(2), np.arange(2)), worth(np.tile([0.0, 1.0], 50), np.arange(100))
    variances = sampling_variances([few, many])
    assert variances[0] == pytest.approx(50 * variances[1], rel=0.02)
    assert (sampling_variances([few, few]) > 0).all()


def test_too_few_slices_and_no_variance_are_refused() -> None:
    with pytest.raises(InputError, match="3 slices cannot be shrunk; it takes 4 or more"):
        shrink(np.ones(3), np.ones(3), 0.95)
    with pytest.raises(InputError, match="2 values with 2 variances: give two or more of each"):
        paule_mandel(np.ones(2), np.zeros(2))


@pytest.mark.parametrize(("count", "spread"), [(5, 0.05), (10, 0.15), (30, 0.05)])
def test_intervals_hold_and_errors_are_smaller(count: int, spread: float) -> None:
    about = {"count": count, "mean": 0.7, "spread": spread, "correlation": 0.3}
    found = shares(Case("slices", "0.95", partial(of_slices, **about)), 150)
    assert found["interval"] >= 0.93 - 0.04
    rng, errors = np.random.default_rng(0), np.zeros(2)
    for _ in range(40):
        truths, made = made_slices(rng, **about)
        raw, drawn = shrunken(made)
        errors += [((raw - truths) ** 2).sum(), ((drawn.values - truths) ** 2).sum()]
    assert errors[1] < 0.9 * errors[0]

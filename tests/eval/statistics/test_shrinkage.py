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


def test_published_batting_averages() -> None:
    early, later = (np.array(text.split(), float) / 1000 for text in (EARLY, LATER))
    variances = np.full(18, early.mean() * (1 - early.mean()) / 45)
    mean, between = paule_mandel(early, variances)
    assert mean == pytest.approx(0.265, abs=0.001)
    assert 1 - 15 / 17 * variances[0] / (variances[0] + between) == pytest.approx(0.212, abs=0.002)
    found = shrink(early, variances, 0.95)
    errors = [float(((values - later) ** 2).sum()) for values in (early, found.values)]
    assert errors[0] == pytest.approx(0.077, abs=0.002)
    assert errors[1] < 0.4 * errors[0]
    assert ((found.low < later) & (later < found.high)).sum() >= 17


def test_the_average_over_variances_is_that_of_numerical_integration() -> None:
    from scipy.integrate import quad

    values, variances = np.array([0.2, 0.55, 0.6, 0.9, 0.7]), np.array([0.01, 0.02, 0.005, 0.03, 0.002])

    def at(variance: float, of: int | None) -> float:
        weights = 1 / (variances + variance)
        mean = weights @ values / weights.sum()
        density = np.sqrt(weights.prod() / weights.sum()) * np.exp(-(weights @ (values - mean) ** 2) / 2)
        drawn = 1.0 if of is None else values[of] + variances[of] * weights[of] * (mean - values[of])
        return float(density * drawn)

    whole = quad(at, 0, 0.25, args=(None,))[0]
    expected = [quad(at, 0, 0.25, args=(of,))[0] / whole for of in range(5)]
    assert shrink(values, variances, 0.95).values == pytest.approx(expected, abs=1e-5)


def test_the_spread_is_that_of_statsmodels() -> None:
    from statsmodels.stats.meta_analysis import combine_effects

    spreads = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        variances, values = rng.uniform(0.001, 0.05, 8), rng.normal(0.6, 0.3, 8)
        theirs = combine_effects(values, variances, method_re="iterated")
        assert paule_mandel(values, variances) == pytest.approx(
            (theirs.mean_effect_re, theirs.tau2), abs=1e-6
        )
        spreads.append(theirs.tau2)
    assert min(spreads) == 0 < np.median(spreads)


def test_slices_that_chance_explains_have_no_spread() -> None:
    assert paule_mandel(np.array([0.5, 0.52, 0.48, 0.5]), np.full(4, 0.01)) == (0.5, 0.0)


@given(SLICES)
def test_shrunken_values_lie_among_the_values(given: tuple[np.ndarray, np.ndarray]) -> None:
    values, variances = given
    found = shrink(values, variances, 0.95)
    assert (values.min() - 1e-9 <= found.values).all()
    assert (found.values <= values.max() + 1e-9).all()
    assert np.ptp(found.values) <= np.ptp(values) + 1e-9
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
    with pytest.raises(InputError, match=r"values from 0 to 10 are not in \[0, 1\]; scale them"):
        shrink(np.array([0.0, 1.0, 2.0, 10.0]), np.ones(4), 0.95)
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

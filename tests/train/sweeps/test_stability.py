"""Stability on planted curves: descent, plateau, waves, swings from step to step, divergence, NaN."""

import math

import numpy as np
import pytest

from safe_train.sweeps.stability import LEAST_STEPS, Stability, diverged, oscillation, stability
from safe_train.sweeps.steadier import steadier, variances_apart

STEPS = np.arange(400)
DESCENT = 2 * np.exp(-STEPS / 100) + 0.2


def test_a_descent_does_not_swing() -> None:
    assert oscillation(DESCENT) < 1e-9
    assert not diverged(DESCENT)


@pytest.mark.parametrize("amplitude", [0.05, 0.2])
@pytest.mark.parametrize("period", [2, 40])
def test_a_swing_is_measured_at_any_pace(amplitude: float, period: int) -> None:
    curve = 1 + amplitude * np.cos(2 * np.pi * STEPS / period)
    rms = amplitude if period == 2 else amplitude / math.sqrt(2)
    assert oscillation(curve) == pytest.approx(rms, rel=0.1)
    assert not diverged(curve)


def test_more_noise_swings_more() -> None:
    noise = np.random.default_rng(0).normal(size=400)
    calm, wild = (oscillation(DESCENT + scale * noise) for scale in (0.01, 0.1))
    assert 0.005 < calm < 0.03
    assert wild > 5 * calm


def test_a_curve_that_climbs_again_has_diverged() -> None:
    climbing = np.concatenate([DESCENT, np.linspace(0.3, 1.5, 200)])
    assert diverged(climbing)
    assert not diverged(np.concatenate([DESCENT, np.full(200, 0.3)]))
    assert not diverged(np.concatenate([np.linspace(1, 0.01, 300), np.full(100, 0.05)]))  # little is twice


def test_the_warm_up_is_left_out() -> None:
    rising = [*np.linspace(9, 0.1, 50), *np.linspace(0.1, 0.05, 100)]
    assert stability(rising, warm_up=50).oscillation == pytest.approx(0, abs=1e-9)
    peak = [*np.linspace(1, 9, 50), *np.linspace(2, 1, 100)]
    assert stability(peak, warm_up=0).oscillation > 0.2  # type: ignore[operator]
    assert stability(peak, warm_up=50) == Stability(pytest.approx(0, abs=1e-9), False)


def test_a_loss_that_is_no_number_has_diverged_and_a_short_curve_says_nothing() -> None:
    assert stability([1.0, math.nan], warm_up=0) == Stability(None, True)
    assert stability([1.0] * (LEAST_STEPS - 1), warm_up=0) == Stability(None, None)
    assert stability([1.0] * LEAST_STEPS, warm_up=0) == Stability(0.0, False)


def test_the_steadier_of_two_agrees_with_the_correlation_of_scipy() -> None:
    from scipy.stats import pearsonr

    rng = np.random.default_rng(1)
    calm, wild = rng.normal(0.5, 0.01, 12), rng.normal(0.5, 0.05, 12)
    found = pearsonr(calm + wild, calm - wild)
    assert variances_apart(calm, wild) == pytest.approx(found.statistic)
    assert found.pvalue < 0.05
    assert steadier(("calm", calm), ("wild", wild), 0.05)[0] == "calm"
    assert steadier(("calm", calm), ("wild", wild), found.pvalue * 0.99)[0] is None


def test_alike_ones_are_not_told_apart_and_say_how_many_seeds_would() -> None:
    name, said, needs = steadier(("a", [0.5, 0.52, 0.51]), ("b", [0.5, 0.48, 0.53]), 0.05)
    assert name is None
    assert needs is not None
    assert said.endswith(f"needs {needs}")

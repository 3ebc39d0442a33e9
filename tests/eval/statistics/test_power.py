"""Power against statsmodels, and the design effect against simulated clusters."""

import math

import numpy as np
import pytest

from safe_data.core.errors import InputError
from safe_eval.statistics.power import (
    design_effect,
    intracluster_correlation,
    minimum_detectable_effect,
    observed_design_effect,
    paired_std,
)


@pytest.mark.parametrize(("n", "power"), [(200, 0.8), (5000, 0.9)])
def test_minimum_detectable_effect_is_statsmodels(n: int, power: float) -> None:
    from statsmodels.stats.power import normal_power

    effect = minimum_detectable_effect(0.4, n, power=power)
    assert normal_power(effect / 0.4, n, 0.05) == pytest.approx(power, abs=1e-3)


def test_observed_design_effect_and_correlation_are_those_simulated() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 9, size=5000)
    clusters = np.repeat(np.arange(5000), sizes)
    values = math.sqrt(0.3) * rng.normal(size=5000)[clusters] + math.sqrt(0.7) * rng.normal(
        size=len(clusters)
    )
    assert intracluster_correlation(values, clusters) == pytest.approx(0.3, abs=0.02)
    expected = design_effect(sizes.mean(), 0.3, sizes.std() / sizes.mean())
    assert observed_design_effect(values, clusters) == pytest.approx(expected, rel=0.06)


def test_paired_std_is_that_of_the_differences() -> None:
    differences = np.array([1.0] * 12 + [-1.0] * 4 + [0.0] * 84)
    assert paired_std(0.16, 0.08) == pytest.approx(differences.std())


def test_no_correlation_without_pairs_or_spread() -> None:
    assert intracluster_correlation(np.array([0.0, 1.0]), np.arange(2)) is None
    assert intracluster_correlation(np.ones(4), np.arange(4) // 2) is None
    assert observed_design_effect(np.ones(4), np.arange(4) // 2) is None
    assert observed_design_effect(np.array([0.0, 1.0]), np.zeros(2)) is None


def test_what_has_no_power() -> None:
    with pytest.raises(InputError, match="must all be above 0"):
        minimum_detectable_effect(0.4, 0.0)
    with pytest.raises(InputError, match=r"80 % is 0\.8"):
        minimum_detectable_effect(0.4, 100, power=80)
    with pytest.raises(InputError, match="cannot come from"):
        paired_std(0.1, 0.2)
    with pytest.raises(InputError, match="no design effect"):
        design_effect(0.5, 0.3)

"""Planned seeds: probabilities and numbers of seeds, against seeds that are drawn and judged."""

import math

import numpy as np
import pytest
from scipy import stats

from safe_eval.statistics.planned_power import Shown
from safe_eval.statistics.planned_seeds import (
    power_of_agreement,
    power_over_seeds,
    seeds_that_agree,
    seeds_that_show,
)


@pytest.mark.parametrize(
    ("seeds", "seed_std", "noise"), [(3, 0.0, 1e-6), (10, 0.002, 4e-6), (20, 0.0025, 0.0)]
)
def test_seeds_are_shown_to_agree_so_often(seeds: int, seed_std: float, noise: float) -> None:
    rng = np.random.default_rng(0)
    means = rng.normal(0, math.sqrt(seed_std**2 + noise), size=(20_000, seeds))
    between = means.var(axis=1, ddof=1)
    for risk in (0.05, None):
        quantile = seeds - 1 if risk is None else stats.chi2(seeds - 1).ppf(risk)
        limit = between * (seeds - 1) / quantile - noise
        expected = float((limit <= 0.005**2).mean())
        found = power_of_agreement(seed_std, 0.005, seeds, noise=noise, risk=risk)
        assert found == pytest.approx(expected, abs=0.015)
    assert power_of_agreement(0.0, 0.005, 3, noise=0.0, risk=0.05) == 1.0


def test_a_gain_over_seeds_is_shown_as_often_as_by_student() -> None:
    """With many items, it is Student's t of the seeds; with equal seeds, that of the clusters."""
    expected = float(stats.nct(4, 0.02 / (0.01 / math.sqrt(5))).sf(stats.t(4).isf(0.025)))
    found = power_over_seeds(0.02, Shown(0.025, above=0.0), 5, 10**6, of_items=1e-12, seed_std=0.01)
    assert found == pytest.approx(expected, abs=0.03)
    clusters = float(stats.nct(29, 0.02 / 0.008).sf(stats.t(29).isf(0.025)))
    found = power_over_seeds(0.02, Shown(0.025, above=0.0), 5, 30, of_items=0.008**2, seed_std=0.0)
    assert found == pytest.approx(clusters, abs=0.03)
    within = Shown(0.05, above=-0.01, below=0.01)
    assert power_over_seeds(0.0, within, 5, 10**6, of_items=1e-12, seed_std=1e-4) == 1.0


def test_how_many_seeds_would_show_it() -> None:
    assert seeds_that_show(0.02, over_items=0.005, std=0.01, clusters=200, seeds=3, risk=0.025) == 4
    assert seeds_that_show(0.009, over_items=0.005, std=0.01, clusters=200, seeds=3, risk=0.025) is None
    needed = seeds_that_agree(0.005, std=0.003, noise_std=0.001, seeds=3, risk=0.05)
    assert needed == 10
    for count, is_shown in ((9, False), (10, True)):
        limit = 0.003**2 * (count - 1) / stats.chi2(count - 1).ppf(0.05) - 0.001**2
        assert (limit <= 0.005**2) == is_shown
    assert seeds_that_agree(0.005, std=0.006, noise_std=0.001, seeds=3, risk=0.05) is None

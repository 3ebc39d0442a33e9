"""BCa intervals: against SciPy, on clusters, and where they have nothing to say."""

from typing import Any

import numpy as np
import pytest

from safe_eval.options import Sampling
from safe_eval.statistics.bca import bca_interval, bca_interval_of, bca_levels
from safe_eval.statistics.intervals import (
    Interval,
    mean_interval,
    percentile_levels,
    t_interval,
)

WIDENED = 2 * percentile_levels(0.95, 300)[1] - 1  # the level at which SciPy ends where ours do


SKEWED = np.random.default_rng(7).exponential(size=300) ** 1.5


def scipys_bca(values: np.ndarray, resamples: int) -> Any:
    from scipy.stats import bootstrap

    draws = {"n_resamples": resamples, "rng": np.random.default_rng(1), "batch": 100}
    return bootstrap((values,), np.mean, confidence_level=WIDENED, method="BCa", **draws)


@pytest.mark.parametrize("kind", ["skewed", "right or wrong"])
def test_bca_ends_are_scipys_on_the_same_resamples(kind: str) -> None:
    values = SKEWED if kind == "skewed" else (SKEWED < 2).astype(float)
    theirs = scipys_bca(values, 2000)
    left_out = (values.sum() - values) / (len(values) - 1)
    levels = bca_levels(theirs.bootstrap_distribution, values.mean(), left_out, 0.95)
    ours = np.quantile(theirs.bootstrap_distribution, levels)
    assert ours == pytest.approx(list(theirs.confidence_interval), abs=1e-9)


def test_bca_interval_of_single_items_is_scipys_within_its_noise() -> None:
    theirs = scipys_bca(SKEWED, 10_000).confidence_interval
    ours = bca_interval(SKEWED, np.arange(300), Sampling())
    assert [ours.low, ours.high] == pytest.approx(list(theirs), abs=0.02)
    percentile = mean_interval(SKEWED, np.arange(300), Sampling())
    assert ours.high > percentile.high + 0.01  # the long tail is on that side


def test_the_jackknife_of_bca_leaves_out_whole_clusters() -> None:
    """Each item ten times in its cluster is the same evidence as once."""
    once = bca_interval(SKEWED, np.arange(300), Sampling())
    tenfold = bca_interval(np.repeat(SKEWED, 10), np.repeat(np.arange(300), 10), Sampling())
    assert [once.low, once.high] == pytest.approx([tenfold.low, tenfold.high], abs=1e-6)


def test_bca_of_other_sums_and_of_no_spread() -> None:
    """A difference of two slices of the same clips, which share clusters."""
    rng = np.random.default_rng(0)
    totals = np.stack([rng.integers(0, 5, 200), np.full(200, 4), rng.integers(0, 3, 200), np.full(200, 2)], 1)

    def drop(sums: np.ndarray) -> np.ndarray:
        return sums[..., 0] / sums[..., 1] - sums[..., 2] / sums[..., 3]

    interval = bca_interval_of(drop, totals.astype(float), Sampling())
    assert interval.low < drop(totals.sum(axis=0)) < interval.high
    assert bca_interval_of(drop, np.ones((20, 4)), Sampling()) == Interval()
    assert bca_interval_of(drop, np.ones((1, 4)), Sampling()) == Interval()


def test_bca_of_one_cluster_and_of_agreement_is_as_the_percentile_interval() -> None:
    assert bca_interval(np.ones(3), np.zeros(3), Sampling()) == Interval()
    every = np.ones(50), np.arange(50)
    assert bca_interval(*every, Sampling()) == mean_interval(*every, Sampling())
    assert t_interval(*every, 0.95) == mean_interval(*every, Sampling())


def test_the_fast_draw_does_not_depend_on_the_order_of_items() -> None:
    rng = np.random.default_rng(0)
    values, clusters, order = rng.random(900), np.arange(900) // 3, rng.permutation(900)
    sampling = Sampling(resamples=200)
    assert bca_interval(values, clusters, sampling) == bca_interval(values[order], clusters[order], sampling)

"""The cluster bootstrap: totals, and draws that are multinomial."""

import numpy as np
import pytest

from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import cluster_totals, multinomial_counts, resampled_totals
from safe_eval.statistics.intervals import (
    mean_interval,
    percentile_levels,
)


def test_clusters_of_unequal_size_are_resampled_whole() -> None:
    """Against a plain loop over resamples, an independent stream of draws."""
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(30), rng.integers(1, 8, size=30))
    scores = (rng.random(30)[clusters] < rng.random(len(clusters))).astype(float)
    drawn = [
        np.concatenate([scores[clusters == c] for c in rng.integers(30, size=30)]).mean() for _ in range(4000)
    ]
    ours = mean_interval(scores, clusters, Sampling())
    assert [ours.low, ours.high] == pytest.approx(np.quantile(drawn, percentile_levels(0.95, 30)), abs=0.015)


def test_few_and_many_kinds_of_cluster_are_drawn_alike() -> None:
    """The same scores, once with a trace added that makes every cluster its own kind."""
    scores = (np.random.default_rng(2).random(400) < 0.7).astype(float)
    few = mean_interval(scores, np.arange(400), Sampling())
    many = mean_interval(scores + np.arange(400) * 1e-9, np.arange(400), Sampling())
    assert [few.low, few.high] == pytest.approx([many.low, many.high], abs=0.006)


def test_counts_are_multinomial() -> None:
    """Each row sums to C; each count is Binomial(C, 1/C); two counts have covariance −1/C."""
    from scipy.stats import binom, chisquare

    clusters = 100
    counts = np.concatenate([*multinomial_counts(clusters, Sampling(resamples=20_000))]).astype(int)
    assert (counts.sum(axis=1) == clusters).all()
    expected = binom.pmf(np.arange(6), clusters, 1 / clusters) * counts.size
    observed = np.bincount(counts.ravel(), minlength=10)
    tail = [counts.size - expected.sum()], [observed[6:].sum()]
    assert chisquare(np.r_[observed[:6], tail[1]], np.r_[expected, tail[0]]).pvalue > 0.001
    assert counts.mean(axis=0) == pytest.approx(np.ones(clusters), abs=0.04)
    covariance = np.cov(counts.T)
    apart = covariance[~np.eye(clusters, dtype=bool)].mean()
    assert apart == pytest.approx(-1 / clusters, rel=0.02)
    assert np.diag(covariance).mean() == pytest.approx(1 - 1 / clusters, rel=0.02)


def test_sums_in_32_bits_are_those_of_64() -> None:
    rng = np.random.default_rng(0)
    totals = np.stack([np.sort(rng.random(500)) + 1000, rng.integers(1, 9, 500)], axis=1)  # in drawing order
    sampling = Sampling(resamples=200)
    exact = np.concatenate([counts.astype(float) @ totals for counts in multinomial_counts(500, sampling)])
    assert resampled_totals(totals, sampling) == pytest.approx(exact, abs=1e-3 * exact.std(axis=0).min())


def test_totals_are_by_cluster_and_column() -> None:
    totals = cluster_totals(np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array(["b", "a", "b"]))
    assert totals.tolist() == [[3.0, 4.0], [6.0, 8.0]]

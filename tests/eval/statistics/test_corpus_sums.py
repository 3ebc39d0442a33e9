"""Corpus values of sums: intervals, and the test that swaps the sides of clusters."""

import itertools
from functools import partial

import numpy as np
import pytest

from safe_eval.options import Sampling
from safe_eval.scorers.captions.caption_scores import score_of_sums
from safe_eval.statistics.corpus_sums import corpus_interval, corpus_value, sums_difference

BLEU_1 = partial(score_of_sums, "bleu_1")
BLEU_2 = partial(score_of_sums, "bleu_2")
SAMPLING = Sampling(resamples=4_000)
BOTH = (0.95, 0.90)


def counts(right: np.ndarray, words: int = 10) -> np.ndarray:
    """BLEU counts of captions with so many right words, in no longer runs, as long as their references."""
    table = np.zeros((len(right), 10), dtype=int)
    table[:, 0] = right
    table[:, 4:8] = words - np.arange(4)
    table[:, 8:] = words
    return table


def test_the_interval_is_that_of_resampled_clusters() -> None:
    rng = np.random.default_rng(0)
    right, clusters = rng.integers(0, 11, 120), np.arange(120) // 3
    interval = corpus_interval(BLEU_1, counts(right), clusters, SAMPLING, 1.0)
    by_cluster = right.reshape(40, 3).sum(axis=1)
    drawn = by_cluster[rng.integers(0, 40, size=(4_000, 40))].sum(axis=1) / 1200
    assert [interval.low, interval.high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.004)


def test_a_cluster_alone_is_not_measured() -> None:
    one = corpus_interval(BLEU_1, counts(np.array([5, 6])), np.zeros(2), SAMPLING, 1.0)
    assert (one.low, one.high, one.method) == (None, None, None)
    both = counts(np.array([5, 6])), counts(np.array([2, 2]))
    compared = sums_difference(BLEU_1, *both, np.zeros(2), SAMPLING, BOTH)
    assert compared.difference == pytest.approx(0.35)
    assert (compared.intervals[0].low, compared.p_value) == (None, None)


def test_swaps_agree_with_all_swaps_there_are() -> None:
    a, b = counts(np.array([9, 7, 5, 6, 8, 3, 9, 4])), counts(np.array([6, 5, 6, 4, 5, 3, 5, 5]))
    observed = abs(corpus_value(BLEU_1, a) - corpus_value(BLEU_1, b))
    as_large = 0
    for swaps in itertools.product((False, True), repeat=8):
        swapped = np.array(swaps)[:, None]
        one, other = np.where(swapped, b, a).sum(axis=0), np.where(swapped, a, b).sum(axis=0)
        apart = score_of_sums("bleu_1", one) - score_of_sums("bleu_1", other)
        as_large += abs(float(apart)) >= observed - 1e-9
    found = sums_difference(BLEU_1, a, b, np.arange(8), SAMPLING, BOTH).p_value
    assert found == pytest.approx(as_large / 256, abs=0.02)


def test_the_sides_are_alike() -> None:
    rng = np.random.default_rng(1)
    a, b = (counts(rng.integers(0, 11, 60)) for _ in range(2))
    there = sums_difference(BLEU_2, a, b, np.arange(60), SAMPLING, BOTH)
    back = sums_difference(BLEU_2, b, a, np.arange(60), SAMPLING, BOTH)
    assert there.difference == -back.difference
    assert there.intervals[0].low == pytest.approx(-back.intervals[0].high, abs=0.01)
    assert there.p_value == pytest.approx(back.p_value, abs=0.03)
    same = sums_difference(BLEU_2, a, a, np.arange(60), SAMPLING, BOTH)
    assert (same.difference, same.p_value, same.intervals[0].method) == (0.0, 1.0, "wilson")


def test_a_true_null_is_rejected_as_often_as_it_should_be() -> None:
    quick, rejected = Sampling(resamples=300), 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        shared = rng.integers(2, 9, 30)  # of a cluster of three captions, on both sides
        a, b = (counts(np.repeat(np.clip(shared + rng.integers(-2, 3, 30), 0, 10), 3)) for _ in range(2))
        found = sums_difference(BLEU_1, a, b, np.repeat(np.arange(30), 3), quick, BOTH)
        rejected += found.p_value is not None and found.p_value <= 0.05
    assert 3 <= rejected <= 19  # 10 are expected; items taken as independent would make some 50

"""Sums over seeds: BLEU over trained seeds, against plain loops over resamples."""

from functools import partial

import numpy as np
import pytest

from safe_eval.options import Sampling
from safe_eval.scorers.captions.caption_scores import score_of_sums
from safe_eval.statistics.corpus_sums import sums_difference
from safe_eval.statistics.intervals import Interval
from safe_eval.statistics.seeds import seed_spread
from safe_eval.statistics.sums_over_seeds import sums_over_seeds, sums_spread

BLEU_1 = partial(score_of_sums, "bleu_1")
BLEU_4 = partial(score_of_sums, "bleu_4")
SAMPLING = Sampling(resamples=4_000)
CLUSTERS = np.arange(120) // 3


def counts(right: np.ndarray) -> np.ndarray:
    """BLEU's counts of captions of ten words, of which so many are right, one caption an item."""
    table = np.zeros((*right.shape, 10))
    table[..., 0] = right
    table[..., 4:8] = 10 - np.arange(4)
    table[..., 8:] = 10
    return table


def seeds(worth: list[int], scatter: int = 4, draw: int = 0) -> np.ndarray:
    rng = np.random.default_rng(draw)
    shared = rng.integers(0, 4, 120)
    return counts(np.stack([shared + w + rng.integers(0, scatter, 120) for w in worth]))


def test_means_and_std_are_those_of_the_seeds() -> None:
    spread = sums_spread(BLEU_1, seeds([0, 1, 3]), CLUSTERS, SAMPLING)
    by_hand = [float(score_of_sums("bleu_1", one.sum(axis=0))) for one in seeds([0, 1, 3])]
    assert spread.means == pytest.approx(by_hand)
    assert (spread.mean, spread.std) == (
        pytest.approx(np.mean(by_hand)),
        pytest.approx(np.std(by_hand, ddof=1)),
    )
    assert (spread.n, spread.clusters) == (120, 40)
    assert spread.interval.method == "cluster and seed t"
    assert spread.interval.low < spread.mean < spread.interval.high


def test_the_standard_error_over_items_is_that_of_resampled_clusters() -> None:
    found, rng = seeds([0, 1]), np.random.default_rng(1)
    by_cluster = found.reshape(2, 40, 3, 10).sum(axis=2)
    drawn = [
        score_of_sums("bleu_1", by_cluster[:, rng.integers(0, 40, 40)].sum(axis=1)).mean()
        for _ in range(4_000)
    ]
    expected = np.std(drawn) * np.sqrt(40 / 39)
    assert sums_spread(BLEU_1, found, CLUSTERS, SAMPLING).sampling_stderr == pytest.approx(expected, rel=0.05)


def test_item_noise_is_that_of_resampled_clusters() -> None:
    """BLEU-1 of captions of one length is the mean of their shares, whose noise is known."""
    found = seeds([0, 0, 0])
    shares = seed_spread(found[..., 0] / 10, CLUSTERS, SAMPLING)
    spread = sums_spread(BLEU_1, found, CLUSTERS, SAMPLING)
    assert spread.noise_std == pytest.approx(shares.noise_std, rel=0.05)
    assert spread.seed_std == pytest.approx(shares.seed_std, abs=0.002)
    assert spread.seed_std_high == pytest.approx(shares.seed_std_high, rel=0.1)


def test_a_difference_is_paired_by_item_and_seed() -> None:
    """What an item adds to both sides is no uncertainty of their difference."""
    a, b = seeds([2, 2, 3], scatter=1), seeds([0, 0, 1], scatter=1)
    found = sums_over_seeds(BLEU_1, a, b, CLUSTERS, SAMPLING)
    assert found.spread.means == pytest.approx((0.2, 0.2, 0.2))
    assert found.spread.std == pytest.approx(0)
    assert found.spread.sampling_stderr == pytest.approx(0, abs=1e-9)
    assert found.inference.interval.method == "wilson"
    assert found.inference.p_value < 0.01


@pytest.mark.parametrize("worth", [[0, 0, 0], [0, 1, 0], [1, 1, 1], [3, 3, 4], [0, 1, 3]])
def test_p_is_small_exactly_where_the_interval_excludes_0(worth: list[int]) -> None:
    found = sums_over_seeds(BLEU_4, seeds(worth, draw=1), seeds([0, 0, 0], draw=2), CLUSTERS, SAMPLING)
    inference = found.inference
    assert (inference.p_value <= 0.05) == (inference.interval.low > 0 or inference.interval.high < 0)
    assert inference.interval.low < inference.one_sided.low < found.spread.mean


def test_one_seed_has_no_test_over_seeds() -> None:
    a, b = seeds([1], draw=1), seeds([0], draw=2)
    whole = sums_difference(BLEU_1, a[0], b[0], CLUSTERS, SAMPLING, (0.95,))
    alone = sums_over_seeds(BLEU_1, a, b, CLUSTERS, SAMPLING)
    assert alone.spread.mean == pytest.approx(whole.difference)
    assert (alone.spread.std, alone.spread.interval, alone.inference.p_value) == (None, Interval(), None)


def test_a_single_cluster_has_no_interval() -> None:
    spread = sums_spread(BLEU_1, seeds([0, 1]), np.zeros(120), SAMPLING)
    assert (spread.sampling_stderr, spread.interval) == (None, Interval())

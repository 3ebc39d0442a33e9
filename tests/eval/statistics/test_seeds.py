"""Seeds: spread taken apart as it was put together, items that no seed gets right, flips by question type."""

import numpy as np
import pytest

from safe_data.core.errors import InputError
from safe_eval.statistics.sampling import Interval, Sampling
from safe_eval.statistics.seeds import always_right, always_wrong, crossed, flips, seed_spread, stability

QUICK = Sampling(resamples=500)
THREE = np.array([[1.0, 0.0, 0.6, 0.0], [1.0, 0.0, 0.3, 1.0], [1.0, 0.3, 0.9, 1.0]])


def test_mean_and_std_over_runs_by_hand() -> None:
    spread = seed_spread(THREE, np.arange(4), QUICK)
    assert spread.means == pytest.approx((0.4, 0.575, 0.8))
    assert spread.mean == pytest.approx(np.mean([0.4, 0.575, 0.8]))
    assert spread.std == pytest.approx(np.std([0.4, 0.575, 0.8], ddof=1))
    assert (spread.n, spread.clusters, spread.interval.method) == (4, 4, "cluster and seed t")


def test_seeds_items_and_scatter_are_told_apart() -> None:
    """Simulated from known parts: seeds of std 0.05, items of std 0.3, scatter of std 0.5, 400 items."""
    rng = np.random.default_rng(0)
    parts = []
    for _ in range(200):
        seeds, items = rng.normal(0, 0.05, size=(5, 1)), rng.normal(0, 0.3, size=400)
        spread = seed_spread(
            seeds + items + rng.normal(0, 0.5, size=(5, 400)), np.arange(400), Sampling(resamples=100)
        )
        parts.append([spread.std**2, spread.noise_std**2, spread.sampling_stderr**2])
    between, noise, sampling = np.mean(parts, axis=0)
    assert noise == pytest.approx(0.5**2 / 400, rel=0.03)
    assert between - noise == pytest.approx(0.05**2, rel=0.15)
    assert sampling == pytest.approx((0.3**2 + 0.5**2 / 5) / 400, rel=0.03)


def test_seeds_of_equal_worth_have_no_spread_of_their_own() -> None:
    """Scatter that clusters share: counted by item it would be taken for a difference between seeds."""
    rng = np.random.default_rng(1)
    clusters = np.arange(600) // 6
    shares = []
    for _ in range(100):
        scores = rng.normal(size=(4, 100))[:, clusters]
        spread = seed_spread(scores, clusters, Sampling(resamples=100))
        shares.append(spread.std**2 / spread.noise_std**2)
    assert np.mean(shares) == pytest.approx(1, abs=0.15)


def test_one_seed_has_no_spread() -> None:
    spread = seed_spread(THREE[:1], np.arange(4), QUICK)
    assert (spread.std, spread.noise_std, spread.seed_std, spread.interval) == (None, None, None, Interval())
    assert spread.sampling_stderr > 0


def test_wrong_and_right_in_every_seed() -> None:
    assert always_wrong(THREE, right_from=0.5).tolist() == [False, True, False, False]
    assert always_right(THREE, right_from=0.5).tolist() == [True, False, False, False]
    assert always_right(THREE, right_from=0.3).tolist() == [True, False, True, False]


def test_stability_and_flips_by_question_type() -> None:
    types = ["count", "count", "what", "what"]
    rows = stability(THREE, types, right_from=0.5)
    assert [(r.question_type, r.n, r.always_right, r.always_wrong, r.mixed) for r in rows] == [
        ("count", 2, 1, 1, 0),
        ("what", 2, 0, 0, 2),
    ]
    table = flips(THREE[0], THREE[1], types, right_from=0.5)
    assert [(f.question_type, f.n, f.stayed_right, f.gained, f.lost, f.stayed_wrong) for f in table] == [
        ("count", 2, 1, 0, 0, 1),
        ("what", 2, 0, 1, 1, 0),
    ]


def test_scores_by_seed_are_crossed_by_example() -> None:
    examples, scores = crossed({1: {"b": 0.0, "a": 1.0}, 0: {"a": 0.5, "b": 0.25}})
    assert examples == ("a", "b")
    assert scores.tolist() == [[0.5, 0.25], [1.0, 0.0]]


def test_seeds_of_different_examples_are_refused() -> None:
    with pytest.raises(InputError, match="same 2 examples: seed 1 lacks 1"):
        crossed({0: {"a": 1.0, "b": 0.0}, 1: {"a": 1.0}})
    with pytest.raises(InputError, match="no seeds"):
        crossed({})
    with pytest.raises(InputError, match="give seeds × items"):
        seed_spread(THREE, np.arange(3), QUICK)
    with pytest.raises(InputError, match="1 question types of 4 items"):
        stability(THREE, ["what"], right_from=0.5)
    with pytest.raises(InputError, match="not of the same items"):
        flips(THREE[0], THREE[1][:2], ["a"] * 4, right_from=0.5)

"""Planned power: what is planned comes out so often in data that is drawn, item by item, and judged."""

import numpy as np
import pytest
from scipy import stats

from safe_data.core.errors import InputError
from safe_eval.statistics.bounded_mean import tail_probabilities
from safe_eval.statistics.planned_power import (
    Changes,
    Shown,
    beta_binomial,
    fewest_clusters,
    least_effect,
    power_of_difference,
    sizes_and_shares,
)
from safe_eval.statistics.planned_share import Share, lower_ends, power_of_share
from safe_eval.statistics.score_interval import score_interval

TRIALS = 300


def draw(rng: np.random.Generator, clusters: np.ndarray, share: float, correlation: float) -> np.ndarray:
    weight = 1 / correlation - 1 if correlation else 1e9
    chance = rng.beta(share * weight, (1 - share) * weight, clusters.max() + 1)
    return rng.random(len(clusters)) < chance[clusters]


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        (Changes(0.05, 0.11, (1.0,), 0.0), Shown(0.025, above=0.0)),
        (Changes(0.02, 0.02, (4.0,), 0.3), Shown(0.05, above=-0.02)),
        (Changes(0.1, 0.1, (1.0, 2.0, 9.0), 0.2), Shown(0.05, above=-0.05, below=0.05)),
    ],
)
def test_planned_clusters_show_it_in_four_of_five_trials(changes: Changes, shown: Shown) -> None:
    count = fewest_clusters(lambda clusters: power_of_difference(changes, shown, clusters), 0.8, 100)
    assert count is not None
    rng, hits = np.random.default_rng(0), 0
    for _ in range(TRIALS):
        clusters = np.repeat(np.arange(count), rng.choice(changes.sizes, count).astype(int))
        lost = draw(rng, clusters, changes.lost, changes.correlation)
        gained = draw(rng, clusters, changes.gained / (1 - changes.lost), changes.correlation) & ~lost
        limit = -(shown.above or 0.0)
        below, above = tail_probabilities(
            1.0 * gained - lost, clusters, limit
        )  # p at the ends of the interval
        hits += below < shown.risk and (shown.below is None or above < shown.risk)
    assert hits / TRIALS == pytest.approx(0.8, abs=0.07)


@pytest.mark.parametrize("assumed", [Share(0.9), Share(0.92, (6.0,), 0.3), Share(0.95, (1.0, 2.0, 9.0), 0.1)])
def test_planned_answers_show_a_share_in_four_of_five_trials(assumed: Share) -> None:
    count = fewest_clusters(lambda clusters: power_of_share(assumed, 0.8, 0.025, clusters), 0.8, 20)
    assert count is not None
    rng, hits = np.random.default_rng(0), 0
    for _ in range(TRIALS):
        clusters = np.repeat(np.arange(count), rng.choice(assumed.sizes, count).astype(int))
        low = score_interval(
            1.0 * draw(rng, clusters, assumed.share, assumed.correlation), clusters, 0.95
        ).low
        hits += low is not None and low >= 0.8
    assert hits / TRIALS == pytest.approx(0.82, abs=0.07)


def test_the_low_ends_are_those_of_the_score_interval() -> None:
    """The same formula for many trials at once must stay the same formula."""
    rng = np.random.default_rng(0)
    sizes, right = np.array([1.0, 1, 3, 3, 7]), np.array([0.0, 1, 2, 3, 7])
    counts = rng.integers(0, 9, size=(40, 5)).astype(float)
    counts[0] = [0, 30, 0, 0, 0]
    for trial, low in zip(counts, lower_ends(counts, sizes, right, 0.025), strict=True):
        items = np.concatenate(
            [
                np.repeat(np.arange(size) < count, 1)
                for size, count, times in zip(sizes, right, trial, strict=True)
                for _ in range(int(times))
            ]
        )
        lengths = np.repeat(sizes, trial.astype(int)).astype(int)
        interval = score_interval(items.astype(float), np.repeat(np.arange(len(lengths)), lengths), 0.95)
        assert low == pytest.approx(interval.low or 0.0, abs=1e-9)


def test_nothing_changed_needs_598_clusters_for_half_a_point() -> None:
    nothing, shown = Changes(0.0, 0.0, (4.0,), 0.3), Shown(0.05, above=-0.005)
    assert fewest_clusters(lambda clusters: power_of_difference(nothing, shown, clusters), 0.8, 598) == 598


@pytest.mark.parametrize(("size", "share", "correlation"), [(5, 0.3, 0.2), (40, 0.01, 0.9), (7, 0.5, 0.0)])
def test_counts_in_a_cluster_are_scipys(size: int, share: float, correlation: float) -> None:
    weight = 1 / correlation - 1 if correlation else 0
    expected = (
        stats.betabinom(size, share * weight, (1 - share) * weight) if weight else stats.binom(size, share)
    )
    assert beta_binomial(size, share, correlation) == pytest.approx(
        expected.pmf(np.arange(size + 1)), abs=1e-9
    )
    assert beta_binomial(size, share, 1.0)[[0, -1]].tolist() == [1 - share, share]
    assert beta_binomial(0, share, 1.0).tolist() == [1.0]


@pytest.mark.parametrize("sizes", [[1.0], [2.25], [1, 2, 300], list(range(1, 60))])
def test_a_few_sizes_have_the_mean_of_many(sizes: list[float]) -> None:
    found = sizes_and_shares(sizes)
    assert sum(share for _, share in found) == pytest.approx(1)
    assert sum(size * share for size, share in found) == pytest.approx(np.mean(sizes))
    assert len(found) <= 40
    spread = sum(size**2 * share for size, share in found)
    assert spread == pytest.approx(np.mean(np.square(sizes)), rel=0.02, abs=0.2)


def test_more_clusters_and_a_wider_margin_have_more_power() -> None:
    changes = Changes(0.02, 0.02, (2.0,), 0.2)
    of_more = [power_of_difference(changes, Shown(0.05, above=-0.01), count) for count in (100, 1000, 3000)]
    assert of_more == sorted(of_more)
    least = least_effect(
        lambda margin: power_of_difference(changes, Shown(0.05, above=-margin), 3000), 0.8, 0.5
    )
    assert least == pytest.approx(0.008, abs=0.002)
    assert least_effect(lambda _: 0.0, 0.8, 0.5) is None
    assert fewest_clusters(lambda _: 0.0, 0.8, 10) is None


def test_shares_that_cannot_be() -> None:
    with pytest.raises(InputError, match=r"shares of 0\.7 lost and 0\.6 gained cannot be"):
        Changes(0.7, 0.6, (1.0,), 0.0)

"""Made data: clusters of equal and unequal sizes, and answers that stand or fall together in a cluster."""

from typing import Literal

import numpy as np

Sizes = Literal["equal", "zipf", "random zipf", "giant", "singletons", "one to eight"]

_MEAN_SIZE = 8
_LARGEST = 500  # of random Zipf sizes


def clusters_of(rng: np.random.Generator, count: int, sizes: Sizes = "one to eight") -> np.ndarray:
    """The cluster of each item, for so many clusters.

    - equal: eight items each. zipf: eight on average, the i-th cluster 1/i as large as the first.
    - random zipf: sizes drawn from Zipf's law with exponent 2, at most 500.
    - giant: one cluster has half of the items, the others eight each. singletons: one item each.
    """
    return np.repeat(np.arange(count), _sizes(rng, count, sizes))


def _sizes(rng: np.random.Generator, count: int, sizes: Sizes) -> np.ndarray:
    if sizes == "one to eight":
        return rng.integers(1, 9, size=count)
    if sizes == "zipf":
        shares = 1 / np.arange(1, count + 1)
        return np.maximum(1, np.round(shares / shares.sum() * count * _MEAN_SIZE)).astype(int)
    if sizes == "random zipf":
        return np.minimum(rng.zipf(2.0, count), _LARGEST)
    found = np.full(count, 1 if sizes == "singletons" else _MEAN_SIZE)
    if sizes == "giant":
        found[0] = found[1:].sum()
    return found


def chances(rng: np.random.Generator, count: int, mean: float, correlation: float) -> np.ndarray:
    """The chance of each cluster: beta, with this mean and this intracluster correlation of the outcomes."""
    if not correlation or not mean:
        return np.full(count, mean)
    weight = 1 / correlation - 1
    return rng.beta(mean * weight, (1 - mean) * weight, size=count)


def outcomes(rng: np.random.Generator, clusters: np.ndarray, mean: float, correlation: float) -> np.ndarray:
    """Scores 0 or 1 with this mean and intracluster correlation."""
    chance = chances(rng, int(clusters.max()) + 1, mean, correlation)
    return (rng.random(len(clusters)) < chance[clusters]).astype(float)


def changes(
    rng: np.random.Generator, clusters: np.ndarray, lost: float, gained: float, correlation: float
) -> np.ndarray:
    """Differences −1, 0 or 1 with these shares lost and gained, which stand or fall together in a cluster."""
    losses = outcomes(rng, clusters, lost, correlation)
    gains = outcomes(rng, clusters, gained / (1 - lost), correlation)
    return np.where(losses > 0, -1.0, gains)

"""How near the shrunken values of small slices come to the truth, and how often their intervals hold it."""

import itertools
from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.simulations.case import Case
from benchmarks.simulations.means import holds
from benchmarks.simulations.worlds import outcomes
from safe_eval.statistics.intervals import Interval
from safe_eval.statistics.score_interval import score_interval, worth
from safe_eval.statistics.shrinkage import Shrunken, sampling_variances, shrink

FEWEST_ITEMS, MOST_ITEMS, CLUSTER = 4, 400, 4  # of a slice, and of a cluster


def made_slices(
    rng: np.random.Generator, *, count: int, mean: float, spread: float, correlation: float
) -> tuple[np.ndarray, list[tuple[np.ndarray, np.ndarray]]]:
    """The true mean of each slice, with this standard deviation, and the scores and clusters of its items."""
    weight = mean * (1 - mean) / spread**2 - 1 if spread else 0.0
    truths = rng.beta(mean * weight, (1 - mean) * weight, count) if spread else np.full(count, mean)
    sizes = np.exp(rng.uniform(np.log(FEWEST_ITEMS), np.log(MOST_ITEMS), count)).astype(int)
    slices = []
    for truth, size in zip(truths, sizes, strict=True):
        clusters = np.arange(size) // CLUSTER
        slices.append((outcomes(rng, clusters, float(np.clip(truth, 1e-6, 1 - 1e-6)), correlation), clusters))
    return truths, slices


def shrunken(slices: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, Shrunken]:
    """The raw and the shrunken values, as scores.json has them."""
    found = [worth(scores, clusters) for scores, clusters in slices]
    raw = np.array([one.mean for one in found])
    return raw, shrink(raw, sampling_variances(found), 0.95)


def of_slices(
    rng: np.random.Generator, *, count: int, mean: float, spread: float, correlation: float
) -> dict[str, bool]:
    """Whether all slices together come nearer to the truth, and whether two intervals of one hold it."""
    truths, slices = made_slices(rng, count=count, mean=mean, spread=spread, correlation=correlation)
    raw, found = shrunken(slices)
    return {
        "nearer": bool(((found.values - truths) ** 2).sum() < ((raw - truths) ** 2).sum()),
        "interval": holds(Interval(float(found.low[0]), float(found.high[0])), truths[0]),
        "interval of the slice alone": holds(score_interval(*slices[0], 0.95), truths[0]),
    }


def cases() -> Iterator[Case]:
    """5 to 30 slices of 4 to 400 items that differ not at all, a little and much; near 1 too."""
    worlds = ((0.7, 0.0), (0.7, 0.05), (0.7, 0.15), (0.95, 0.03))
    for count, (mean, spread), correlation in itertools.product((5, 10, 30), worlds, (0.0, 0.3)):
        trial = partial(of_slices, count=count, mean=mean, spread=spread, correlation=correlation)
        of = f"{count} slices, mean {mean}, std {spread:g}, correlation {correlation:g}"
        yield Case(f"a shrunken slice is held, and nearer to the truth than the raw one; {of}", "0.95", trial)

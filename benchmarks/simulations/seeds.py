"""How often the interval over clusters and seeds holds the mean."""

import itertools
from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.simulations.case import Case
from benchmarks.simulations.means import MEAN, graded, holds
from benchmarks.simulations.worlds import clusters_of
from safe_eval.options import Sampling
from safe_eval.statistics.seeds import two_way_interval


def of_the_mean(
    rng: np.random.Generator, *, seeds: int, seed_std: float, count: int = 120
) -> dict[str, bool]:
    """The two-way interval of skewed grades, where seeds differ by this standard deviation."""
    clusters = clusters_of(rng, count)
    worth = rng.normal(0, seed_std, size=(seeds, 1))
    values = graded(rng, clusters) + worth + rng.normal(0, 0.3, size=(seeds, len(clusters)))
    labels = np.repeat(np.arange(seeds), len(clusters))
    interval = two_way_interval(values.ravel(), np.tile(clusters, seeds), labels, Sampling())
    return {"two-way t": holds(interval, MEAN)}


def cases() -> Iterator[Case]:
    """2 to 10 seeds that differ not at all, as much as the clusters' mean, and more."""
    for seeds, seed_std in itertools.product((2, 3, 5, 10), (0.0, 0.03, 0.1)):
        trial = partial(of_the_mean, seeds=seeds, seed_std=seed_std)
        yield Case(f"the interval holds a mean over {seeds} seeds of std {seed_std:g}", "0.95", trial)

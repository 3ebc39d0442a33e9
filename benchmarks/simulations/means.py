"""How often the interval of a mean holds it, by the number, size and likeness of clusters."""

import itertools
import math
from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from benchmarks.simulations.case import Case
from benchmarks.simulations.worlds import Sizes, clusters_of, outcomes
from safe_eval.options import Sampling
from safe_eval.statistics.balanced_interval import balanced_interval
from safe_eval.statistics.bca import bca_interval
from safe_eval.statistics.intervals import Interval, mean_interval, t_interval
from safe_eval.statistics.score_interval import score_interval

CORRELATION, MEAN = 0.3, 0.7
RESAMPLES = 500

Scores = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def holds(interval: Interval, truth: float) -> bool:
    """Whether an interval holds a number; one that was not measured does not."""
    return interval.low is not None and interval.high is not None and interval.low <= truth <= interval.high


def graded(rng: np.random.Generator, clusters: np.ndarray) -> np.ndarray:
    """Skewed scores of mean 0.7 and intracluster correlation 0.3, as captions have."""
    of_cluster = rng.exponential(size=clusters.max() + 1)[clusters] - 1
    of_item = rng.exponential(size=len(clusters)) - 1
    return MEAN + 0.3 * (math.sqrt(CORRELATION) * of_cluster + math.sqrt(1 - CORRELATION) * of_item)


def holds_if_measured(interval: Interval, truth: float) -> bool | None:
    """Whether an interval holds a number; None if it was not measured."""
    return None if interval.low is None else holds(interval, truth)


def of_right_or_wrong(
    rng: np.random.Generator, *, mean: float, count: int, sizes: Sizes, correlation: float
) -> dict[str, bool | None]:
    """The score interval, and the two it took the place of."""
    clusters = clusters_of(rng, count, sizes)
    values = outcomes(rng, clusters, mean, correlation)
    sampling = Sampling(resamples=RESAMPLES, seed=int(rng.integers(1 << 30)))
    return {
        "score": holds_if_measured(score_interval(values, clusters, 0.95), mean),
        "percentile": holds(mean_interval(values, clusters, sampling), mean),
        "t": holds(t_interval(values, clusters, 0.95), mean),
    }


def of_graded(rng: np.random.Generator, *, count: int) -> dict[str, bool]:
    """Percentile, BCa and Student's t on skewed grades of one to eight items per cluster."""
    clusters = clusters_of(rng, count)
    values = graded(rng, clusters)
    sampling = Sampling(resamples=RESAMPLES, seed=int(rng.integers(1 << 30)))
    return {
        "percentile": holds(mean_interval(values, clusters, sampling, scale=(-10, 10)), MEAN),
        "bca": holds(bca_interval(values, clusters, sampling), MEAN),
        "t": holds(t_interval(values, clusters, 0.95, scale=(-10, 10)), MEAN),
    }


def of_recalls(rng: np.random.Generator, *, rare: int, correlation: float) -> dict[str, bool | None]:
    """The interval of balanced accuracy: a class in so few clusters, and another in ten times as many."""
    recalls = (0.8, 0.9)
    parts = [clusters_of(rng, count) for count in (rare, 10 * rare)]
    right = [outcomes(rng, part, recall, correlation) for part, recall in zip(parts, recalls, strict=True)]
    classes = np.repeat([0, 1], [len(part) for part in parts])
    clusters = np.concatenate([parts[0], parts[1] + rare])
    interval = balanced_interval(np.concatenate(right), classes, clusters, 0.95)
    return {"balanced": holds_if_measured(interval, float(np.mean(recalls)))}


def called_rare(
    rng: np.random.Generator, *, rate: float, count: int, sizes: Sizes, correlation: float
) -> dict[str, bool | None]:
    """Whether the upper limit lies at or below the true rate, so that "at most 5 %" is said of 5 %."""
    clusters = clusters_of(rng, count, sizes)
    values = outcomes(rng, clusters, rate, correlation)
    high = score_interval(values, clusters, 0.95).high
    return {"score": None if high is None else high <= rate}


def cases() -> Iterator[Case]:
    """Means .7, .95, .99 and a rate of .05; equal and Zipf sizes; correlation 0, .3, .9."""
    many: tuple[Sizes, ...] = ("equal", "zipf", "random zipf", "giant", "singletons")
    for sizes, count, correlation in itertools.product(many, (20, 50, 200), (0.0, 0.3, 0.9)):
        if sizes == "singletons" and correlation:
            continue
        of = f"{sizes}, {count} clusters, correlation {correlation:g}"
        for mean in (0.7, 0.95, 0.99):
            trial = partial(of_right_or_wrong, mean=mean, count=count, sizes=sizes, correlation=correlation)
            yield Case(f"the interval holds a mean of {mean}; {of}", "0.93 to 0.97", trial)
        rare = partial(called_rare, rate=0.05, count=count, sizes=sizes, correlation=correlation)
        yield Case(f"a rate of 5 % called at most 5 %; {of}", "<= 0.04", rare)
    for rare, correlation in itertools.product((3, 4, 5, 10, 20), (0.0, 0.3, 0.9)):
        of = f"{rare} clusters of a class, correlation {correlation:g}"
        trial = partial(of_recalls, rare=rare, correlation=correlation)
        yield Case(f"the interval holds a balanced accuracy; {of}", "0.93 to 0.97", trial)
    for count in (10, 20, 30, 50, 120, 300):
        yield Case(
            f"the interval holds a mean of skewed grades; {count} clusters",
            "0.95",
            partial(of_graded, count=count),
        )

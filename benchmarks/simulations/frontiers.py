"""How often all intervals of a frontier hold at once, and how often a point is wrongly called needless."""

import itertools
from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from benchmarks.simulations.case import Case
from benchmarks.simulations.means import holds
from benchmarks.simulations.worlds import Sizes, chances, clusters_of
from safe_eval.options import Sampling
from safe_eval.statistics.frontier import joint_points, jointly, standings

DRAWS = 2000
CORRELATION = 0.3  # of right answers in a cluster, and of the models' answers to it
_THRESHOLDS = np.linspace(0, 1, 21)


def made_points(
    rng: np.random.Generator, clusters: np.ndarray, accuracies: Sequence[float], costs: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    """Scores and latencies by model: some items are hard for all of them, some clusters take all longer."""
    count = int(clusters.max()) + 1
    places = rng.random(
        len(clusters)
    )  # an item is as hard for one model as for another, in half of the draws
    hard = rng.normal(0, 0.2, size=count)
    scores, spent = [], []
    for accuracy, cost in zip(accuracies, costs, strict=True):
        chance = chances(np.random.default_rng(int(rng.integers(1 << 30))), count, accuracy, CORRELATION)
        own = np.where(rng.random(len(clusters)) < 0.5, places, rng.random(len(clusters)))
        scores.append((own < chance[clusters]).astype(float))
        noise = rng.normal(0, 0.3, size=len(clusters)) + hard[clusters]
        spent.append(cost * np.exp(noise - (0.3**2 + 0.2**2) / 2))
    return np.array(scores), np.array(spent)


def at_once(rng: np.random.Generator, *, models: int, count: int, sizes: Sizes) -> dict[str, bool]:
    """Whether every interval of accuracy and of latency holds its truth."""
    clusters = clusters_of(rng, count, sizes)
    accuracies, costs = np.linspace(0.6, 0.9, models), np.linspace(100, 130, models)
    scores, spent = made_points(rng, clusters, list(accuracies), list(costs))
    points = joint_points(jointly(scores, spent, clusters, _sampling(rng)))
    return {
        "all intervals": all(
            holds(point.value_interval, accuracy) and holds(point.cost_interval, cost)
            for point, accuracy, cost in zip(points, accuracies, costs, strict=True)
        )
    }


def of_a_gate(rng: np.random.Generator, *, count: int, sizes: Sizes) -> dict[str, bool]:
    """Whether the band of a gate's curve holds at every threshold: 80 % with the sound, 50 % without."""
    clusters = clusters_of(rng, count, sizes)
    (scores, without), _ = made_points(rng, clusters, (0.8, 0.5), (1, 1))
    gate = rng.random(len(clusters))
    opened = gate >= _THRESHOLDS[:, None]
    joint = jointly(np.where(opened, scores, without), opened.astype(float), clusters, _sampling(rng))
    points = joint_points(joint, highest_cost=1)
    return {
        "all thresholds": all(
            holds(point.value_interval, 0.8 - 0.3 * threshold) and holds(point.cost_interval, 1 - threshold)
            for point, threshold in zip(points, _THRESHOLDS, strict=True)
        )
    }


def wrongly_needless(
    rng: np.random.Generator, *, models: int, count: int, sizes: Sizes, apart: float
) -> dict[str, bool]:
    """Whether any model is called dominated, where each costs more and scores more than the one before."""
    clusters = clusters_of(rng, count, sizes)
    accuracies = list(0.7 + apart * np.arange(models))
    scores, spent = made_points(rng, clusters, accuracies, list(100 + 10 * np.arange(models)))
    found = standings(jointly(scores, spent, clusters, _sampling(rng)))
    return {
        "shown": any(one.is_shown for one in found),
        "in the sample": any(one.dominated_by is not None for one in found),
    }


def needless(rng: np.random.Generator, *, models: int, count: int, sizes: Sizes) -> dict[str, bool]:
    """Whether a model that costs 30 % more and scores 15 points less than another is said to be dominated."""
    clusters = clusters_of(rng, count, sizes)
    accuracies = [*np.linspace(0.6, 0.8, models - 1), 0.65]
    scores, spent = made_points(rng, clusters, accuracies, [*np.linspace(100, 120, models - 1), 156])
    found = standings(jointly(scores, spent, clusters, _sampling(rng)))
    return {"shown": found[-1].is_shown}


def _sampling(rng: np.random.Generator) -> Sampling:
    return Sampling(resamples=DRAWS, seed=int(rng.integers(1 << 30)))


def cases() -> Iterator[Case]:
    """Frontiers of 2 and 6 models, a gate's curve, and dominance that is false by a hair, and true."""
    kinds: tuple[tuple[int, Sizes], ...] = ((20, "equal"), (50, "one to eight"), (50, "zipf"), (200, "zipf"))
    for models, (count, sizes) in itertools.product((2, 6), kinds):
        of = f"{models} models; {sizes}, {count} clusters"
        trial = partial(at_once, models=models, count=count, sizes=sizes)
        yield Case(f"all intervals of a frontier hold; {of}", ">= 0.93", trial)
        false = partial(wrongly_needless, models=models, count=count, sizes=sizes, apart=0.001)
        yield Case(f"a model on the frontier called dominated; {of}", "<= 0.05", false)
    for count, sizes in kinds:
        of = f"{sizes}, {count} clusters"
        yield Case(f"a gate's curve holds; {of}", ">= 0.93", partial(of_a_gate, count=count, sizes=sizes))
    for count in (50, 200, 800):
        true = partial(needless, models=6, count=count, sizes="one to eight")
        yield Case(f"15 points less for 30 % more called dominated, 6 models; {count} clusters", "high", true)

"""How often the difference in differences, and the share of right answers that are lost, hold the truth."""

import itertools
from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.simulations.case import Case
from benchmarks.simulations.means import holds
from benchmarks.simulations.worlds import Sizes, chances, clusters_of
from safe_eval.options import Sampling
from safe_eval.results.lomo import Right, over_seeds
from safe_eval.statistics.score_interval import score_interval
from safe_eval.statistics.separation import Losses, separation


def _lost(
    rng: np.random.Generator, chance: np.ndarray, clusters: np.ndarray, seeds: int, worth: np.ndarray
) -> np.ndarray:
    """Losses 0 or 1 by seed, where a seed moves the chance of every cluster."""
    moved = np.clip(chance[clusters] + worth[:, None], 0, 1)
    return (rng.random((seeds, len(clusters))) < moved).astype(float)


def _chances_at(rank: np.ndarray, mean: float, correlation: float) -> np.ndarray:
    """The chance of each cluster by its rank among all, in the distribution of `worlds.chances`."""
    from scipy.special import betaincinv

    if not correlation or not mean:
        return np.full(len(rank), mean)
    weight = 1 / correlation - 1
    return np.asarray(betaincinv(mean * weight, (1 - mean) * weight, rank))


def of_the_separation(
    rng: np.random.Generator,
    *,
    heard: float,
    seen: float,
    count: int,
    sizes: Sizes,
    correlation: float,
    seeds: int = 1,
    seed_std: float = 0.0,
) -> dict[str, bool]:
    """The interval of the difference; each video has questions of both kinds, whose chances go together."""
    one, other = clusters_of(rng, count, sizes), clusters_of(rng, count, sizes)
    rank = rng.random(count)  # a video that loses much of what is heard loses much of what is seen
    of_heard, of_seen = (_chances_at(rank, mean, correlation) for mean in (heard, seen))
    worth = rng.normal(0, seed_std, seeds)
    heard_lost = _lost(rng, of_heard, one, seeds, worth)
    seen_lost = _lost(rng, of_seen, other, seeds, np.zeros(seeds))
    found = separation(Losses(heard_lost, one), Losses(seen_lost, other), 0.95)
    return {"joint t": holds(found.interval, heard - seen)}


def told_apart(
    rng: np.random.Generator, *, lost: float, count: int, sizes: Sizes, correlation: float
) -> dict[str, bool]:
    """Whether two kinds of questions that lose as much are called separated: the lower end lies above 0."""
    one, other = clusters_of(rng, count, sizes), clusters_of(rng, count, sizes)
    values = [
        (rng.random(len(codes)) < chances(rng, count, lost, correlation)[codes]).astype(float)
        for codes in (one, other)
    ]
    found = separation(Losses(values[0][None], one), Losses(values[1][None], other), 0.95)
    return {"joint t": found.interval.low is not None and found.interval.low > 0}


def of_the_share(
    rng: np.random.Generator, *, share: float, count: int, sizes: Sizes, correlation: float
) -> dict[str, bool]:
    """The interval of the share lost of the right answers, of which each cluster has a random number."""
    clusters = clusters_of(rng, count, sizes)
    right = rng.random(len(clusters)) < chances(rng, count, 0.7, 0.3)[clusters]
    if right.sum() < 2:
        right[:2] = True
    lost = (rng.random(len(clusters)) < chances(rng, count, share, correlation)[clusters]).astype(float)
    return {"score": holds(score_interval(lost[right], clusters[right], 0.95), share)}


def called_enough(
    rng: np.random.Generator, *, share: float, count: int, sizes: Sizes, correlation: float
) -> dict[str, bool]:
    """Whether the lower end of the share lost lies at or above the share itself."""
    clusters = clusters_of(rng, count, sizes)
    lost = (rng.random(len(clusters)) < chances(rng, count, share, correlation)[clusters]).astype(float)
    low = score_interval(lost, clusters, 0.95).low
    return {"score": low is not None and low >= share}


def of_the_share_over_seeds(
    rng: np.random.Generator, *, share: float, count: int, seeds: int, seed_std: float
) -> dict[str, bool]:
    """The interval of the share lost over seeds, which differ by this standard deviation."""
    clusters = clusters_of(rng, count)
    worth = rng.normal(0, seed_std, seeds)
    lost = _lost(rng, chances(rng, count, share, 0.3), clusters, seeds, worth)
    of_each = [Right(one, clusters, np.full(len(one), np.nan), 0, 0) for one in lost]
    of_items = score_interval(lost.ravel(), np.tile(clusters, seeds), 0.95)
    return {"two-way, no narrower than score": holds(over_seeds(of_items, of_each, Sampling()), share)}


def cases() -> Iterator[Case]:
    """Losses that go together in a video, kinds that lose alike, shares lost, and seeds that differ."""
    many: tuple[Sizes, ...] = ("equal", "one to eight", "zipf")
    for sizes, count, correlation in itertools.product(many, (20, 50, 100, 200), (0.0, 0.3)):
        of = f"{sizes}, {count} clusters, correlation {correlation:g}"
        world = {"count": count, "sizes": sizes, "correlation": correlation}
        for heard, seen in ((0.8, 0.0), (0.95, 0.0), (0.5, 0.02), (0.9, 0.1)):
            trial = partial(of_the_separation, heard=heard, seen=seen, **world)
            name = f"the interval holds a loss of {heard:g} heard less one of {seen:g} seen; {of}"
            yield Case(name, "0.93 to 0.97", trial)
        for lost in (0.05, 0.3):
            trial = partial(told_apart, lost=lost, **world)
            yield Case(f"a loss of {lost:g} of each kind called separated; {of}", "0.025", trial)
        trial = partial(of_the_share, share=0.8, **world)
        yield Case(
            f"the interval holds a share lost of 0.8 of the right answers; {of}", "0.93 to 0.97", trial
        )
        trial = partial(called_enough, share=0.8, **world)
        yield Case(f"a share lost of 0.8 called at least 0.8; {of}", "<= 0.04", trial)
    for seeds, seed_std, count in itertools.product((3, 5), (0.0, 0.03), (50, 200)):
        of = f"{count} clusters, {seeds} seeds of std {seed_std:g}"
        trial = partial(of_the_share_over_seeds, share=0.8, count=count, seeds=seeds, seed_std=seed_std)
        yield Case(f"the interval holds a share lost of 0.8; {of}", "0.93 to 0.97", trial)
        trial = partial(
            of_the_separation,
            heard=0.8,
            seen=0.02,
            count=count,
            sizes="one to eight",
            correlation=0.3,
            seeds=seeds,
            seed_std=seed_std,
        )
        yield Case(
            f"the interval holds a loss of 0.8 heard less one of 0.02 seen; {of}", "0.93 to 0.97", trial
        )

"""Seeds: intervals and p values over clusters and seeds, and the limit of the spread between seeds."""

import itertools
from collections.abc import Iterator
from functools import partial

import numpy as np

from benchmarks.simulations.case import Case
from benchmarks.simulations.means import MEAN, graded, holds
from benchmarks.simulations.worlds import Sizes, chances, changes, clusters_of
from safe_eval.options import Sampling
from safe_eval.scorers.captions.caption_scores import score_of_sums
from safe_eval.statistics.seeds import seed_difference, seed_spread
from safe_eval.statistics.sums_over_seeds import sums_over_seeds
from safe_eval.statistics.two_way import two_way_interval

_BLEU_1 = partial(score_of_sums, "bleu_1")
_EDGE = 0.1  # how near to 0 and 1 the chances of items come, so that a seed's worth is never cut off


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


def equally_good(
    rng: np.random.Generator, *, seeds: int, seed_std: float, one_baseline: bool, count: int = 120
) -> dict[str, bool]:
    """Two models of one worth, right or wrong; the baseline has one seed or as many as the model."""
    clusters = clusters_of(rng, count)
    items = chance_of_items(rng, clusters, 0.7, correlation=0.3)
    model = answers(rng, items, rng.normal(0, seed_std, size=seeds))
    base = answers(rng, items, np.zeros(1) if one_baseline else rng.normal(0, seed_std, size=seeds))
    found = seed_difference(model - base, clusters, Sampling()).inference
    return {
        "p at most 0.05": found.p_value is not None and found.p_value <= 0.05,
        "interval without 0": not holds(found.interval, 0.0),
    }


def equally_good_captions(
    rng: np.random.Generator, *, seeds: int, seed_std: float, count: int = 120
) -> dict[str, bool]:
    """BLEU-1 of captions of ten words by two models of one worth, of which the baseline has one seed."""
    clusters = clusters_of(rng, count)
    items = chance_of_items(rng, clusters, 0.6, correlation=0.3)
    model, base = (
        rng.binomial(10, np.clip(items + worth[:, None], 0, 1))
        for worth in (rng.normal(0, seed_std, size=seeds), np.zeros(1))
    )
    counts, less = map(_counts, (model, np.tile(base, (seeds, 1))))
    found = sums_over_seeds(_BLEU_1, counts, less, clusters, Sampling(resamples=1000)).inference
    return {
        "p at most 0.05": found.p_value is not None and found.p_value <= 0.05,
        "interval without 0": not holds(found.interval, 0.0),
    }


def _counts(right: np.ndarray) -> np.ndarray:
    """BLEU's counts of captions of ten words, of which so many are right: 4 matches, 4 totals, 2 lengths."""
    table = np.zeros((*right.shape, 10))
    table[..., 0] = right
    table[..., 4:8] = 10 - np.arange(4)
    table[..., 8:] = 10
    return table


def few_changes(rng: np.random.Generator, *, seeds: int, changed: float, count: int = 120) -> dict[str, bool]:
    """Answers change seldom, and gains are as likely as losses: how often a difference is seen all the same.

    All seeds change the same answers, or each its own.
    """
    clusters = clusters_of(rng, count, "singletons")
    shared = changes(rng, clusters, changed / 2, changed / 2, 0.0)
    own = np.stack([changes(rng, clusters, changed / 2, changed / 2, 0.0) for _ in range(seeds)])
    same = seed_difference(np.tile(shared, (seeds, 1)), clusters, Sampling()).inference
    apart = seed_difference(own, clusters, Sampling()).inference
    return {
        "the same answers": same.p_value is not None and same.p_value <= 0.05,
        "each its own": apart.p_value is not None and apart.p_value <= 0.05,
    }


def loss_called_none(
    rng: np.random.Generator, *, seeds: int, seed_std: float, margin: float, count: int, sizes: Sizes
) -> dict[str, bool]:
    """Whether one-sided tests rule out a loss as large as the margin, which is there."""
    clusters = clusters_of(rng, count, sizes)
    lost = np.clip(margin + rng.normal(0, seed_std, size=seeds), 0.0, 1.0)
    shared = rng.random(len(clusters)) < 0.8  # of what may be lost, most is the same in all seeds
    first = rng.random(len(clusters))
    worse = -np.stack([np.where(shared, first, rng.random(len(clusters))) < share for share in lost]).astype(
        float
    )
    low = seed_difference(worse, clusters, Sampling()).inference.one_sided.low
    return {"one-sided tests": low is not None and low > -margin}


def limit_of_seeds(
    rng: np.random.Generator, *, seeds: int, seed_std: float, count: int, sizes: Sizes
) -> dict[str, bool]:
    """Whether the upper limit of the standard deviation between seeds holds it; beside it, the estimate."""
    clusters = clusters_of(rng, count, sizes)
    items = chance_of_items(rng, clusters, 0.7, correlation=0.1)
    scores = answers(rng, items, rng.normal(0, seed_std, size=seeds))
    found = seed_spread(scores, clusters, Sampling())
    return {
        "the limit holds it": found.seed_std_high is not None and found.seed_std_high >= seed_std - 1e-12,
        "the estimate is at most 0.005": found.seed_std is not None and found.seed_std <= 0.005,
        "the limit is at most 0.005": found.seed_std_high is not None and found.seed_std_high <= 0.005,
    }


def chance_of_items(
    rng: np.random.Generator, clusters: np.ndarray, mean: float, correlation: float
) -> np.ndarray:
    """The chance of each item to be answered right, alike within a cluster and never near 0 or 1."""
    of_clusters = chances(rng, int(clusters.max()) + 1, mean, correlation)[clusters]
    harder = rng.uniform(-_EDGE, _EDGE, size=len(clusters))
    return np.clip(of_clusters + harder, _EDGE, 1 - _EDGE)


def answers(rng: np.random.Generator, items: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Scores 0 or 1 of each seed, whose chances are better by its worth."""
    return (rng.random((len(worth), len(items))) < items + worth[:, None]).astype(float)


def cases() -> Iterator[Case]:
    """Means, null differences, losses of the margin, and spreads, for 2 to 10 seeds."""
    for seeds, seed_std in itertools.product((2, 3, 5, 10), (0.0, 0.03, 0.1)):
        trial = partial(of_the_mean, seeds=seeds, seed_std=seed_std)
        yield Case(f"the interval holds a mean over {seeds} seeds of std {seed_std:g}", "0.95", trial)
    for seeds, seed_std, alone in itertools.product((3, 5), (0.0, 0.01, 0.03), (False, True)):
        trial = partial(equally_good, seeds=seeds, seed_std=seed_std, one_baseline=alone)
        beside = "a baseline of one seed" if alone else "as many of a baseline"
        yield Case(f"no difference: {seeds} seeds of std {seed_std:g} beside {beside}", "0.05", trial)
    for seeds, seed_std in itertools.product((3, 5), (0.0, 0.01, 0.03)):
        trial = partial(equally_good_captions, seeds=seeds, seed_std=seed_std)
        yield Case(f"no difference of BLEU-1: {seeds} seeds of std {seed_std:g}", "0.05", trial)
    for seeds, changed in itertools.product((3, 5), (0.0, 0.01, 0.03, 0.1)):
        trial = partial(few_changes, seeds=seeds, changed=changed)
        yield Case(f"no difference: {seeds} seeds, {changed:g} of the answers change", "<= 0.05", trial)
    for seed_std, (margin, count), sizes in itertools.product(
        (0.0, 0.002, 0.005), ((0.005, 600), (0.01, 1000)), ("singletons", "one to eight")
    ):
        trial = partial(loss_called_none, seeds=3, seed_std=seed_std, margin=margin, count=count, sizes=sizes)
        name = f"loss of {margin:g} called none: 3 seeds of std {seed_std:g}, {count} clusters, {sizes}"
        yield Case(name, "<= 0.06", trial)
    for seeds, seed_std, count, sizes in itertools.product(
        (3, 5, 10), (0.0, 0.002, 0.005, 0.02), (250, 1000), ("one to eight", "zipf")
    ):
        trial = partial(limit_of_seeds, seeds=seeds, seed_std=seed_std, count=count, sizes=sizes)
        yield Case(f"std {seed_std:g} between {seeds} seeds; {count} clusters, {sizes}", ">= 0.95", trial)

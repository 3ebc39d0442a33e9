"""Sums over seeds: metrics such as BLEU over trained seeds, from the summed counts of a corpus.

The metric has no value per item, so its variances come from resampling clusters, the same ones for all seeds.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from safe_eval.options import Sampling
from safe_eval.statistics.bootstrap import Labels, cluster_totals, resampled_totals
from safe_eval.statistics.corpus_sums import NO_SPREAD, Score, whole_counts
from safe_eval.statistics.intervals import Interval
from safe_eval.statistics.score_interval import effective_clusters
from safe_eval.statistics.seed_std import SeedStd, split_std
from safe_eval.statistics.seeds import SeedDifference, SeedSpread
from safe_eval.statistics.two_way import Inference, infer, wider

SeedCounts = Shaped[ndarray, "seeds items counts"]


def sums_spread(
    score: Score, counts: SeedCounts, clusters: Labels, sampling: Sampling, *, highest: float = 1.0
) -> SeedSpread:
    """The spread over seeds of a metric of sums.

    The metric has no value per item. So the standard error over items and the noise of items come from
    resampling clusters, the same ones for all seeds.
    """
    spread = _over_seeds(score, [counts], clusters, sampling, (0.0, highest)).spread
    return replace(spread, interval=wider(spread.interval, Interval(), (0.0, highest)))


def sums_over_seeds(
    score: Score, counts: SeedCounts, less: SeedCounts, clusters: Labels, sampling: Sampling
) -> SeedDifference:
    """The difference of a metric of sums to `less`, seed by seed, with its tests, all by one two-way t."""
    return _over_seeds(score, [counts, less], clusters, sampling, (-1.0, 1.0))


def _over_seeds(
    score: Score,
    sides: Sequence[SeedCounts],
    clusters: Labels,
    sampling: Sampling,
    scale: tuple[float, float],
) -> SeedDifference:
    counted = [side.astype(float) for side in sides]
    means = _difference(score, [side.sum(axis=1) for side in counted])
    totals = np.stack([_by_cluster(side, clusters) for side in counted])
    seeds, groups = len(means), totals.shape[1]
    over_items, noise = _variances(score, totals, sampling)
    sizes = cluster_totals(np.ones((len(clusters), 1)), clusters)[:, 0]
    of_seeds = SeedStd()
    if seeds > 1:
        effective, span = effective_clusters(sizes), scale[1] - scale[0]
        alike = np.ptp(counted[0], axis=0).any(axis=1) | np.ptp(counted[-1], axis=0).any(axis=1)
        differing = float(alike.mean())
        of_seeds = split_std(means, noise, effective, differing, sampling.confidence, span=span)
    mean, found = float(means.mean()), Inference()
    if of_seeds.std is not None and over_items is not None:
        ways = ((over_items, groups - 1.0), (of_seeds.std**2 / seeds, seeds - 1.0))
        found = infer(mean, ways, groups, sampling, scale, least=NO_SPREAD**2 / 12)
    spread = SeedSpread(
        means=tuple(map(float, means)),
        mean=mean,
        std=of_seeds.std,
        noise_std=of_seeds.noise_std,
        seed_std=of_seeds.seed_std,
        seed_std_high=of_seeds.high,
        sampling_stderr=None if over_items is None else math.sqrt(over_items),
        interval=found.interval,
        n=counted[0].shape[1],
        clusters=groups,
        effective_clusters=effective_clusters(sizes),
    )
    return SeedDifference(spread, found)


def _by_cluster(
    counts: Float[ndarray, "seeds items counts"], clusters: Labels
) -> Float[ndarray, "clusters seeds counts"]:
    seeds, items, width = counts.shape
    totals = cluster_totals(counts.transpose(1, 0, 2).reshape(items, seeds * width), clusters)
    return totals.reshape(-1, seeds, width)


def _variances(
    score: Score, totals: Float[ndarray, "sides clusters seeds counts"], sampling: Sampling
) -> tuple[float | None, float | None]:
    """The variance of the mean over seeds, and that of item noise in a seed, by resampled clusters.

    Resampling C clusters shrinks a variance by (C − 1)/C, which is undone.
    """
    sides, groups, seeds, width = totals.shape
    if groups < 2:
        return None, None
    columns = totals.transpose(1, 0, 2, 3).reshape(groups, -1)
    drawn = whole_counts(resampled_totals(columns, sampling)).reshape(-1, sides, seeds, width)
    values = _difference(score, [drawn[:, side] for side in range(sides)])
    shrunk = groups / (groups - 1)
    over_items = float(values.mean(axis=-1).var() * shrunk)
    if seeds < 2:
        return over_items, None
    apart = values - values[:, :1]
    scatter = apart - apart.mean(axis=-1, keepdims=True)
    return over_items, float(scatter.var(axis=0).sum() / (seeds - 1) * shrunk)


def _difference(
    score: Score, sides: list[Float[ndarray, "*rows seeds counts"]]
) -> Float[ndarray, "*rows seeds"]:
    values = [score(side) for side in sides]
    return np.asarray(values[0] if len(values) == 1 else values[0] - values[1])

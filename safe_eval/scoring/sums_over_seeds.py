"""Sums over seeds: the spread of BLEU or METEOR over trained seeds, and of their differences."""

import numpy as np
from jaxtyping import Float, Shaped
from numpy import ndarray

from safe_eval.scorers.captions import score_of_sums
from safe_eval.scoring.sums import swap_test, whole_counts
from safe_eval.statistics.bootstrap import cluster_totals, resampled_totals
from safe_eval.statistics.sampling import Interval, Labels, Sampling
from safe_eval.statistics.seeds import SeedSpread
from safe_eval.statistics.two_way import interval_of_ways

Counts = Shaped[ndarray, "seeds items counts"]


def sums_spread(
    metric: str, counts: Counts, clusters: Labels, sampling: Sampling, *, less: Counts | None = None
) -> SeedSpread:
    """The spread of a metric of sums over seeds; of its difference to `less`, seed by seed.

    The standard error over items is that of resampled clusters, drawn together for all seeds. A corpus value
    has no scatter of single answers, so the spread is not taken apart.
    """
    sides = [counts.astype(float)] if less is None else [counts.astype(float), less.astype(float)]
    means = _difference(metric, [side.sum(axis=1) for side in sides])
    totals = np.stack([_by_cluster(side, clusters) for side in sides])
    sampling_stderr = _stderr(metric, totals, sampling)
    seeds, groups = len(means), totals.shape[1]
    std = float((means - means[0]).std(ddof=1)) if seeds > 1 else None
    interval = Interval()
    if std is not None and sampling_stderr is not None:
        ways = ((sampling_stderr, groups), (std / np.sqrt(seeds), seeds))
        interval = interval_of_ways(float(means.mean()), ways, sampling)
    return SeedSpread(
        means=tuple(map(float, means)),
        mean=float(means.mean()),
        std=std,
        noise_std=None,
        seed_std=None,
        sampling_stderr=sampling_stderr,
        interval=interval,
        n=counts.shape[1],
        clusters=groups,
    )


def swaps_over_seeds(
    metric: str, counts: Counts, less: Counts, clusters: Labels, sampling: Sampling
) -> float:
    """The p value of the mean difference over seeds: whole clusters change sides, in all seeds at once."""
    a, b = (_by_cluster(side.astype(float), clusters) for side in (counts, less))
    return swap_test(metric, a, b, sampling)


def _by_cluster(
    counts: Float[ndarray, "seeds items counts"], clusters: Labels
) -> Float[ndarray, "clusters seeds counts"]:
    seeds, items, width = counts.shape
    totals = cluster_totals(counts.transpose(1, 0, 2).reshape(items, seeds * width), clusters)
    return totals.reshape(-1, seeds, width)


def _stderr(
    metric: str, totals: Float[ndarray, "sides clusters seeds counts"], sampling: Sampling
) -> float | None:
    """The spread of the resamples, which C clusters make smaller by a factor √((C − 1)/C)."""
    sides, groups, seeds, width = totals.shape
    if groups < 2:
        return None
    columns = totals.transpose(1, 0, 2, 3).reshape(groups, -1)
    drawn = whole_counts(resampled_totals(columns, sampling)).reshape(-1, sides, seeds, width)
    values = _difference(metric, [drawn[:, side] for side in range(sides)]).mean(axis=-1)
    return float(values.std() * np.sqrt(groups / (groups - 1)))


def _difference(
    metric: str, sides: list[Float[ndarray, "*rows seeds counts"]]
) -> Float[ndarray, "*rows seeds"]:
    values = [score_of_sums(metric, side) for side in sides]
    return np.asarray(values[0] if len(values) == 1 else values[0] - values[1])

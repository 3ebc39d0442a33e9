"""Two-way: intervals over clusters and seeds at once, where every seed has answered the same examples."""

import numpy as np

from safe_data.errors import InputError
from safe_eval.bootstrap import cluster_totals, resampled_totals
from safe_eval.sampling import Interval, Labels, Sampling, Values

PIGEONHOLE = "pigeonhole bootstrap"  # how an interval was made


def two_way_interval(values: Values, clusters: Labels, seeds: Labels, sampling: Sampling) -> Interval:
    """The percentile interval of a mean over crossed clusters and seeds, both drawn with replacement.

    The pigeonhole bootstrap: an item weighs the times its cluster times the times its seed was drawn. It
    errs on the wide side for the clusters; S seeds say (S − 1)/S of their variance, so few of them leave it
    too narrow where seeds matter. One cluster, one seed or no spread: not measured.

    Source: Owen 2007, "The pigeonhole bootstrap".
    """
    names, codes = np.unique(seeds, return_inverse=True)
    if len(names) < 2 or len(codes) != len(values):
        return Interval()
    of_seed = codes[:, None] == np.arange(len(names))
    totals = cluster_totals(np.hstack([of_seed * values[:, None], of_seed]), clusters)
    if len(totals) < 2:
        return Interval()
    sums, sizes = np.split(resampled_totals(totals, sampling), 2, axis=1)
    rng = np.random.default_rng([sampling.seed, len(names)])
    times = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=sampling.resamples)
    counted = (sizes * times).sum(axis=1)
    if not counted.all():
        raise InputError("clusters and seeds are not crossed: a seed has answered few of the clusters")
    drawn = (sums * times).sum(axis=1) / counted
    if np.ptp(drawn) < 1e-12:
        return Interval()
    low, high = np.quantile(drawn, [(1 - sampling.confidence) / 2, (1 + sampling.confidence) / 2])
    return Interval(float(low), float(high), PIGEONHOLE)

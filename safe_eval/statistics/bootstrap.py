"""The cluster bootstrap: sums over clusters that are drawn with replacement.

Any statistic that is a function of sums over items (a mean, a difference, a calibration error on given bins)
needs one table with one row per cluster and one column per sum. A resample adds up as many rows as there are
clusters.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8
from numpy import ndarray
from numpy.random import SFC64, Generator

from safe_data.core.errors import InputError
from safe_eval.options import Sampling

Values = Float[ndarray, " items"]
Labels = Shaped[ndarray, " items"]
Totals = Float[ndarray, "clusters columns"]
Resampled = Float[ndarray, "resamples columns"]

_DRAWS_AT_ONCE = 1 << 21  # bounds the memory to a few tens of MB
_DRAWS_IN_CACHE = 1 << 18
_FEW_KINDS = 64
_SPARSE = 8  # labels up to so many times the number of items are counted faster than sorted
_GRAIN = 1 << 16  # a random 16-bit number decides how often a cluster is drawn
_OFTEN = 6  # counts from here on are looked up in a table
_SHORT_BY = 2.5  # standard deviations by which the first draws stay below the number of clusters


def cluster_totals(columns: Float[ndarray, "items columns"], clusters: Labels) -> Totals:
    """The sum of each column over each cluster, clusters in ascending order of their labels.

    Raises:
        InputError: there are no items, not one cluster label per item, or a number is not finite.
    """
    if len(columns) != len(clusters) or not len(columns):
        raise InputError(f"{len(columns)} scores in {len(clusters)} clusters: nothing can be said of them")
    if not np.isfinite(columns).all():
        raise InputError("a score is not a finite number")
    codes, _ = cluster_codes(clusters)
    return np.stack([np.bincount(codes, weights=column) for column in columns.T], axis=1)


def cluster_codes(clusters: Labels) -> tuple[Int[ndarray, " items"], int]:
    """Each item's cluster as a number from 0, in ascending order of the labels, and the number of clusters.

    >>> codes, count = cluster_codes(np.array([7, 3, 7]))
    >>> codes.tolist(), count
    ([1, 0, 1], 2)
    """
    if (
        clusters.dtype.kind in "iu"
        and len(clusters)
        and 0 <= clusters.min() <= clusters.max() < _SPARSE * len(clusters)
    ):
        there = np.bincount(clusters) > 0  # small labels need no sorting
        return (np.cumsum(there) - 1)[clusters], int(there.sum())
    labels, codes = np.unique(clusters, return_inverse=True)
    return codes, len(labels)


def count_clusters(clusters: Labels) -> int:
    """The number of different labels."""
    return cluster_codes(clusters)[1]


def resampled_totals(totals: Totals, sampling: Sampling) -> Resampled:
    """The column sums of C clusters drawn with replacement from C, for each resample.

    Clusters with the same sums are of one kind. If there are few kinds, as with answers that are right or
    wrong, a draw decides how often each kind occurs, or else how often each cluster occurs. Draws depend on
    the seed and on the set of rows, not on the order of the rows.

    Source: Efron 1979, "Bootstrap methods: another look at the jackknife", on clusters.
    """
    kinds, counts = _kinds(totals)
    if len(kinds) < max(_FEW_KINDS, len(totals) / 8):
        return _by_kind(kinds, counts, sampling)
    return _by_cluster(np.repeat(kinds, counts, axis=0), sampling)


def portions(resamples: int, width: int, draws: int = _DRAWS_AT_ONCE) -> list[int]:
    """The number of resamples in each portion, so that the draws of a portion fit in memory."""
    at_once = max(1, draws // width)
    return [min(at_once, resamples - start) for start in range(0, resamples, at_once)]


def multinomial_counts(clusters: int, sampling: Sampling) -> Iterator[UInt8[ndarray, "resamples clusters"]]:
    """Yield how often each of C clusters falls in C draws with replacement, some resamples at a time.

    Given their sum T, independent Poisson counts are distributed like T such draws. So most counts come at
    once from random bits, with T a little below C, and the missing C − T draws follow one by one. The result
    has exactly the multinomial distribution, several times faster than drawing index by index.

    Source: Steel 1953, "Relation between Poisson and multinomial distributions".
    """
    rng = Generator(SFC64(sampling.seed))
    poisson = _Poisson(1 - _SHORT_BY / np.sqrt(clusters))
    for resamples in portions(sampling.resamples, clusters, _DRAWS_IN_CACHE):
        counts = poisson.draw(rng, resamples * clusters).reshape(resamples, clusters)
        missing = clusters - counts.sum(axis=1, dtype=np.uint32).astype(np.int64)
        counts[missing < 0] = 0  # too many already, so all are drawn one by one
        missing[missing < 0] = clusters
        starts = np.repeat(np.arange(resamples) * clusters, missing)
        np.add.at(counts.reshape(-1), starts + rng.integers(0, clusters, size=len(starts)), np.uint8(1))
        yield counts


def _kinds(totals: Totals) -> tuple[Totals, Int[ndarray, " kinds"]]:
    """The different rows, sorted, and how many there are of each. 0.1 + 0.2 and 0.3 are the same kind."""
    rounded = totals.round(12)
    ordered = rounded[np.lexsort(rounded.T[::-1])]
    first = np.r_[True, (np.diff(ordered, axis=0) != 0).any(axis=1)]
    return ordered[first], np.diff(np.r_[np.flatnonzero(first), len(totals)])


def _by_kind(kinds: Totals, counts: Int[ndarray, " kinds"], sampling: Sampling) -> Resampled:
    rng = np.random.default_rng(sampling.seed)
    clusters = int(counts.sum())
    return np.concatenate(
        [
            rng.multinomial(clusters, counts / clusters, size=resamples) @ kinds
            for resamples in portions(sampling.resamples, len(kinds))
        ]
    )


def _by_cluster(totals: Totals, sampling: Sampling) -> Resampled:
    """Like `_by_kind` with one kind per cluster. Deviations from the mean cluster are kept in 32 bits."""
    mean = totals.mean(axis=0)
    centred = (totals - mean).astype(np.float32)
    varying = centred.any(axis=0)  # clusters of one size need no second column
    centred = centred[:, varying]
    drawn = [counts.astype(np.float32) @ centred for counts in multinomial_counts(len(totals), sampling)]
    resampled = np.tile(len(totals) * mean, (sampling.resamples, 1))
    resampled[:, varying] += np.concatenate(drawn)
    return resampled


class _Poisson:
    """Poisson counts from 16 random bits each, exact to the last bit of a float.

    Each count below `_OFTEN` takes as many of the 65,536 numbers as fit whole into its probability. The
    highest numbers stand for the rest: the remainders and the larger counts, drawn from their own
    distribution.
    """

    def __init__(self, mean: float) -> None:
        from scipy.special import gammaln  # scipy.stats takes half a second to load

        times = np.arange(40)
        probabilities = np.exp(times * np.log(mean) - gammaln(times + 1) - mean)
        whole = np.floor(probabilities[:_OFTEN] * _GRAIN)
        self.ends = [np.uint16(end) for end in np.cumsum(whole)]
        rest = probabilities.copy()
        rest[:_OFTEN] -= whole / _GRAIN
        self.rest = np.cumsum(rest) / rest.sum()

    def draw(self, rng: Generator, size: int) -> UInt8[ndarray, " counts"]:
        bits = rng.integers(0, 1 << 64, size=-(-size // 4), dtype=np.uint64).view(np.uint16)[:size]
        counts = (bits >= self.ends[0]).view(np.uint8)
        beyond = np.empty(size, dtype=bool)
        for end in self.ends[1:]:
            np.greater_equal(bits, end, out=beyond)
            counts += beyond.view(np.uint8)
        rare = np.flatnonzero(beyond)
        counts[rare] = np.searchsorted(self.rest, rng.random(len(rare)), side="right")
        return counts

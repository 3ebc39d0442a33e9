"""Assign: which split each unit goes to, so that sizes and class counts are as wanted. A pure function.

A unit is what must not be divided. Units come in an order that does not depend on that of the rows; the seed
does the rest. The largest are placed first, each where the deviation grows least; units that are alike are
dealt out together. Then pairs of units change places as long as that brings the counts nearer to what is
wanted.
"""

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import csr_array, hstack

from safe_data.splitting.improve import Deviations, improve

_GOOD = 1e-6  # how far off shares may be for no other start to be tried: none by 0.001
# A unit costs a split its squared deviation over this power of its fraction: with 1, as in chi-squared, any
# split may get a large unit that fits; with 0, the largest split gets them all, and small ones fill the rest.
_STARTS = (1, 0)

Units = Int[ndarray, " units"]


def assign(
    sizes: Units, classes: csr_array, fractions: Float[ndarray, " splits"], rng: np.random.Generator
) -> Units:
    """The number of the split of each unit.

    No split misses its fraction by more than the largest unit.

    Args:
        sizes: records of each unit, 1 or more
        classes: how many of a class each unit has (units × classes); without columns, only sizes count
        fractions: wanted share of each split, above 0, with the sum 1
        rng: decides between units and splits that are equally good
    """
    if not len(sizes):
        return np.zeros(0, np.int64)
    counts = csr_array(hstack([csr_array(sizes[:, None].astype(float)), csr_array(classes.astype(float))]))
    counts.sort_indices()
    found = []
    for power in _STARTS:
        split_of, deviations = _placed(counts, fractions, power, rng)
        found.append((improve(counts, fractions, split_of, deviations, rng), split_of))
        if found[-1][0] < _GOOD:
            break
    split_of = min(found, key=lambda one: one[0])[1]
    _keep_within_largest(sizes, fractions, split_of)
    return split_of


def _placed(
    counts: csr_array,
    fractions: Float[ndarray, " splits"],
    power: int,
    rng: np.random.Generator,
) -> tuple[Units, Deviations]:
    """Every unit in a split, and how many more than wanted each split then has."""
    totals = np.asarray(counts.sum(axis=0))
    deviations = -np.outer(fractions, totals)
    split_of = np.zeros(counts.shape[0], np.int64)
    for units in _kinds(counts, totals, rng):
        row = slice(counts.indptr[units[0]], counts.indptr[units[0] + 1])
        which, values = counts.indices[row], counts.data[row]
        dealt = 0
        if len(units) > len(fractions):
            quotas = _quotas(len(units), values / totals[which], deviations[:, which] / totals[which])
            dealt = int(quotas.sum())
            split_of[units[:dealt]] = np.repeat(np.arange(len(fractions)), quotas)
            deviations[:, which] += np.outer(quotas, values)
        for unit in units[dealt:]:
            growth = (values * (2 * deviations[:, which] + values)).sum(axis=1)
            best = int(np.argmin(growth / fractions**power))
            split_of[unit] = best
            deviations[best, which] += values
    return split_of, deviations


def _kinds(counts: csr_array, totals: Float[ndarray, " counts"], rng: np.random.Generator) -> list[Units]:
    """Units with the same counts, the most difficult first: those with the largest part of any count."""
    part = csr_array((counts.data / totals[counts.indices], counts.indices, counts.indptr), counts.shape)
    difficulty = part.max(axis=1).toarray().ravel()
    factors = np.random.default_rng(0).standard_normal(counts.shape[1])
    prints = counts @ factors  # equal for equal counts
    shuffled = rng.permutation(counts.shape[0])
    order = shuffled[np.lexsort((prints[shuffled], -difficulty[shuffled]))]
    return np.split(order, np.flatnonzero(np.diff(prints[order])) + 1)


def _quotas(
    units: int, values: Float[ndarray, " some"], deviations: Float[ndarray, "splits some"]
) -> Int[ndarray, " splits"]:
    """How many of equal units each split gets by what it lacks, rounded down."""
    lacking = np.maximum(-deviations, 0) @ values
    if not lacking.sum():
        return np.zeros(len(lacking), np.int64)
    quotas: Int[ndarray, " splits"] = np.floor(units * lacking / lacking.sum() + 1e-9).astype(np.int64)
    return quotas


def _keep_within_largest(sizes: Units, fractions: Float[ndarray, " splits"], split_of: Units) -> None:
    """Move units from a split with too many records to one with too few, until no one is off by a unit.

    Each move brings the split that is off further nearer, and takes the other no further than the largest
    unit, so that it ends.
    """
    largest, slack = int(sizes.max()), 1e-6
    deviations = np.bincount(split_of, sizes, len(fractions)) - fractions * sizes.sum()
    while np.abs(deviations).max() > largest + slack:
        source, target = int(deviations.argmax()), int(deviations.argmin())
        members = np.flatnonzero(split_of == source)
        unit = members[np.argmin(np.abs(sizes[members] - min(deviations[source], -deviations[target])))]
        split_of[unit] = target
        deviations[source] -= sizes[unit]
        deviations[target] += sizes[unit]

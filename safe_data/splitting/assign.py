"""Assign: which split each unit goes to, so that sizes and class counts are as wanted. A pure function.

A unit is what must not be divided. Units come in an order that does not depend on that of the rows; the seed
does the rest. The largest are placed first, each where the deviation grows least; units that are alike are
dealt out together. Then pairs of units change places as long as that brings the counts nearer to what is
wanted.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import csr_array, hstack

SIZE_WEIGHT = 2.0  # of the number of records, against 1 of each class
_MOST_DENSE = 10_000_000  # numbers; more are kept sparse
_PAIRS, _LARGEST_BLOCK = 4096, 100_000  # candidates at a time, and numbers that they take
_TRIED_AGAIN = 64  # of the candidates, the best
_ROUNDS, _FRUITLESS_ROUNDS = 400, 12
_LEAST_GAIN = 1e-12
_GOOD = 1e-6  # a sum of squares for which no other start is tried: no share is off by 0.001
_SMALLEST_PART = 0.1  # of the wanted size, below which shares of classes count no more than there
# A unit costs a split its squared deviation over this power of its fraction: with 1, as in chi-squared, any
# split may get a large unit that fits; with 0, the largest split gets them all, and small ones fill the rest.
_STARTS = (1, 0)

Units = Int[ndarray, " units"]
Deviations = Float[ndarray, "splits counts"]


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
    weights = np.full(counts.shape[1], 1.0)
    weights[0] = SIZE_WEIGHT
    found = []
    for power in _STARTS:
        split_of, deviations = _placed(counts, weights / fractions[:, None] ** power, fractions, rng)
        found.append((_improve(counts, weights, fractions, split_of, deviations, rng), split_of))
        if found[-1][0] < _GOOD:
            break
    split_of = min(found, key=lambda one: one[0])[1]
    _keep_within_largest(sizes, fractions, split_of)
    return split_of


def _placed(
    counts: csr_array,
    per_split: Float[ndarray, "splits counts"],
    fractions: Float[ndarray, " splits"],
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
        cost = per_split[:, which]
        for unit in units[dealt:]:
            best = int(np.argmin((cost * values * (2 * deviations[:, which] + values)).sum(axis=1)))
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


def _improve(
    counts: csr_array,
    weights: Float[ndarray, " counts"],
    fractions: Float[ndarray, " splits"],
    split_of: Units,
    deviations: Deviations,
    rng: np.random.Generator,
) -> float:
    """Let units move, and pairs change places, while that brings shares nearer; how far off they then are.

    That is a weighted sum of squares: of sizes in parts of the wanted size, and of class shares.
    """
    units, columns = counts.shape
    totals = np.asarray(counts.sum(axis=0))
    rates = totals / totals[0]
    off = _per_class(deviations, rates)
    rows = _per_class(counts.toarray(), rates) if units * columns <= _MOST_DENSE else _Sparse(counts, rates)
    block = max(16, min(_PAIRS, _LARGEST_BLOCK // columns, 16 * units))
    fruitless = 0
    for _ in range(_ROUNDS):
        per_split = _weights(weights, fractions, off[:, 0], totals[0])
        left, right, target = _candidates(split_of, len(fractions), block, rng)
        changes = _changes(rows, left, right)
        source = split_of[left]
        gain = _growth(changes, off, per_split, source, target)
        gained = False
        for one in np.argsort(gain, kind="stable")[:_TRIED_AGAIN].tolist():
            if gain[one] >= -_LEAST_GAIN:
                break
            unit, other, away, into = left[one], right[one], source[one], target[one]
            if split_of[unit] != away or (other >= 0 and split_of[other] != into):
                continue  # moved by a better candidate
            here = slice(one, one + 1)
            if _growth(changes[here], off, per_split, source[here], target[here])[0] < -_LEAST_GAIN:
                off[away] += changes[one]
                off[into] -= changes[one]
                split_of[unit] = into
                if other >= 0:
                    split_of[other] = away
                gained = True
        fruitless = 0 if gained else fruitless + 1
        if fruitless == _FRUITLESS_ROUNDS:
            break
    return float((_weights(weights, fractions, off[:, 0], totals[0]) * off**2).sum())


def _per_class(counts: Deviations, rates: Float[ndarray, " counts"]) -> Deviations:
    """Counts of classes as differences from what the same number of records would have of each."""
    found: Deviations = counts - counts[:, :1] * rates
    found[:, 0] = counts[:, 0]
    return found


def _weights(
    weights: Float[ndarray, " counts"],
    fractions: Float[ndarray, " splits"],
    off: Float[ndarray, " splits"],
    records: float,
) -> Float[ndarray, "splits counts"]:
    """What a square counts: for sizes in parts of the wanted size, for classes of the size that is there."""
    wanted = fractions * records
    sizes = np.maximum(wanted + off, _SMALLEST_PART * wanted)
    per_split: Float[ndarray, "splits counts"] = weights / sizes[:, None] ** 2
    per_split[:, 0] = weights[0] / wanted**2
    return per_split


@dataclass(frozen=True, eq=False)
class _Sparse:
    """The rows of `_per_class` of many units, made when they are asked for."""

    counts: csr_array
    rates: Float[ndarray, " counts"]

    def __getitem__(self, units: Units) -> Deviations:
        return _per_class(self.counts[units].toarray(), self.rates)


def _changes(rows: Deviations | _Sparse, left: Units, right: Units) -> Float[ndarray, "candidates counts"]:
    """What the split of each unit on the left gains if it leaves, and the one on the right comes, if any."""
    changes = -rows[left]
    swaps = right >= 0
    changes[swaps] += rows[right[swaps]]
    return changes


def _candidates(
    split_of: Units, splits: int, count: int, rng: np.random.Generator
) -> tuple[Units, Units, Int[ndarray, " units"]]:
    """Units, each with one of another split to change places with, or -1; and the split to move to."""
    left = rng.integers(len(split_of), size=3 * count)
    right = rng.integers(len(split_of), size=3 * count)
    target = split_of[right]
    moves = rng.random(3 * count) < 0.25
    right[moves] = -1
    target[moves] = rng.integers(splits, size=int(moves.sum()))
    chosen = np.flatnonzero(split_of[left] != target)[:count]
    return left[chosen], right[chosen], target[chosen]


def _growth(
    changes: Float[ndarray, "candidates counts"],
    deviations: Deviations,
    per_split: Float[ndarray, "splits counts"],
    source: Units,
    target: Units,
) -> Float[ndarray, " candidates"]:
    """How much the sum of weighted squares grows if `source` gets each change, and `target` its opposite."""
    squares = changes * changes
    linear = per_split * deviations
    grown: Float[ndarray, " candidates"] = 2 * np.einsum("ij,ij->i", changes, linear[source] - linear[target])
    grown += np.einsum("ij,ij->i", squares, per_split[source] + per_split[target])
    return grown


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

"""Improve: units move, and pairs of them change places, while that brings the shares of splits nearer.

How far off the shares are is a sum over the splits: ten times the square of how much of the wanted size is
missing or too much, and the squares of the differences between the share of each class there and in all.
Ten, so that an empty split, of which no class is off, is never the best.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray
from scipy.sparse import csr_array

SIZE_WEIGHT = 10.0
_SMALLEST_PART = 0.1  # of the wanted size; class shares of a smaller split are shares of this
_MOST_DENSE = 10_000_000  # numbers; more are kept sparse
_PAIRS, _LARGEST_BLOCK = 4096, 100_000  # candidates at a time, and numbers that they take
_TRIED_AGAIN = 64  # of the candidates, the best
_ROUNDS, _FRUITLESS_ROUNDS = 400, 12
_LEAST_GAIN = 1e-12

Units = Int[ndarray, " units"]
Splits = Float[ndarray, " splits"]
Deviations = Float[ndarray, "splits counts"]
Changes = Float[ndarray, "candidates counts"]


def improve(
    counts: csr_array, fractions: Splits, split_of: Units, deviations: Deviations, rng: np.random.Generator
) -> float:
    """Change `split_of` in place, and return how far off the shares then are.

    Args:
        counts: the records of each unit, then how many of each class it has (units × counts)
        fractions: wanted share of each split
        split_of: the split of each unit
        deviations: of each count, how many more than its fraction each split has
        rng: chooses the candidates
    """
    units, columns = counts.shape
    totals = np.asarray(counts.sum(axis=0))
    rates = totals / totals[0]
    wanted = fractions * totals[0]
    off = _per_class(deviations, rates)
    rows = _per_class(counts.toarray(), rates) if units * columns <= _MOST_DENSE else _Sparse(counts, rates)
    block = max(16, min(_PAIRS, _LARGEST_BLOCK // columns, 16 * units))
    fruitless = 0
    for _ in range(_ROUNDS):
        left, right, target = _candidates(split_of, len(fractions), block, rng)
        changes = _changes(rows, left, right)
        source = split_of[left]
        growth = _growth(changes, off, wanted, source, target)
        improved = False
        for one in np.argsort(growth, kind="stable")[:_TRIED_AGAIN].tolist():
            if growth[one] >= -_LEAST_GAIN:
                break
            unit, other, away, into = left[one], right[one], source[one], target[one]
            if split_of[unit] != away or (other >= 0 and split_of[other] != into):
                continue  # moved by a better candidate
            here = slice(one, one + 1)
            if _growth(changes[here], off, wanted, source[here], target[here])[0] < -_LEAST_GAIN:
                off[away] += changes[one]
                off[into] -= changes[one]
                split_of[unit] = into
                if other >= 0:
                    split_of[other] = away
                improved = True
        fruitless = 0 if improved else fruitless + 1
        if fruitless == _FRUITLESS_ROUNDS:
            break
    return float(_badness(off[:, 0], (off[:, 1:] ** 2).sum(axis=1), wanted).sum())


def _per_class(counts: Deviations, rates: Float[ndarray, " counts"]) -> Deviations:
    """Counts of classes as differences from what the same number of records would have of each."""
    found: Deviations = counts - counts[:, :1] * rates
    found[:, 0] = counts[:, 0]
    return found


@dataclass(frozen=True, eq=False)
class _Sparse:
    """The rows of `_per_class` of many units, made when they are asked for."""

    counts: csr_array
    rates: Float[ndarray, " counts"]

    def __getitem__(self, units: Units) -> Deviations:
        return _per_class(self.counts[units].toarray(), self.rates)


def _changes(rows: Deviations | _Sparse, left: Units, right: Units) -> Changes:
    """What the split of each unit on the left gains if it leaves, and the one on the right comes, if any."""
    changes: Changes = -rows[left]
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


def _badness(sizes_off: Splits, class_squares: Splits, wanted: Splits) -> Splits:
    """How far off splits are, by their sizes and the squares of their classes' counts."""
    sizes = np.maximum(wanted + sizes_off, _SMALLEST_PART * wanted)
    found: Splits = SIZE_WEIGHT * (sizes_off / wanted) ** 2 + class_squares / sizes**2
    return found


def _growth(
    changes: Changes, off: Deviations, wanted: Splits, source: Units, target: Units
) -> Float[ndarray, " candidates"]:
    """How much further off the shares are if `source` gets each change, and `target` its opposite."""
    classes, sizes = changes[:, 1:], changes[:, 0]
    added = np.einsum("ij,ij->i", classes, classes)
    squares = (off[:, 1:] ** 2).sum(axis=1)
    before = _badness(off[:, 0], squares, wanted)
    grown = np.zeros(len(changes))
    for split, sign in ((source, 1), (target, -1)):
        mixed = 2 * sign * np.einsum("ij,ij->i", classes, off[split, 1:])
        after = _badness(off[split, 0] + sign * sizes, squares[split] + mixed + added, wanted[split])
        grown += after - before[split]
    return grown

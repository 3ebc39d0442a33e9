"""Divide: the records of a corpus into splits, a dev split and folds, unit by unit; and what still leaks.

Splits are made by fractions, or kept as they are; then units of the first split, train, may go to dev, and
the rest of train be numbered in folds.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.core.numerals import counted
from safe_data.splitting.assign import assign
from safe_data.splitting.units import Classes, Rows, Units

DEV = "dev"
NOWHERE = -1
_SPLITS, _DEV, _FOLDS = range(3)  # each has random numbers of its own


@dataclass(frozen=True)
class Wanted:
    """Names of the splits, in the order in which they keep what they share, and what each should get.

    Without fractions, the splits stay as they are.
    """

    names: tuple[str, ...]
    fractions: tuple[float, ...] = ()
    dev: float | None = None
    folds: int | None = None
    seed: int = 0

    @property
    def all_names(self) -> tuple[str, ...]:
        """The names with dev, which comes after train."""
        return self.names if self.dev is None else (self.names[0], DEV, *self.names[1:])


@dataclass(frozen=True, eq=False)
class Divided:
    """Of each record: its split among `names`, its fold, and the earlier split that has its unit as well."""

    names: tuple[str, ...]
    split: Rows
    fold: Rows
    leaks: Rows


@dataclass(frozen=True, eq=False)
class Divisible:
    """What can be divided: units, which records count, the classes, and the split of each record now."""

    units: Units
    counts: Bool[ndarray, " records"]
    classes: Classes
    now: tuple[str, ...]


def divide(given: Divisible, wanted: Wanted) -> Divided:
    """Divide the records.

    Raises:
        InputError: a split that is to be kept is not named, or there are fewer units than folds.
    """
    names = wanted.all_names
    if wanted.fractions:
        everything = np.ones(len(given.now), bool)
        part = _parts(given, everything, wanted.fractions, (wanted.seed, _SPLITS))
        split = np.array([names.index(name) for name in wanted.names])[part]
    else:
        split = _kept(given.now, names)
    if (wanted.dev is not None or wanted.folds) and not (given.counts & (split == 0)).any():
        raise InputError(f"--dev and --folds divide {names[0]}, and it has no record; leave them out")
    if wanted.dev is not None:
        in_train = split == 0
        part = _parts(given, in_train, (1 - wanted.dev, wanted.dev), (wanted.seed, _DEV))
        split = np.where(part == 1, names.index(DEV), split)
    fold = np.full(len(split), NOWHERE)
    if wanted.folds is not None:
        in_train = split == 0
        units = len(np.unique(given.units.of_row[in_train & given.counts]))
        if units < wanted.folds:
            has = f"{names[0]} has {counted(units, 'unit')} that stay together"
            raise InputError(f"--folds {wanted.folds}: {has}; give no more folds than that")
        equal = (1 / wanted.folds,) * wanted.folds
        fold = _parts(given, in_train, equal, (wanted.seed, _FOLDS))
    return Divided(names, split, fold, _leaks(given, split, len(names)))


def _parts(
    given: Divisible, chosen: Bool[ndarray, " records"], fractions: tuple[float, ...], seed: tuple[int, int]
) -> Rows:
    """The part of each chosen record; a unit without a record that counts goes to the first part."""
    units, counted_rows = given.units, chosen & given.counts
    sizes = np.bincount(units.of_row[counted_rows], minlength=len(units))
    there = np.flatnonzero(sizes)
    classes = given.classes.counts(units.of_row, len(units), counted_rows)
    part_of = np.zeros(len(units), np.int64)
    shares = np.array(fractions) / sum(fractions)
    part_of[there] = assign(sizes[there], classes[there], shares, np.random.default_rng(seed))
    return np.where(chosen, part_of[units.of_row], NOWHERE)


def _kept(now: tuple[str, ...], names: tuple[str, ...]) -> Rows:
    """The split of each record as it is.

    Raises:
        InputError: one has no place among the names.
    """
    found = sorted(set(now))
    if others := [split for split in found if split not in names]:
        order = " ".join([*(name for name in names if name in found), *others])
        raise InputError(
            f"--names {' '.join(names)}: the corpus also has {', '.join(others)}; name all splits, "
            f"each before those that are cleaned of it, such as --names {order}"
        )
    return np.array([names.index(split) for split in now])


def _leaks(given: Divisible, split: Rows, splits: int) -> Int[ndarray, " records"]:
    """Of each record, the first split that has its unit as well and comes before its own; -1 for none."""
    present = np.zeros((len(given.units), splits), bool)
    present[given.units.of_row[given.counts], split[given.counts]] = True
    first = present.argmax(axis=1)[given.units.of_row]
    return np.where(given.counts & (first < split), first, NOWHERE)

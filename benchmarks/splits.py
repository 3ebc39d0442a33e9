"""Splits by group and class, ours and scikit-learn's: how far off sizes and class shares are, and the time.

100,000 records in each case, 80/10/10. `StratifiedGroupKFold(10)` gives fractions by merging folds: eight are
train, those whose sizes are furthest from a tenth. `GroupShuffleSplit` takes fractions of groups, twice. One
line per case and way; `SCALE=0.1 python -m benchmarks splits` is a quick look. Needs the dev extra.
"""

import os
import warnings
from collections.abc import Callable, Iterator
from time import process_time

import numpy as np
from jaxtyping import Int
from numpy import ndarray
from scipy.sparse import coo_array, csr_array

from benchmarks.timing import print_line
from safe_data.splitting.assign import assign

FRACTIONS = np.array([0.8, 0.1, 0.1])
RECORDS, GROUPS = 100_000, 20_000

Labels = Int[ndarray, " records"]


def main() -> None:
    """A line per case and way; `met` says of ours whether neither error is above those of the others."""
    ways: dict[str, Callable[[Labels, Labels], Labels]] = {
        "StratifiedGroupKFold": by_folds,
        "GroupShuffleSplit": by_shuffle,
        "ours": ours,
    }
    for case, group, label in cases(float(os.environ.get("SCALE", "1"))):
        errors: dict[str, tuple[float, float]] = {}
        for way, divide in ways.items():
            start = process_time()
            split = divide(group, label)
            seconds = process_time() - start
            errors[way] = size_error(split), class_error(split, label)
            others = [error for name, error in errors.items() if name != "ours"]
            best = all(
                mine <= min(theirs)
                for mine, theirs in zip(errors[way], zip(*others, strict=True), strict=True)
            )
            print_line(
                benchmark="splits",
                case=case,
                way=way,
                size_error=errors[way][0],
                class_error=errors[way][1],
                processor_seconds=seconds,
                met=best if way == "ours" else None,
                shares=[round(float(share), 4) for share in np.bincount(split, minlength=3) / len(split)],
                groups=len(np.unique(group)),
                classes=len(np.unique(label)),
            )


def cases(scale: float) -> Iterator[tuple[str, Labels, Labels]]:
    """A name, the group of each record, and its class."""
    records, groups = round(RECORDS * scale), round(GROUPS * scale)
    rng = np.random.default_rng(0)
    uniform = rng.integers(groups, size=records)
    yield "uniform groups, 10 classes", uniform, rng.integers(10, size=records)
    yield "uniform groups, the class is the group's", uniform, rng.integers(5, size=groups)[uniform]
    yield "uniform groups, 300 classes", uniform, np.minimum(rng.zipf(1.5, records), 300) - 1
    heavy = np.minimum(rng.zipf(1.6, records), groups) - 1
    yield "Zipf groups, 10 classes", heavy, rng.integers(10, size=records)
    mixed = rng.dirichlet(np.full(8, 0.3), groups)[heavy].cumsum(axis=1)
    yield "Zipf groups, each with its classes", heavy, (mixed > rng.random((records, 1))).argmax(axis=1)
    giant = np.where(rng.random(records) < 0.44, 0, rng.integers(1, groups // 10, size=records))
    yield "a group of 44 %, 3 classes", giant, rng.integers(3, size=records)
    own = [rng.choice(3, records, p=shares) for shares in ([0.7, 0.2, 0.1], [0.2, 0.5, 0.3])]
    yield "a group of 44 % with its classes", giant, np.where(giant == 0, *own)


def ours(group: Labels, label: Labels) -> Labels:
    """The way of `safe-data split`."""
    _, unit = np.unique(group, return_inverse=True)
    counts = csr_array(coo_array((np.ones(len(unit)), (unit, label))))
    return assign(np.bincount(unit), counts, FRACTIONS, np.random.default_rng(0))[unit]


def by_folds(group: Labels, label: Labels) -> Labels:
    """Ten folds: the two whose sizes are nearest to a tenth are val and test."""
    from sklearn.model_selection import StratifiedGroupKFold

    split = np.zeros(len(group), np.int64)
    folds = StratifiedGroupKFold(10, shuffle=True, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes with fewer records than folds
        found = [fold for _, fold in folds.split(label, label, group)]
    for number, fold in enumerate(sorted(found, key=lambda fold: abs(len(fold) - len(group) / 10))[:2], 1):
        split[fold] = number
    return split


def by_shuffle(group: Labels, label: Labels) -> Labels:
    """A fifth of the groups, and half of these."""
    from sklearn.model_selection import GroupShuffleSplit

    split = np.zeros(len(group), np.int64)
    _, rest = next(GroupShuffleSplit(1, test_size=0.2, random_state=0).split(label, label, group))
    halves = GroupShuffleSplit(1, test_size=0.5, random_state=0)
    val, test = next(halves.split(label[rest], label[rest], group[rest]))
    split[rest[val]], split[rest[test]] = 1, 2
    return split


def size_error(split: Labels) -> float:
    """The largest difference between a split's share of the records and its fraction."""
    return float(np.abs(np.bincount(split, minlength=3) / len(split) - FRACTIONS).max())


def class_error(split: Labels, label: Labels) -> float:
    """The largest difference between a class's share of a split and of all; of an empty split, the share."""
    classes = int(label.max()) + 1
    counts = np.bincount(split * classes + label, minlength=3 * classes).reshape(3, classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    return float(np.abs(shares - np.bincount(label) / len(label)).max())


if __name__ == "__main__":
    main()

"""Mixture: batches of several datasets in given shares; each batch follows from its number alone.

Each batch holds the exact share of each dataset, rounded down or up, and later batches even it out. The rows
drawn so far never differ from the exact shares by more than half a row for two datasets, or one row for four.

The rows of a batch stand dataset after dataset, in a circle that begins at another place in every batch; rank
r of w takes every w-th row from r on. So the order does not depend on the number of ranks. In each batch, a
rank has its share of every dataset, rounded down or up; or less than two rows more or fewer, if the ranks do
not divide the batch. Later batches even it out. With two datasets, what a rank has had of each since the
first batch differs from its exact share by less than a row. With more, the circle begins at each place once
in as many batches as a batch has rows, in random order: after so many batches, the shares are exact if every
batch holds the same number of rows of each dataset. Otherwise, after n batches the standard deviation of the
difference is at most √(n / 2) rows, or twice that if the ranks do not divide the batch.
"""

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, isfinite
from typing import Any

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.sampling.order import Order

ORDER_VERSION = 2
"""Raised when the same seed and step give other rows, or another order: a run must not go on with it."""
MANY_EPOCHS = 10  # with so many of one dataset, one that is not seen whole is worth a note


@dataclass(frozen=True)
class Draw:
    """The rows of a batch: row `row[i]` of the dataset `names[dataset[i]]`.

    The arrays describe one rank's part, all else the whole batch: `counts` of rows, how many of them are in
    the batch already (`repeated`), and how often each dataset was gone through with this batch (`epochs`).
    `stage` is set by a curriculum, whose epochs begin anew with each stage.
    """

    step: int
    counts: dict[str, int]
    repeated: dict[str, int]
    epochs: dict[str, float]
    dataset: Int64[ndarray, " rows"]
    row: Int64[ndarray, " rows"]
    stage: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The datasets, in the order of the numbers in `dataset`."""
        return tuple(self.counts)

    def rows(self, name: str) -> Int64[ndarray, " some"]:
        """The rows of one dataset in this rank's part."""
        rows: Int64[ndarray, " some"] = self.row[self.dataset == self.names.index(name)]
        return rows

    def composition(self) -> dict[str, Any]:
        """What the whole batch is made of, with shares as fractions of 1: a line for the training log."""
        rows = sum(self.counts.values())
        return {
            "step": self.step,
            "stage": self.stage,
            "counts": self.counts,
            "shares": {name: count / rows for name, count in self.counts.items()},
            "repeated": self.repeated,
            "epochs": self.epochs,
        }


class Mixture:
    """Batches of several datasets; `weights` are relative: 2 and 3 mean the same as 0.4 and 0.6.

    Every dataset is shuffled separately and has its own epochs. A step is one batch of `batch_size` rows over
    all ranks. To resume at a step, keep the batch size; the number of ranks may change. Mixtures with the
    same seed but different `stream` are shuffled differently.

    Raises:
        InputError: a weight is invalid, weights and datasets do not match, or a dataset or batch is empty.
    """

    def __init__(
        self,
        datasets: Mapping[str, Sized],
        weights: Mapping[str, float],
        *,
        batch_size: int,
        seed: int,
        stream: str = "",
    ) -> None:
        if weights.keys() != datasets.keys():
            given = f"weights name {', '.join(weights)}; datasets are {', '.join(datasets)}"
            raise InputError(f"{given}; give each dataset one weight")
        if batch_size < 1:
            raise InputError(f"batch size {batch_size}: a batch holds one row or more")
        for name, dataset in datasets.items():
            if not len(dataset):
                raise InputError(f"dataset {name!r} has no rows; leave it out")
        self.batch_size = batch_size
        shares = exact_shares(weights)
        self._per_batch = [shares[name] * batch_size for name in datasets]
        self._orders = {
            name: Order(len(dataset), seed, f"{stream}/{name}") for name, dataset in datasets.items()
        }
        self._places = np.arange(batch_size)
        self._first_places = Order(batch_size, seed, f"{stream} dealt")
        self._drawn = [place for place, name in enumerate(datasets) if shares[name]]

    def batch(self, step: int, *, rank: int = 0, ranks: int = 1) -> Draw:
        """One rank's part of a batch: every `ranks`-th row from `rank` on.

        Raises:
            InputError: there is no such rank, or there are more ranks than rows.
        """
        if not 0 <= rank < ranks:
            raise InputError(f"rank {rank} of {ranks}: a rank is 0 or more, and less than their number")
        if ranks > self.batch_size:
            raise InputError(f"rank {rank} of {ranks} in batches of {self.batch_size}: each rank needs a row")
        before, after = self.drawn_before(step), self.drawn_before(step + 1)
        spans = list(zip(before.values(), after.values(), strict=True))
        counts = [stop - start for start, stop in spans]
        dataset = np.repeat(np.arange(len(counts)), counts)
        dataset = dataset[self._places - self._first_place(step, spans)]  # negative ones count from its end
        rows = [order.indices(*span) for order, span in zip(self._orders.values(), spans, strict=True)]
        row = np.empty(self.batch_size, np.int64)
        row[np.argsort(dataset, kind="stable")] = np.concatenate(rows)  # each dataset's in its own order
        return Draw(
            step=step,
            counts=dict(zip(self._orders, counts, strict=True)),
            repeated={
                name: _repeated(found, span[0], order.length)
                for (name, order), found, span in zip(self._orders.items(), rows, spans, strict=True)
            },
            epochs={name: after[name] / order.length for name, order in self._orders.items()},
            dataset=dataset[rank::ranks],
            row=row[rank::ranks],
        )

    def _first_place(self, step: int, spans: Sequence[tuple[int, int]]) -> int:
        """The place in a batch at which its first dataset begins; the others follow it in a circle.

        Of two datasets, the first goes on where it ended in the batch before, so that its rows take all
        places in turn, and what remains for the second does, too.
        """
        if len(self._drawn) <= 2:
            return spans[self._drawn[0]][0] % self.batch_size
        return int(self._first_places.indices(step, step + 1)[0])

    def notes(self, steps: int | None = None) -> list[str]:
        """What a user may not expect: rows that repeat within a batch, or unequal epochs after `steps`."""
        notes = []
        for (name, order), exact in zip(self._orders.items(), self._per_batch, strict=True):
            if ceil(exact) > order.length:
                taken = f"which takes up to {ceil(exact):,} of {order.length:,}"
                notes.append(f"rows of {name!r} repeat within a batch, {taken}")
        if steps is None:
            return notes
        drawn = self.drawn_before(steps)
        names = [name for name, exact in zip(self._orders, self._per_batch, strict=True) if exact]
        epochs = {name: drawn[name] / self._orders[name].length for name in names}
        most, least = (choose(names, key=lambda name: epochs[name]) for choose in (max, min))
        if epochs[most] >= MANY_EPOCHS and epochs[least] < 1:
            notes.append(
                f"in {steps:,} steps, {most!r} is seen {epochs[most]:.1f} times, and {least!r} is not "
                f"seen whole ({epochs[least]:.1%})"
            )
        return notes

    def drawn_before(self, step: int) -> dict[str, int]:
        """The number of rows that the batches before a step draw from each dataset."""
        counts = _divided(step * self.batch_size, step, self._per_batch)
        return dict(zip(self._orders, counts, strict=True))


def _repeated(rows: Int64[ndarray, " rows"], first: int, length: int) -> int:
    """How many rows are among those before them; `first` is the position of the first in the order."""
    if first % length + len(rows) <= length:  # all of one epoch
        return 0
    return len(rows) - len(np.unique(rows))


def exact_shares(weights: Mapping[str, float]) -> dict[str, Fraction]:
    """The weights as exact fractions of 1, read as they are written: 0.1 is one tenth.

    Raises:
        InputError: a weight has no name, is negative or not a number, or no weight is above 0.
    """
    for name, weight in weights.items():
        if not isinstance(name, str) or not name:
            raise InputError(f"weight {weight} of {name!r}: a weight needs the name of what is drawn")
        if not (isfinite(weight) and weight >= 0):
            raise InputError(f"weight {weight} of {name!r}: a weight is a number, 0 or more")
    if not any(weights.values()):
        raise InputError("no dataset has a weight above 0; nothing would be drawn")
    exact = {name: Fraction(str(weight)) for name, weight in weights.items()}
    return {name: share / sum(exact.values()) for name, share in exact.items()}


def _divided(drawn: int, steps: int, per_batch: Sequence[Fraction]) -> list[int]:
    """Divide the `drawn` rows of `steps` batches among datasets, given their exact rows per batch.

    The list of datasets is halved until each half is one dataset. In every batch, each half gets the whole
    part of its rows. The fractional parts of both halves add up to zero or one more row per batch, divided in
    proportion; where they add up to more than one, to one or two rows, and only batches with one are divided.
    """
    if len(per_batch) == 1:
        return [drawn]
    middle = len(per_batch) // 2
    left, right = sum(per_batch[:middle], Fraction(0)), sum(per_batch[middle:], Fraction(0))
    spare = drawn - steps * (floor(left) + floor(right))
    left_part, right_part = left - floor(left), right - floor(right)
    both = left_part + right_part
    if both <= 1:
        extra = _rounded(spare * left_part / both) if both else 0
    else:
        extra = spare - steps + _rounded((2 * steps - spare) * (1 - right_part) / (2 - both))
    left_drawn = steps * floor(left) + extra
    return [
        *_divided(left_drawn, steps, per_batch[:middle]),
        *_divided(drawn - left_drawn, steps, per_batch[middle:]),
    ]


def _rounded(number: Fraction) -> int:
    return floor(number + Fraction(1, 2))

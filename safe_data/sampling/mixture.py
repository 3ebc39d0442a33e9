"""Mixture: batches of several datasets in given shares; each batch follows from its number alone.

Each batch holds the exact share of each dataset, rounded down or up, and later batches even it out. The rows
drawn so far never differ from the exact shares by more than half a row for two datasets, or one row for four.
"""

from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from fractions import Fraction
from math import floor, isfinite
from typing import Any

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.sampling.order import Order


@dataclass(frozen=True)
class Draw:
    """The rows of a batch: row `row[i]` of the dataset `names[dataset[i]]`.

    `counts` describes the whole batch, the arrays one rank's part. `stage` is set by a curriculum.
    """

    step: int
    counts: dict[str, int]
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
        """The counts of the whole batch, and its shares as fractions of 1: a line for the training log."""
        rows = sum(self.counts.values())
        shares = {name: count / rows for name, count in self.counts.items()}
        return {"step": self.step, "stage": self.stage, "counts": self.counts, "shares": shares}


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

    def batch(self, step: int, *, rank: int = 0, ranks: int = 1) -> Draw:
        """One rank's part of a batch: every `ranks`-th row from `rank` on.

        Raises:
            InputError: there is no such rank, or there are more ranks than rows.
        """
        if not 0 <= rank < ranks <= self.batch_size:
            raise InputError(f"rank {rank} of {ranks} in batches of {self.batch_size}: each rank needs a row")
        before, after = self.drawn_before(step), self.drawn_before(step + 1)
        spans = list(zip(before.values(), after.values(), strict=True))
        counts = [int(stop - start) for start, stop in spans]
        dataset = np.repeat(np.arange(len(counts)), counts)
        orders = self._orders.values()
        row = np.concatenate([order.indices(*span) for order, span in zip(orders, spans, strict=True)])
        named = dict(zip(self._orders, counts, strict=True))
        return Draw(step, named, dataset[rank::ranks], row[rank::ranks])

    def drawn_before(self, step: int) -> dict[str, int]:
        """The number of rows that the batches before a step draw from each dataset."""
        counts = _divided(step * self.batch_size, step, self._per_batch)
        return dict(zip(self._orders, counts, strict=True))


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

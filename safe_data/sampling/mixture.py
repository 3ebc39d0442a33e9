"""Mixture: batches of several datasets in given shares, every batch computed from its number alone.

A batch holds of each dataset its exact share, rounded down or up, and what one batch lacks a later one has.
What two datasets gave so far is never more than half a row off their shares; of four, never more than one.
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
    """What a batch is made of: row `row[i]` of the dataset `names[dataset[i]]`.

    `counts` are of the whole batch, the arrays are of one rank's part; `stage` is a curriculum's.
    """

    step: int
    counts: dict[str, int]
    dataset: Int64[ndarray, " rows"]
    row: Int64[ndarray, " rows"]
    stage: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.counts)

    def rows(self, name: str) -> Int64[ndarray, " some"]:
        """The rank's rows of one dataset."""
        rows: Int64[ndarray, " some"] = self.row[self.dataset == self.names.index(name)]
        return rows

    def composition(self) -> dict[str, Any]:
        """The whole batch's realised ratio, as a line for the training log: shares are fractions of 1."""
        rows = sum(self.counts.values())
        shares = {name: count / rows for name, count in self.counts.items()}
        return {"step": self.step, "stage": self.stage, "counts": self.counts, "shares": shares}


class Mixture:
    """Batches of several datasets; `weights` are relative, 2 and 3 as good as 0.4 and 0.6.

    Every dataset is shuffled by itself and goes through its own epochs. A step is one batch of `batch_size`
    rows, all ranks together: to go on at it, keep the batch size; the number of ranks may change. `stream`
    tells apart the mixtures of one seed.

    Raises:
        InputError: weights that cannot be, weights and datasets that do not fit, or a batch of no rows.
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
            given = f"weights are of {', '.join(weights)}; datasets are {', '.join(datasets)}"
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
        """A rank's part of a batch: every `ranks`-th row from `rank` on, in the shares of the whole.

        Raises:
            InputError: no such rank, or more ranks than rows.
        """
        if not 0 <= rank < ranks <= self.batch_size:
            raise InputError(f"rank {rank} of {ranks} in batches of {self.batch_size}: each rank needs a row")
        spans = list(zip(self._drawn(step), self._drawn(step + 1), strict=True))
        counts = [int(stop - start) for start, stop in spans]
        dataset = np.repeat(np.arange(len(counts)), counts)
        orders = self._orders.values()
        row = np.concatenate([order.indices(*span) for order, span in zip(orders, spans, strict=True)])
        named = dict(zip(self._orders, counts, strict=True))
        return Draw(step, named, dataset[rank::ranks], row[rank::ranks])

    def _drawn(self, step: int) -> list[int]:
        """How many rows of each dataset the batches before a step hold."""
        return _divided(step * self.batch_size, step, self._per_batch)


def exact_shares(weights: Mapping[str, float]) -> dict[str, Fraction]:
    """The weights as fractions of 1, as they are written: 0.1 is a tenth.

    Raises:
        InputError: a weight below 0 or no number, or none above 0.
    """
    for name, weight in weights.items():
        if not (isfinite(weight) and weight >= 0):
            raise InputError(f"weight {weight} of {name!r}: a weight is a number, 0 or more")
    if not any(weights.values()):
        raise InputError("no dataset has a weight above 0; nothing would be drawn")
    exact = {name: Fraction(str(weight)) for name, weight in weights.items()}
    return {name: share / sum(exact.values()) for name, share in exact.items()}


def _divided(drawn: int, steps: int, per_batch: Sequence[Fraction]) -> list[int]:
    """Divide what some datasets gave together in `steps` batches, by their exact rows a batch.

    The datasets are halved until each is alone. A batch has the whole rows of both halves, and for their two
    fractions of a row none or one more, divided in proportion; or, where these add up to more than one row,
    one or two more, and those batches are divided that have one.
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

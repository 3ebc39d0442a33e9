"""Order: which row stands at which position of an endless shuffle.

A pure function of (seed, epoch, position), so that there is no state but the position: a run that goes on at
position 51,200 sees what it would have seen without the break, and any number of ranks share one sequence,
rank r of w taking positions r, r + w, r + 2w, …
"""

import hashlib

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from safe_data.core.errors import InputError


class Order:
    """Rows 0 to `length` - 1, each once an epoch, in an order of the epoch's own.

    `stream` tells apart the orders of one seed. The order of one epoch is kept, 8 bytes a row.

    Raises:
        InputError: no rows.
    """

    def __init__(self, length: int, seed: int, stream: str = "") -> None:
        if length < 1:
            raise InputError(f"an order of {length} rows: there is nothing to shuffle; give 1 or more")
        self.length, self.seed, self.stream = length, seed, stream
        self._kept: tuple[int, Int64[ndarray, " rows"]] | None = None

    def indices(self, start: int, stop: int, step: int = 1) -> Int64[ndarray, " positions"]:
        """The rows at positions start, start + step, … before stop; epochs follow each other.

        >>> order = Order(5, seed=0)
        >>> sorted(order.indices(0, 5).tolist()), sorted(order.indices(5, 10).tolist())
        ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4])
        >>> order.indices(4, 9, 2).tolist() == order.indices(0, 9)[4::2].tolist()
        True
        """
        if start < 0 or step < 1:
            raise ValueError(f"positions from {start} by {step}: start is at least 0, step at least 1")
        parts = [np.empty(0, np.int64)]
        while start < stop:
            epoch, place = divmod(start, self.length)
            end = min(stop - epoch * self.length, self.length)
            parts.append(self.epoch(epoch)[place:end:step])
            start += step * len(parts[-1])
        return np.concatenate(parts)

    def epoch(self, epoch: int) -> Int64[ndarray, " rows"]:
        """All rows, in the order of that epoch."""
        if self._kept is None or self._kept[0] != epoch:
            self._kept = (epoch, _shuffled(self.length, f"{self.seed}/{epoch}/{self.stream}"))
            self._kept[1].flags.writeable = False
        return self._kept[1]


def _shuffled(length: int, name: str) -> Int64[ndarray, " rows"]:
    """The numbers below `length`, in the order of a random number each.

    Source: SplitMix64 (Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014).
    Differs: the stream starts at a hash of the name. All its numbers are distinct, so there are no ties, and
    unlike `numpy.random.Generator` it is the same with every version of NumPy.
    """
    start = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
    numbers = np.arange(length, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.argsort(numbers ^ (numbers >> np.uint64(31))).astype(np.int64, copy=False)

"""Order: an endless shuffle, as a function from positions to rows.

The row is a pure function of (seed, epoch, position), so the only state is the position: a run that resumes
at position 51,200 sees the same rows as without the break. Any number of ranks share one sequence: rank r of
w takes the positions r, r + w, r + 2w, …
"""

import hashlib

import numpy as np
from jaxtyping import Int64, UInt64
from numpy import ndarray

from safe_data.core.errors import InputError


class Order:
    """Rows 0 to `length` - 1, each once per epoch, in a different order every epoch.

    Orders with the same seed but different `stream` differ. The order of the last epoch used stays in memory,
    8 bytes per row. It may be used by several threads.

    Raises:
        InputError: there are no rows.
    """

    def __init__(self, length: int, seed: int, stream: str = "") -> None:
        if length < 1:
            raise InputError(f"an order of {length} rows: there is nothing to shuffle; give 1 or more")
        self.length, self.seed, self.stream = length, seed, stream
        self._cached: tuple[int, Int64[ndarray, " rows"]] | None = None

    def indices(self, start: int, stop: int, step: int = 1) -> Int64[ndarray, " positions"]:
        """The rows at the positions start, start + step, … before stop, across epochs.

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
        """All rows in the order of an epoch."""
        cached = self._cached  # another thread may replace it while this one works
        if cached is None or cached[0] != epoch:
            cached = (epoch, _shuffled(self.length, f"{self.seed}/{epoch}/{self.stream}"))
            cached[1].flags.writeable = False
            self._cached = cached
        return cached[1]


def random_bits(length: int, name: str) -> UInt64[ndarray, " numbers"]:
    """Random numbers of 64 bits that follow from a name alone, all distinct.

    Source: SplitMix64 (Steele, Lea and Flood, Fast Splittable Pseudorandom Number Generators, 2014).
    Differs: the sequence starts at a hash of the name. Unlike `numpy.random.Generator` it is the same in
    every version of NumPy.
    """
    start = int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little")
    numbers = np.arange(length, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
    numbers = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    numbers = (numbers ^ (numbers >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return numbers ^ (numbers >> np.uint64(31))


def _shuffled(length: int, name: str) -> Int64[ndarray, " rows"]:
    """The numbers below `length`, sorted by one random number each; there are no ties."""
    return np.argsort(random_bits(length, name)).astype(np.int64, copy=False)

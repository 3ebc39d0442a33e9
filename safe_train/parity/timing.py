"""Timing: how many times as long one way takes as another, from repeats that alternate."""

import gc
import math
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Literal

import msgspec
import torch

from safe_data.core.errors import InputError

CONFIDENCE = 0.99  # a way exactly at the limit is said to be above it in 1 of 200 runs at most
FEWEST_PAIRS = 8

Run = Callable[[], None]


class TimeRatio(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ratio of two times, as the median over pairs with its 99 % interval."""

    ratio: float
    low: float
    high: float
    pairs: int
    base_seconds: float

    def judged(self, limit: float) -> Literal["holds", "does not hold", "not shown"]:
        """Whether the ratio is within a limit: the interval decides, so that noise says neither."""
        if self.high <= limit:
            return "holds"
        return "does not hold" if self.low > limit else "not shown"

    def pairs_that_show(self, limit: float) -> int | None:
        """About how many pairs would show that the ratio is within a limit; None if no number would.

        The interval of a median narrows with the square root of the pairs.

        >>> TimeRatio(1.0, 0.98, 1.02, 20, 0.1).pairs_that_show(1.01)
        80
        """
        if self.ratio >= limit:
            return None
        times = ((self.high - self.ratio) / (limit - self.ratio)) ** 2
        return max(self.pairs + 1, math.ceil(self.pairs * times - 1e-9))


def time_ratio(base: Run, other: Run, *, repeats: int, before_base: Run, before_other: Run) -> TimeRatio:
    """Time two ways in turn, so often, in the order ABBA; what goes before each is not timed."""
    ways = ((before_base, base), (before_other, other))
    for prepare, run in ways:  # the first call of each is slower
        prepare()
        run()
    pairs = []
    collecting = gc.isenabled()
    gc.disable()
    try:
        for number in range(repeats):
            order = (0, 1) if number % 2 == 0 else (1, 0)
            seconds = {way: _seconds(*ways[way]) for way in order}
            pairs.append((seconds[0], seconds[1]))
    finally:
        if collecting:
            gc.enable()
    return ratio_of(pairs)


def ratio_of(pairs: Sequence[tuple[float, float]]) -> TimeRatio:
    """The median of the ratios of pairs, with the interval of a median, which assumes nothing of the noise.

    Raises:
        InputError: there are fewer than 8 pairs.

    Source: Thompson 1936, "On confidence ranges for the median": order statistics and the binomial.

    >>> ratio_of([(1.0, 1.0 + n / 100) for n in range(9)])
    TimeRatio(ratio=1.04, low=1.0, high=1.08, pairs=9, base_seconds=1.0)
    """
    from scipy.special import bdtr

    if len(pairs) < FEWEST_PAIRS:
        raise InputError(f"{len(pairs)} pairs of times have no interval; take at least {FEWEST_PAIRS}")
    ratios = sorted(other / base for base, other in pairs)
    cut = 0  # ratios to leave out at each end
    while bdtr(cut, len(ratios), 0.5) <= (1 - CONFIDENCE) / 2:
        cut += 1
    low, high = ratios[cut - 1], ratios[-cut]
    return TimeRatio(median(ratios), low, high, len(pairs), median(base for base, _ in pairs))


def _seconds(prepare: Run, run: Run) -> float:
    prepare()
    wait()
    started = time.perf_counter()
    run()
    wait()
    return time.perf_counter() - started


def wait() -> None:
    """Wait until the device has done all that it was given."""
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()

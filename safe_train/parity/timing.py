"""Timing: how many times as long one way takes as another, from repeats that alternate."""

import gc
import math
import time
from collections.abc import Callable
from statistics import fmean, stdev
from typing import Literal

import msgspec
import torch

CONFIDENCE = 0.99  # a way that is exactly at the limit is said to be above it in 1 of 200 runs

Run = Callable[[], None]


class TimeRatio(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The ratio of two times, with a 99 % interval over pairs."""

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


def ratio_of(pairs: list[tuple[float, float]]) -> TimeRatio:
    """The geometric mean of the ratios of pairs, and Student's t interval on their logarithms.

    >>> ratio_of([(1.0, 1.02), (2.0, 2.0), (1.0, 1.01)]).ratio.__round__(4)
    1.01
    """
    from scipy.special import stdtrit

    logs = [math.log(other / base) for base, other in pairs]
    reach = float(stdtrit(len(logs) - 1, (1 + CONFIDENCE) / 2)) * stdev(logs) / math.sqrt(len(logs))
    middle = fmean(logs)
    low, ratio, high = (math.exp(middle + way * reach) for way in (-1, 0, 1))
    return TimeRatio(ratio, low, high, len(pairs), fmean(base for base, _ in pairs))


def _seconds(prepare: Run, run: Run) -> float:
    prepare()
    _wait()
    started = time.perf_counter()
    run()
    _wait()
    return time.perf_counter() - started


def _wait() -> None:
    if torch.accelerator.is_available():
        torch.accelerator.synchronize()

"""Ladder: sizes that double until memory, time or a largest size ends them; then all are timed in turns."""

import gc
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import torch

from safe_train.parity.timing import wait

StoppedBy = Literal["the largest size", "memory", "time"]
Seen = TypeVar("Seen")
Way = Callable[[], object]

_NO_MEMORY = "can't allocate memory"  # how PyTorch says it on a CPU, in an error of no class of its own


def sizes(most: int, also: int | None = None) -> list[int]:
    """1, 2, 4, … up to the largest, which is one of them; and one more size that matters.

    >>> sizes(12), sizes(16, also=5), sizes(4, also=9)
    ([1, 2, 4, 8, 12], [1, 2, 4, 5, 8, 16], [1, 2, 4, 9])
    """
    doubling = [2**power for power in range(most.bit_length()) if 2**power <= most]
    return sorted({*doubling, most, *([] if also is None else [also])})


@dataclass(frozen=True)
class Climb(Generic[Seen]):
    """The sizes that could be run, with what was seen at each, and what ended them."""

    seen: dict[int, Seen]
    stopped_by: StoppedBy
    at: int | None  # the size that was not run, or did not fit


def climb(
    wanted: Sequence[int],
    look: Callable[[int], tuple[Seen, float]],
    *,
    seconds: float,
    runs: int,
    room: Callable[[int, dict[int, Seen]], bool] = lambda _size, _seen: True,
    clock: Callable[[], float] = time.monotonic,
) -> Climb[Seen]:
    """Look at each size, from the smallest, as long as there is time to run all of them so many times more.

    `look` returns what it saw and the seconds of one run. `room` says, from what was seen so far, whether a
    size may be tried: where memory that lacks ends the process instead of raising an error, it must not be.
    """
    seen: dict[int, Seen] = {}
    spent = once = before = looked = 0.0
    for place, size in enumerate(wanted):
        larger = size / wanted[place - 1] if place else 1.0
        coming = larger * (looked + runs * (once - before)) if place else 0.0
        if spent + runs * once + coming > seconds:
            return Climb(seen, "time", size)
        if not room(size, seen):
            return Climb(seen, "memory", size)
        started, before = clock(), once
        found = _fitting(look, size)
        if found is None:
            release()  # here, where no traceback holds the tensors any more
            return Climb(seen, "memory", size)
        seen[size], run = found
        looked = clock() - started
        spent += looked
        once += run
    return Climb(seen, "the largest size", None)


def _fitting(look: Callable[[int], tuple[Seen, float]], size: int) -> tuple[Seen, float] | None:
    """What is seen at a size, or None where memory is not enough for it."""
    try:
        return look(size)
    except (torch.OutOfMemoryError, MemoryError):
        return None
    except RuntimeError as error:
        if _NO_MEMORY not in str(error):
            raise
        return None


def in_turns(ways: Sequence[Way], repeats: int) -> list[list[float]]:
    """The seconds of each way, so often, one after the other: a busy moment slows all of them.

    Each round begins with another way, so that none always runs in the wake of the same one. Call each once
    before: a first call is slower.
    """
    taken: list[list[float]] = [[] for _ in ways]
    with without_collecting():
        for repeat in range(repeats):
            for place in range(len(ways)):
                number = (place + repeat) % len(ways)
                taken[number].append(seconds_of(ways[number]))
    return taken


def seconds_of(way: Way) -> float:
    """How long a way takes until the device has done all of it."""
    wait()
    started = time.perf_counter()
    way()
    wait()
    return time.perf_counter() - started


@contextmanager
def without_collecting() -> Iterator[None]:
    """No collection of garbage within: it would slow whichever way it falls on."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def release() -> None:
    """Give back what a pass that did not fit still holds."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()

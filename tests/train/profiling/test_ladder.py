"""Ladder: what ends it, and ways that are timed in turns."""

from collections.abc import Callable

import pytest
import torch

from safe_train.parity import timing
from safe_train.profiling import ladder
from safe_train.profiling.ladder import climb, in_turns


class Clock:
    """Time that passes only where it is spent."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def spending(self, per_row: float) -> Callable[[int], tuple[int, float]]:
        """A look that takes three runs of so many seconds a row."""

        def look(size: int) -> tuple[int, float]:
            self.now += 3 * per_row * size
            return size, per_row * size

        return look


def test_all_sizes_are_seen_where_nothing_ends_it() -> None:
    clock = Clock()
    found = climb([1, 2, 4], clock.spending(0.1), seconds=60, runs=9, clock=clock)
    assert (found.seen, found.stopped_by, found.at) == ({1: 1, 2: 2, 4: 4}, "the largest size", None)


@pytest.mark.parametrize(("seconds", "last"), [(83.9, 4), (84.0, 8), (179.9, 8), (180.0, 16)])
def test_time_ends_it_before_a_size_that_it_would_not_be_enough_for(seconds: float, last: int) -> None:
    """A size takes a look of 3 runs and 9 more, each of a second a row: up to 8 rows, 12 · 15 s."""
    clock = Clock()
    found = climb([1, 2, 4, 8, 16], clock.spending(1.0), seconds=seconds, runs=9, clock=clock)
    spent = 12 * sum(found.seen)
    assert spent <= seconds
    assert found.stopped_by == "time"
    assert found.at == 2 * max(found.seen)
    assert spent + 12 * found.at > seconds
    assert max(found.seen) <= last


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9"),
    ],
)
def test_a_size_that_does_not_fit_ends_it(error: Exception) -> None:
    def look(size: int) -> tuple[str, float]:
        if size > 2:
            raise error
        return "fits", 0.0

    found = climb([1, 2, 4, 8], look, seconds=60, runs=1)
    assert (found.seen, found.stopped_by, found.at) == ({1: "fits", 2: "fits"}, "memory", 4)


def test_a_size_without_room_is_not_tried() -> None:
    tried = []

    def look(size: int) -> tuple[int, float]:
        tried.append(size)
        return size, 0.0

    found = climb([1, 2, 4], look, seconds=60, runs=1, room=lambda size, seen: size < 3 or not seen)
    assert (tried, found.stopped_by, found.at) == ([1, 2], "memory", 4)


def test_another_error_is_not_taken_for_memory() -> None:
    def look(size: int) -> tuple[int, float]:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        climb([1], look, seconds=60, runs=1)


def test_ways_take_turns_and_begin_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine slows down steadily: the ratio of the medians is still that of the ways."""
    clock, called = Clock(), []

    def way(name: str, seconds: float) -> Callable[[], None]:
        def run() -> None:
            called.append(name)
            clock.now += seconds * (1 + clock.now / 1e4)

        return run

    monkeypatch.setattr(ladder.time, "perf_counter", clock)
    one, other = in_turns([way("a", 1.0), way("b", 2.0)], 8)
    assert "".join(called) == "abba" * 4
    assert sum(other) / sum(one) == pytest.approx(2, rel=1e-3)
    assert timing.time is ladder.time

"""Pieces of work that succeed, fail, or kill their process; workers can import them."""

import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from safe_data.build.engines.piece import Load, Tick
from safe_data.core.errors import InputError


@dataclass(frozen=True)
class Number:
    """A piece of work about a number; `folder` is where it leaves a trace of each attempt."""

    value: int
    folder: Path | None = None
    steps: int = 2

    @property
    def name(self) -> str:
        return f"number {self.value}"


def square(number: Number, tick: Tick, _: Load) -> tuple[int, int]:
    """The square of the number, and the process that computed it."""
    for _step in range(number.steps):
        tick()
    return number.value**2, os.getpid()


def slow_square(number: Number, tick: Tick, load: Load) -> tuple[int, int]:
    time.sleep(0.1 * (5 - number.value % 5))
    return square(number, tick, load)


def attempts(number: Number) -> int:
    """The number of attempts so far, this one included."""
    assert number.folder is not None
    (number.folder / f"{number.value}-{os.getpid()}").touch()
    return len(list(number.folder.glob(f"{number.value}-*")))


def die_once(number: Number, tick: Tick, load: Load) -> tuple[int, int]:
    """Die in the middle of the first attempt at number 3."""
    tick()
    if number.value == 3 and attempts(number) == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    tick()
    return number.value**2, os.getpid()


def crash(number: Number, tick: Tick, load: Load) -> None:
    """Crash at number 2 every time, like a native decoder."""
    tick()
    if number.value == 2:
        attempts(number)
        os.kill(os.getpid(), signal.SIGSEGV)


def leave(number: Number, tick: Tick, load: Load) -> None:
    os._exit(7)


def refuse(number: Number, tick: Tick, load: Load) -> None:
    raise InputError(f"{number.name}: not wanted")


def be_wrong(number: Number, tick: Tick, load: Load) -> None:
    raise KeyError(f"a bug at {number.name}")


def fill_the_disk(number: Number, tick: Tick, load: Load) -> None:
    with Path("/dev/full").open("wb", buffering=0) as file:
        file.write(b"x")


def threads(number: Number, tick: Tick, load: Load) -> list[int]:
    """How many threads each BLAS of this process may use."""
    import numpy as np
    from threadpoolctl import threadpool_info

    np.ones((2, 2)) @ np.ones((2, 2))
    return [library["num_threads"] for library in threadpool_info()]


def wait_for_ever(number: Number, tick: Tick, load: Load) -> None:
    attempts(number)
    threading.Event().wait()

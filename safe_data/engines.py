"""Engines: what runs the pieces of a build, in this process, in several of this machine, or on Ray.

A piece is a function of plain data, the same for every engine, so the engine changes no byte of the result.
"""

import difflib
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cache
from typing import Any, Protocol, TypeVar

from safe_data.errors import InputError

ATTEMPTS = 3  # at a piece whose process dies

Tick = Callable[[], object]  # called once a step, for a progress bar
Load = Callable[[str], Any]  # an encoder for a spec
Advance = Callable[[int], object]  # how many steps further, or back where a piece is begun anew


class Piece(Protocol):
    """What a piece of work is about: plain data, to be sent to another process or machine."""

    @property
    def name(self) -> str:
        """What it is called in a message."""

    @property
    def steps(self) -> int:
        """How often it will tick."""


P = TypeVar("P", bound=Piece)
R = TypeVar("R")


class Run(Protocol):
    """Do all the pieces; their results in the order of the pieces."""

    def __call__(
        self, work: Callable[[P, Tick, Load], R], pieces: Sequence[P], advance: Advance
    ) -> list[R]: ...


def start(engine: str, workers: int, ray_address: str | None = None) -> AbstractContextManager[Run]:
    """The engine of that name, with so many pieces in work at a time.

    Raises:
        InputError: no such engine, or one that does not go with the other options.
    """
    if workers < 1:
        raise InputError(f"{workers} workers: one or more can work")
    if ray_address is not None and engine != "ray":
        raise InputError(f"a Ray address ({ray_address}) without --engine ray is of no use")
    if engine == "local":
        from safe_data.local_engine import local_engine

        return local_engine(workers)
    if engine == "ray":
        from safe_data.ray_engine import ray_engine

        return ray_engine(workers, ray_address)
    near = difflib.get_close_matches(engine, ("local", "ray"), 1)
    hint = f"did you mean {near[0]!r}?" if near else "choose from local, ray"
    raise InputError(f"engine {engine!r} is unknown; {hint}")


@cache  # weights are loaded once a process, not once a shard
def load_once(spec: str) -> Any:
    """The encoder of a spec; the same object whenever this process asks for it."""
    from safe_data.encoders import load_encoder

    return load_encoder(spec)


def gave_up(name: str, reason: str) -> InputError:
    """The error for a piece that ended every process that tried it."""
    return InputError(
        f"{name}: {ATTEMPTS} workers died at it ({reason}); one of its media crashes a decoder, or memory is "
        "short: use fewer workers, or find the record by leaving out some"
    )

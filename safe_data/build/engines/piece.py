"""Piece: a unit of work that an engine runs, as plain data."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Protocol, TypeVar

from safe_data.core.errors import InputError

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


@cache  # weights are loaded once a process, not once a shard
def load_once(spec: str) -> Any:
    """The encoder of a spec; the same object whenever this process asks for it."""
    from safe_data.encoders.encoder import load_encoder

    return load_encoder(spec)


def gave_up(name: str, reason: str) -> InputError:
    """The error for a piece that ended every process that tried it."""
    return InputError(
        f"{name}: {ATTEMPTS} workers died at it ({reason}); one of its media crashes a decoder, or memory is "
        "short: use fewer workers, or find the record by leaving out some"
    )

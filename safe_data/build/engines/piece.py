"""Piece: a unit of work that an engine runs, given as plain data."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Protocol, TypeVar

from safe_data.core.errors import InputError

ATTEMPTS = 3  # per piece, if the process that works on it dies

Tick = Callable[[], object]  # called once per step, for a progress bar
Load = Callable[[str], Any]  # loads an encoder by its spec
Advance = Callable[[int], object]  # moves a progress bar; negative where a piece starts again


class Piece(Protocol):
    """The arguments of a unit of work; plain data, so that it can be sent to another process or machine."""

    @property
    def name(self) -> str:
        """Its name in messages."""

    @property
    def steps(self) -> int:
        """How often its work calls `Tick`."""


P = TypeVar("P", bound=Piece)
R = TypeVar("R")


class Run(Protocol):
    """Run the work on every piece; return the results in the order of the pieces."""

    def __call__(
        self, work: Callable[[P, Tick, Load], R], pieces: Sequence[P], advance: Advance
    ) -> list[R]: ...


@cache  # load weights once per process, not once per shard
def load_once(spec: str) -> Any:
    """Load an encoder; later calls in this process return the same object."""
    from safe_data.encoders.encoder import load_encoder

    return load_encoder(spec)


def gave_up(name: str, reason: str) -> InputError:
    """The error for a piece that ended every process that tried it."""
    return InputError(
        f"{name}: {ATTEMPTS} workers died at it ({reason}); one of its media crashes a decoder, or memory is "
        "short: use fewer workers, or find the record by leaving out some"
    )

"""Slices: the parts of a dataset that are compared, and which of them say something of their own."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

COMPARED_SLICES = ("all", "audio", "vl")


class _Sliced(Protocol):
    @property
    def slice(self) -> str: ...
    @property
    def n(self) -> int: ...


Row = TypeVar("Row", bound=_Sliced)


def without_repeats(rows: Sequence[Row], about: Sequence[str]) -> list[Row]:
    """Rows without the slices that hold every item of `all`: what is only about the sound is shown once.

    `about` names the fields by which rows with the same slices are told apart.
    """

    def key(row: Row) -> tuple[object, ...]:
        return tuple(getattr(row, name) for name in about)

    whole = {key(row): row.n for row in rows if row.slice == "all"}
    return [row for row in rows if row.slice == "all" or row.n != whole.get(key(row))]

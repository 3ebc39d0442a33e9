"""Pairs as text: the lines of a table of differences a − b, and what its p values are adjusted for."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

from safe_data.core import numerals
from safe_data.core.table import COLUMNS
from safe_eval.results.families import family_text
from safe_eval.results.metrics import without_repeats


class _Pair(Protocol):
    """A row that compares two arms on a slice."""

    @property
    def a(self) -> str: ...
    @property
    def b(self) -> str: ...
    @property
    def slice(self) -> str: ...
    @property
    def n(self) -> int: ...
    @property
    def holm_p(self) -> float | None: ...
    @property
    def family(self) -> int: ...


Pair = TypeVar("Pair", bound=_Pair)


def pair_lines(rows: Sequence[Pair], width: int, numbers: Callable[[Pair], str]) -> Iterator[str]:
    """One line per slice of each pair: the pair, once, in a column of this width, and its numbers.

    A pair that is wider has a line of its own above them.
    """
    shown = ""
    for row in without_repeats(rows, ("a", "b")):
        name = f"{row.a} − {row.b}"
        title = "" if name == shown else name
        if len(title) > width:
            yield f"  {numerals.cut(title, COLUMNS - 2)}"
            title = ""
        yield f"  {title:<{width}} {numbers(row)}"
        shown = name


def family_lines(rows: Sequence[Pair]) -> Iterator[str]:
    """What the p values of a table are adjusted for."""
    measured = [row for row in rows if row.holm_p is not None]
    if measured:
        yield f"  {family_text(measured[0].family, len(measured))}"

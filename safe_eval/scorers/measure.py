"""Measure: a number about many answers at once, or why there is none."""

from collections.abc import Iterable

import msgspec


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """What a benchmark's own script prints on one line."""

    name: str
    value: float | None  # None: not measured
    n: int  # items it is about
    why_not: str | None = None


def mean_of(name: str, scores: Iterable[float], why_not: str) -> Measure:
    """The mean of scores, or why there are none.

    >>> mean_of("recall:speech", [1.0, 0.0], "no clip of speech").value
    0.5
    """
    found = [float(score) for score in scores]
    if not found:
        return Measure(name=name, value=None, n=0, why_not=why_not)
    return Measure(name=name, value=sum(found) / len(found), n=len(found))

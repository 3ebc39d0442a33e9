"""Families: which p values of a table are adjusted together, and which of its rows are one test.

A family is what one table shows: the differences by one metric on one dataset, with one seed or over all. The
criteria of a verdict are none: all must hold, so go needs no adjustment (Berger 1982, intersection–union).
"""

from collections.abc import Iterable
from typing import Any, TypeVar

import msgspec
import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from safe_eval.statistics.multiplicity import adjusted_once

SameTest = tuple[int, float, tuple[float, ...]]

Row = TypeVar("Row", bound=msgspec.Struct)


def same_test(examples: Int[ndarray, " items"], differences: Float[ndarray, "*seeds items"]) -> SameTest:
    """What two rows share if they compare the same items with the same differences, whatever their names.

    The numbers of the examples and the differences enter as sums with random weights. b − a is the test of
    a − b.

    >>> items, changed = np.arange(4), np.array([0.0, 1.0, -1.0, 1.0])
    >>> same_test(items, changed) == same_test(items, -changed), same_test(items + 4, 0 * changed)[0]
    (True, 4)
    """
    if not len(examples):
        return 0, 0.0, ()
    weights = np.random.default_rng(0).random(int(examples.max()) + 1)[examples]
    sums = [float((row * weights).sum()) for row in np.atleast_2d(differences)]
    is_turned = next((total < 0 for total in sums if total), False)
    return len(examples), float(weights.sum()), tuple(0.0 - total if is_turned else total for total in sums)


def with_holm(rows: Iterable[tuple[Row, SameTest]]) -> list[Row]:
    """The rows of some families, with their p values adjusted by Holm, and the number of tests they are."""
    paired = list(rows)
    families: dict[tuple[Any, ...], list[int]] = {}
    for place, (row, _) in enumerate(paired):
        families.setdefault(_family(row), []).append(place)
    adjusted = [row for row, _ in paired]
    for places in families.values():
        p_values = [adjusted[place].p_value for place in places]  # type: ignore[attr-defined]
        tests = [paired[place][1] for place in places]
        count = len({test for test, p_value in zip(tests, p_values, strict=True) if p_value is not None})
        for place, holm_p in zip(places, adjusted_once(p_values, tests), strict=True):
            adjusted[place] = msgspec.structs.replace(adjusted[place], holm_p=holm_p, family=count)
    return adjusted


def family_text(tests: int, rows: int) -> str:
    """What the p values of a table are adjusted for.

    >>> family_text(12, 15)
    'Holm: over the 12 tests of this table; 3 rows repeat another, item by item'
    """
    text = f"Holm: over the {tests} tests of this table" if tests > 1 else "Holm: over one test"
    repeats = rows - tests
    if repeats > 0:
        text += f"; {repeats} {'row repeats' if repeats == 1 else 'rows repeat'} another, item by item"
    return text


def _family(row: Any) -> tuple[Any, ...]:
    return row.metric, row.dataset, getattr(row, "seed", None)

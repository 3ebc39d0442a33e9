"""Multiplicity: p values adjusted for a family of tests."""

from collections.abc import Callable, Hashable, Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError

PValues = Float[ndarray, " tests"]


def holm(p_values: PValues) -> PValues:
    """Adjusted p values, in the given order: at level 0.05, the risk of any false finding is at most 5 %.

    Raises:
        InputError: there are no p values, or one is not in [0, 1].

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".

    >>> holm(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.06, 0.06]
    """
    order, ascending = _ascending(p_values)
    factors = np.arange(len(ascending), 0, -1)
    return _in_given_order(np.maximum.accumulate(ascending * factors), order)


def benjamini_hochberg(p_values: PValues) -> PValues:
    """Adjusted p values, in the given order: at level 0.05, at most 5 % of the findings are false on average.

    It holds for tests that are independent or positively dependent.

    Raises:
        InputError: there are no p values, or one is not in [0, 1].

    Source: Benjamini & Hochberg 1995, "Controlling the false discovery rate".

    >>> benjamini_hochberg(np.array([0.01, 0.04, 0.03])).tolist()
    [0.03, 0.04, 0.04]
    """
    order, ascending = _ascending(p_values)
    factors = len(ascending) / np.arange(1, len(ascending) + 1)
    return _in_given_order(np.minimum.accumulate((ascending * factors)[::-1])[::-1], order)


def adjusted_once(
    p_values: Sequence[float | None],
    tests: Sequence[Hashable],
    adjust: Callable[[PValues], PValues] = holm,
) -> list[float | None]:
    """Adjusted p values of a family in which rows with the same `tests` are one test, and count once.

    None is not measured: it is in no family, and stays None.

    >>> adjusted_once([0.01, 0.04, 0.01, None], ["all", "audio", "all", "vl"])
    [0.02, 0.04, 0.02, None]
    """
    of_test: dict[Hashable, float] = {}
    for p_value, test in zip(p_values, tests, strict=True):
        if p_value is not None:
            of_test[test] = max(p_value, of_test.get(test, 0.0))
    if not of_test:
        return [None] * len(p_values)
    adjusted = dict(zip(of_test, adjust(np.array(list(of_test.values()))).tolist(), strict=True))
    return [
        None if p_value is None else adjusted[test] for p_value, test in zip(p_values, tests, strict=True)
    ]


def _ascending(p_values: PValues) -> tuple[ndarray, PValues]:
    if not len(p_values):
        raise InputError("a family without a test has no p values to adjust")
    if not ((p_values >= 0) & (p_values <= 1)).all():
        raise InputError("a p value is not between 0 and 1; leave out the tests that were not measured")
    order = np.argsort(p_values, kind="stable")
    return order, p_values[order]


def _in_given_order(adjusted: PValues, order: ndarray) -> PValues:
    given = np.empty(len(adjusted))
    given[order] = np.minimum(adjusted, 1)
    return given

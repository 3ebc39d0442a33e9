"""Multiplicity: p values adjusted for a family of tests."""

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

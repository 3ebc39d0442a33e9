"""Quantiles: a median or a 95th percentile of times with its interval, which assumes nothing of the noise."""

import math
from collections.abc import Sequence

import msgspec

from safe_data.core.errors import InputError
from safe_train.parity.timing import CONFIDENCE


class Quantile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A quantile of `n` measured values with its 99 % interval; an end that they cannot show is null."""

    value: float
    low: float | None
    high: float | None
    n: int

    def scaled(self, factor: float) -> "Quantile":
        """The quantile in another unit."""
        low, high = (None if end is None else factor * end for end in (self.low, self.high))
        return Quantile(factor * self.value, low, high, self.n)

    def per(self, amount: float) -> "Quantile":
        """The rate at which so much is done in this time: the slower end of the time is the lower rate.

        >>> Quantile(0.5, 0.25, 1.0, 9).per(8)
        Quantile(value=16.0, low=8.0, high=32.0, n=9)
        """
        low, high = (None if end is None else amount / end for end in (self.high, self.low))
        return Quantile(amount / self.value, low, high, self.n)


def quantile_of(values: Sequence[float], share: float = 0.5) -> Quantile:
    """The value below which so large a share lies, as one of the values.

    Raises:
        InputError: there are no values.

    **Source:** the interval by order statistics: David & Nagaraja 2003, "Order Statistics", section 7.1. The
    number of values below a quantile is binomial, whatever their distribution.

    >>> quantile_of(range(1, 10))
    Quantile(value=5, low=1, high=9, n=9)
    >>> quantile_of(range(1, 104), 0.95)
    Quantile(value=98, low=91, high=None, n=103)
    >>> quantile_of(range(1, 105), 0.95).high
    104
    """
    from scipy.special import bdtr

    if not values:
        raise InputError("no time was measured, so there is no quantile of it")
    ordered, n, tail = sorted(values), len(values), (1 - CONFIDENCE) / 2
    # The r-th smallest is above the quantile only if fewer than r values lie below it.
    fewer = [float(bdtr(count, n, share)) for count in range(n)]  # P(at most so many below)
    below = sum(chance <= tail for chance in fewer)
    low = ordered[below - 1] if below else None
    above = next((count for count, chance in enumerate(fewer) if chance >= 1 - tail), None)
    high = None if above is None else ordered[above]
    return Quantile(ordered[max(math.ceil(share * n) - 1, 0)], low, high, n)

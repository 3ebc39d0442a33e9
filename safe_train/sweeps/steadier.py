"""Steadier: which of two points varies less from seed to seed, by the test of paired variances.

Two points of one seed share a base, a world and an order of questions, so their values are pairs. Pitman and
Morgan test whether two variances of pairs differ by the correlation of sum and difference.
"""

import math
from collections.abc import Sequence

import numpy as np

LEAST_SEEDS = 3
_MOST_SEEDS = 1000

Named = tuple[str, Sequence[float]]


def steadier(a: Named, b: Named, risk: float) -> tuple[str | None, str, str | None]:
    """The steadier of two points, if that is shown; why, in words; and what would show it.

    Source: Pitman 1939, "A note on normal correlation"; Morgan 1939, "A test for the significance of the
    difference between the two variances in a sample from a normal bivariate population".

    >>> calm, wild = [0.500, 0.501, 0.499, 0.5, 0.5005], [0.30, 0.72, 0.41, 0.66, 0.5]
    >>> steadier(("calm", calm), ("wild", wild), 0.05)[0]
    'calm'
    >>> steadier(("one", [0.5, 0.6]), ("other", [0.5, 0.4]), 0.05)[::2]
    (None, 'at least 3 seeds')
    """
    (name_a, of_a), (name_b, of_b) = a, b
    seeds = len(of_a)
    deviations = [float(np.std(values, ddof=1)) if seeds > 1 else math.nan for values in (of_a, of_b)]
    said = f"sd {deviations[0]:.4f} of {name_a}, {deviations[1]:.4f} of {name_b} over {seeds} seeds"
    if seeds < LEAST_SEEDS:
        least = f"at least {LEAST_SEEDS} seeds"
        return None, f"not told apart which is steadier ({said}); needs {least}", least
    correlation = variances_apart(of_a, of_b)
    if _p_value(correlation, seeds) < risk:
        name = name_a if deviations[0] < deviations[1] else name_b
        return name, f"{name} is the steadier ({said})", None
    count = _seeds_that_show(correlation, seeds, risk)
    needs = None if count is None else f"about {count:,} seeds"
    return None, f"not told apart which is steadier ({said})" + (f"; needs {needs}" if needs else ""), needs


def variances_apart(a: Sequence[float], b: Sequence[float]) -> float:
    """The correlation of sums and differences of pairs: 0 where both vary alike, above 0 where `a` does more.

    >>> variances_apart([0, 1, 2], [0, 2, 4]), variances_apart([1, 1, 1], [1, 1, 1])
    (-1.0, 0.0)
    """
    first, second = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    total, apart = first + second, first - second
    total, apart = total - total.mean(), apart - apart.mean()
    scale = math.sqrt(float((total**2).sum() * (apart**2).sum()))
    if scale < 1e-15:
        return 0.0
    return max(-1.0, min(1.0, float((total * apart).sum()) / scale))


def _p_value(correlation: float, seeds: int) -> float:
    from scipy.special import stdtr

    left = 1 - correlation**2
    if left <= 0:
        return 0.0
    freedom = seeds - 2
    return 2 * float(stdtr(freedom, -abs(correlation) * math.sqrt(freedom / left)))


def _seeds_that_show(correlation: float, seeds: int, risk: float) -> int | None:
    """How many seeds would show a correlation like this."""
    return next(
        (count for count in range(seeds + 1, _MOST_SEEDS) if _p_value(correlation, count) < risk), None
    )

"""Stability of a loss curve: how much it swings, and whether it diverged, by rules that two numbers state.

Both look at the steps after the warm-up of the learning rates, where a falling curve is expected.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray

LEAST_STEPS = 20  # after the warm-up; fewer tell nothing
PARTS = 10
DIVERGED_TIMES = 2.0  # the end of the curve above its lowest part
DIVERGED_NATS = 0.1  # and by how much at least: near 0, twice as much is little

Losses = Float[ndarray, " steps"]


class Stability(NamedTuple):
    """What a loss curve shows; None where it is too short."""

    oscillation: float | None
    diverged: bool | None


def stability(losses: Sequence[float], *, warm_up: int) -> Stability:
    """The oscillation of a run's losses after its warm-up, and whether they diverged.

    >>> found = stability([2 * 0.9**step for step in range(60)], warm_up=10)
    >>> found.oscillation < 1e-9, found.diverged
    (True, False)
    >>> stability([1.0] * 5, warm_up=0)
    Stability(oscillation=None, diverged=None)
    """
    curve = np.asarray(losses, dtype=float)[warm_up:]
    if not np.isfinite(losses).all():
        return Stability(None, True)
    if len(curve) < LEAST_STEPS:
        return Stability(None, None)
    return Stability(oscillation(curve), diverged(curve))


def oscillation(curve: Losses) -> float:
    """How far a curve swings about its trend: the root mean square of what is left, over the curve's mean.

    The trend is the non-increasing curve nearest to it in least squares, so that any steady descent counts
    as none, and both a slow wave and a swing from one step to the next count in full. The noise of batches
    counts too: compare curves of one batch size.

    Source: isotonic regression, Barlow et al. 1972, by scipy.

    >>> waves = 1 + 0.2 * np.sin(np.arange(400) / 5)
    >>> round(oscillation(waves), 2), oscillation(np.ones(30))
    (0.14, 0.0)
    """
    from scipy.optimize import isotonic_regression  # which takes half a second to load

    level = float(np.abs(curve).mean())
    if not level:
        return 0.0
    trend = isotonic_regression(curve, increasing=False).x
    return math.sqrt(float(((curve - trend) ** 2).mean())) / level


def diverged(curve: Losses) -> bool:
    """Whether the last tenth of a curve lies far above its lowest tenth, by medians.

    Far is more than twice as high, and more than 0.1 nat.

    >>> falls = np.linspace(2, 0.5, 50)
    >>> diverged(falls), diverged(np.concatenate([falls, np.linspace(0.5, 3, 50)]))
    (False, True)
    """
    medians = [float(np.median(part)) for part in np.array_split(curve, PARTS)]
    lowest, last = min(medians), medians[-1]
    return last > DIVERGED_TIMES * lowest and last - lowest > DIVERGED_NATS

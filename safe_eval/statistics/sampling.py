"""Interval: what every interval method returns; and the arrays that statistics take."""

from dataclasses import dataclass

from jaxtyping import Float, Shaped
from numpy import ndarray

# The lowest and the highest possible score, and the same for a difference of two scores.
FRACTION, DIFFERENCE = (0.0, 1.0), (-1.0, 1.0)

Values = Float[ndarray, " items"]
Labels = Shaped[ndarray, " items"]


@dataclass(frozen=True)
class Interval:
    """A confidence interval and the method that made it. All None: not measured."""

    low: float | None = None
    high: float | None = None
    method: str | None = None

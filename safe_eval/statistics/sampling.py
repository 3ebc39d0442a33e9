"""Interval: a confidence interval and how it was made; the arrays that statistics take."""

from dataclasses import dataclass

from jaxtyping import Float, Shaped
from numpy import ndarray

from safe_eval.options import Sampling as Sampling

FRACTION, DIFFERENCE = (0.0, 1.0), (-1.0, 1.0)  # between what a score, or a difference of two, can lie

Values = Float[ndarray, " items"]
Labels = Shaped[ndarray, " items"]


@dataclass(frozen=True)
class Interval:
    """A confidence interval and how it was made; all None where it could not be measured."""

    low: float | None = None
    high: float | None = None
    method: str | None = None

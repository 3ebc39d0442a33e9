"""Interval and Sampling: what an interval is, and how much is drawn for it from which seed."""

from dataclasses import dataclass

from jaxtyping import Float, Shaped
from numpy import ndarray

from safe_data.core.errors import InputError

FRACTION, DIFFERENCE = (0.0, 1.0), (-1.0, 1.0)  # between what a score, or a difference of two, can lie

Values = Float[ndarray, " items"]
Labels = Shaped[ndarray, " items"]


@dataclass(frozen=True)
class Interval:
    """A confidence interval and how it was made; all None where it could not be measured."""

    low: float | None = None
    high: float | None = None
    method: str | None = None


@dataclass(frozen=True)
class Sampling:
    """How much is drawn, and from which seed."""

    confidence: float = 0.95
    resamples: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.5 < self.confidence < 1:
            raise InputError(f"confidence {self.confidence} is not between 0.5 and 1; 95 % is 0.95")
        if self.resamples < 100:
            raise InputError(f"resamples {self.resamples} is too few for an interval; give at least 100")
        if self.seed < 0:
            raise InputError(f"seed {self.seed} is negative; seeds are 0 or more")

    @property
    def equivalence_confidence(self) -> float:
        """The confidence of the interval that decides equivalence: 0.90 for two one-sided tests at 0.05."""
        return 2 * self.confidence - 1

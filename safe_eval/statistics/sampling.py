"""Interval and Sampling: what every interval method returns, and what it draws."""

from dataclasses import dataclass

from jaxtyping import Float, Shaped
from numpy import ndarray

from safe_data.core.errors import InputError

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


@dataclass(frozen=True)
class Sampling:
    """The confidence of intervals, and how many resamples are drawn from which seed.

    Raises:
        InputError: a confidence outside (0.5, 1), fewer than 100 resamples, or a negative seed.
    """

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

"""Forecasts: how sure answers are to be right, and whether they are; with whole distributions where given."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.statistics.bootstrap import Labels
from safe_eval.statistics.calibration.reliability import Classes, Confidences, Correct, Probabilities

UNKNOWN = -1  # in place of the number of a class


@dataclass(frozen=True)
class Distributions:
    """The probabilities of the choices of each item, which need not be as many for every item.

    Every row has its own choices: NaN fills up those that have fewer, and all of those that have none.
    """

    probabilities: Probabilities
    right: Classes  # the one right choice, or UNKNOWN
    said: Classes  # the choice that was answered, or UNKNOWN without a distribution

    def __post_init__(self) -> None:
        if not len(self.probabilities) == len(self.right) == len(self.said):
            raise InputError(f"{len(self.right)} right choices for {len(self.probabilities)} distributions")

    @property
    def given(self) -> Bool[ndarray, " items"]:
        """The items that have a distribution, from which a confidence can be computed."""
        found: Bool[ndarray, " items"] = (self.said != UNKNOWN) & ~np.isnan(self.probabilities).all(axis=1)
        return found

    @property
    def judged(self) -> Bool[ndarray, " items"]:
        """The items whose distribution can be fitted: exactly one choice is right."""
        found: Bool[ndarray, " items"] = self.given & (self.right != UNKNOWN)
        return found


@dataclass(frozen=True)
class Forecasts:
    """Confidences in [0, 1] that answers are right, and whether they are: 1 or 0, or a score between.

    >>> Forecasts(np.arange(2), np.arange(2), np.array([0.9, 0.6]), np.array([1.0, 0.0])).with_distribution
    array([False, False])
    """

    examples: Labels
    clusters: Labels
    confidence: Confidences
    correct: Correct
    distributions: Distributions | None = None

    @property
    def with_distribution(self) -> Bool[ndarray, " items"]:
        """The items whose confidence can be computed from a distribution."""
        if self.distributions is None:
            return np.zeros(len(self.confidence), dtype=bool)
        return self.distributions.given


def joined(parts: Sequence[Forecasts]) -> Forecasts:
    """Several forecasts as one, without their distributions."""
    return Forecasts(
        examples=np.concatenate([part.examples for part in parts]),
        clusters=np.concatenate([part.clusters for part in parts]),
        confidence=np.concatenate([part.confidence for part in parts]),
        correct=np.concatenate([part.correct for part in parts]),
    )

"""Aggregate: a number about many answers at once, as a benchmark's own script prints it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_eval.prediction import Prediction


@dataclass(frozen=True)
class Aggregate:
    """A value, or why it was not measured, and what its interval can be drawn from.

    An aggregate with `scores` is their mean, or with `classes` the mean of the means of each class, times
    `highest`, the value of a perfect run.
    """

    name: str
    value: float | None  # None: not measured
    n: int  # rows that it is about
    why_not: str | None = None
    at: Int[ndarray, " n"] | None = None  # places of these rows among the predictions
    scores: Float[ndarray, " n"] | None = None
    classes: Int[ndarray, " n"] | None = None  # numbers from 0, every one of them used
    highest: float = 1.0


def mean_of(name: str, at: Sequence[int], scores: Sequence[float], why_not: str) -> Aggregate:
    """An aggregate that is the mean of these scores, or, without any, the reason why it is not measured.

    >>> mean_of("recall:speech", [0, 3], [1.0, 0.0], "no clip of speech").value
    0.5
    """
    if not len(scores):
        return not_measured(name, why_not)
    values = np.array(scores, dtype=float)
    return Aggregate(name, sum(values.tolist()) / len(values), len(values), at=np.array(at), scores=values)


def not_measured(name: str, why_not: str) -> Aggregate:
    """An aggregate without a value, and the reason."""
    return Aggregate(name, None, 0, why_not)


def check_one_arm(predictions: Sequence[Prediction]) -> None:
    """Make sure that predictions are of one model, condition and seed.

    Raises:
        InputError: they are of none, or of several.
    """
    arms = {(row.model, row.condition, row.seed) for row in predictions}
    if len(arms) != 1:
        raise InputError(f"predictions of {len(arms)} models, conditions and seeds; aggregates are of one")

"""Features: the numbers of a base's state that a learned gate weighs, standardised on the rows of its fit.

What is computed of a question depends on no other question of its batch, to the last bit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from safe_train.gates.states import States

CLAMP = 6.0  # standard deviations, beyond which a feature says no more

Features = Float64[ndarray, "questions features"]

# What a gate can see, by the name that gate.json gives it; each is one column or several.
FEATURES: Mapping[str, Callable[[States], Features]] = {
    "entropy": lambda states: states.entropy[:, None],
    "confidence": lambda states: states.confidence[:, None],
    "margin": lambda states: states.margin[:, None],
    "hidden": lambda states: states.hidden.astype(np.float64),
}


def features_of(states: States, names: Sequence[str]) -> Features:
    """The columns of these features, side by side.

    >>> from safe_train.gates.states import States
    >>> one = np.array([0.5])
    >>> features_of(States(one, one, one, np.zeros((1, 3), np.float32), 1.0), ("entropy", "hidden")).shape
    (1, 4)
    """
    return np.concatenate([FEATURES[name](states) for name in names], axis=1)


@dataclass(frozen=True)
class Standardised:
    """The mean and the standard deviation of each feature, over the rows that a gate was fitted on."""

    mean: Float64[ndarray, " features"]
    deviation: Float64[ndarray, " features"]

    def __call__(self, features: Features) -> Features:
        """The features in standard deviations from their mean, at most 6 away.

        >>> Standardised(np.array([1.0]), np.array([0.5]))(np.array([[2.0], [-99.0]])).tolist()
        [[2.0], [-6.0]]
        """
        return np.asarray(np.clip((features - self.mean) / self.deviation, -CLAMP, CLAMP))


def standardised_on(features: Features) -> Standardised:
    """The standardisation that these rows give; a feature that never differs is left out of account.

    >>> standardised_on(np.array([[1.0, 7.0], [3.0, 7.0]])).deviation.tolist()
    [1.0, 1.0]
    """
    deviation = features.std(axis=0)
    return Standardised(features.mean(axis=0), np.where(deviation > 1e-9, deviation, 1.0))


def weighed(features: Features, weights: Float64[ndarray, " features"]) -> Float64[ndarray, " questions"]:
    """Each row's sum of features times weights.

    A matrix product would be faster, and the last bits of a row would depend on how many rows there are.

    >>> weighed(np.array([[1.0, 2.0]]), np.array([3.0, 4.0])).tolist()
    [11.0]
    """
    return np.asarray((np.ascontiguousarray(features) * weights).sum(axis=1))

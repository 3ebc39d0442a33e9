"""Network: the few weights of a learned gate, read and run with NumPy alone.

    standardised features → (first: a hidden layer with ReLU) → last: one number for each output

Without `first` it is linear. What it computes of a question does not depend on the batch, to the last bit.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_train.gates.features import Features, Standardised, weighed

Weights = Mapping[str, Float64[ndarray, " *shape"]]  # the tensors of gate.safetensors

MEAN, DEVIATION = "mean", "deviation"
FIRST = "first.weight"  # there is a hidden layer where this is
_LAYERS = (FIRST, "first.bias"), ("last.weight", "last.bias")


@dataclass(frozen=True)
class Layer:
    """Weights, a row for each output, and a bias for each."""

    weight: Float64[ndarray, "outputs inputs"]
    bias: Float64[ndarray, " outputs"]

    def __call__(self, inputs: Float64[ndarray, "questions inputs"]) -> Float64[ndarray, "questions outputs"]:
        rows = [weighed(inputs, row) + bias for row, bias in zip(self.weight, self.bias, strict=True)]
        return np.stack(rows, axis=1)


@dataclass(frozen=True)
class Network:
    """How features are standardised, and the layers that weigh them."""

    standardised: Standardised
    first: Layer | None
    last: Layer

    def __call__(self, features: Features) -> Float64[ndarray, "questions outputs"]:
        """The outputs of each question, before any softmax or sigmoid.

        Raises:
            ValueError: there are more or fewer features than the network was fitted on.

        >>> one = Standardised(np.zeros(2), np.ones(2))
        >>> linear = Network(one, None, Layer(np.array([[1.0, -1.0]]), np.array([0.5])))
        >>> linear(np.array([[2.0, 1.0]])).tolist()
        [[1.5]]
        """
        wanted = self.standardised.mean.size
        if features.shape[1] != wanted:  # NumPy would stretch a single one over all
            raise ValueError(f"{features.shape[1]} features: this gate was fitted on {wanted}")
        inner = self.standardised(features)
        if self.first is not None:
            inner = np.maximum(self.first(inner), 0.0)
        return self.last(inner)

    @property
    def weights(self) -> dict[str, Float64[ndarray, " *shape"]]:
        """The tensors to store."""
        found: dict[str, Float64[ndarray, " *shape"]] = {
            MEAN: self.standardised.mean,
            DEVIATION: self.standardised.deviation,
        }
        for names, layer in zip(_LAYERS, (self.first, self.last), strict=True):
            if layer is not None:
                found |= zip(names, (layer.weight, layer.bias), strict=True)
        return found


def softmax(logits: Float64[ndarray, "questions outputs"]) -> Float64[ndarray, "questions outputs"]:
    """How likely each output is.

    >>> softmax(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True))


def network_from(weights: Weights, *, hidden: bool, outputs: int) -> Network:
    """The network that these tensors are of, with a hidden layer or without.

    Raises:
        InputError: a tensor is missing, is too many, or has a size that does not fit the others.
    """
    names = [MEAN, DEVIATION, *(_LAYERS[0] if hidden else ()), *_LAYERS[1]]
    if wrong := sorted(set(weights) ^ set(names)):
        raise InputError(f"tensors are {', '.join(sorted(weights))}; expected {', '.join(names)}: {wrong[0]}")
    width = weights[MEAN].size
    units = weights["first.bias"].size if hidden else width
    wanted = {MEAN: (width,), DEVIATION: (width,), "last.weight": (outputs, units), "last.bias": (outputs,)}
    if hidden:
        wanted |= {FIRST: (units, width), "first.bias": (units,)}
    for name, shape in wanted.items():
        if weights[name].shape != shape:
            raise InputError(f"{name} has the shape {list(weights[name].shape)}, expected {list(shape)}")
    if not (weights[DEVIATION] > 0).all():
        raise InputError("deviation is not above 0 everywhere")
    first = Layer(weights[FIRST], weights["first.bias"]) if hidden else None
    last = Layer(weights["last.weight"], weights["last.bias"])
    return Network(Standardised(weights[MEAN], weights[DEVIATION]), first, last)

"""int8: the matrices of a model in 8 bits by torchao, on any device, and the plain tensors they are made of.

Weights alone are rounded, each row of a matrix with a scale of its own; inputs keep their precision. torchao
can round inputs too, but without a compiler a CPU multiplies integers several times more slowly than floats.

**Source:** `Int8WeightOnlyConfig` of torchao: symmetric, one scale per row of the weight.
"""

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from safe_data.core.errors import require_extra


def int8_config() -> Any:
    """What torchao and transformers are told.

    Raises:
        InputError: torchao is not installed.
    """
    require_extra("int8", "quantize", "torchao")
    from torchao.quantization import Int8WeightOnlyConfig

    return Int8WeightOnlyConfig(
        set_inductor_config=False
    )  # else it changes a compiler for all of the process


def to_int8(module: nn.Module) -> None:
    """Give the linear layers of a module matrices of int8, in place; they can no longer be trained.

    Raises:
        InputError: torchao is not installed.
    """
    config = int8_config()
    from torchao.quantization import quantize_

    quantize_(module, config)


def is_divided(tensor: Tensor) -> bool:
    """Whether a tensor is made of several, such as integers and their scales.

    >>> import torch
    >>> is_divided(torch.zeros(2))
    False
    """
    return bool(is_traceable_wrapper_subclass(tensor))


def parts_of(tensor: Tensor) -> Iterator[Tensor]:
    """The plain tensors that a tensor is made of: itself, or integers and their scales.

    >>> import torch
    >>> [part.nbytes for part in parts_of(torch.zeros(2))]
    [8]
    """
    if not is_divided(tensor):
        yield tensor
        return
    names, _ = tensor.__tensor_flatten__()  # type: ignore[attr-defined]
    for name in names:
        yield from parts_of(getattr(tensor, name))


def floats_of(weight: Tensor) -> Tensor:
    """A weight as floating-point numbers: itself, or what its integers stand for."""
    if not is_divided(weight):
        return weight
    found: Tensor = weight.dequantize()
    return found

"""The gate: how much of what is heard reaches the model, from 0 (the untouched base) to 1."""

from collections.abc import Sequence

import torch
from jaxtyping import Float32
from torch import Tensor

from safe_data.core.errors import InputError

Gate = float | Sequence[float] | Tensor


def gate_values(gate: Gate, rows: int | None = None) -> Float32[Tensor, ""] | Float32[Tensor, " rows"]:
    """The gate as one number, or as one number a row of a batch.

    It is fixed for a whole request: a gate that changed between reading a prompt and writing the answer would
    leave the earlier value behind in the key-value cache.

    Raises:
        InputError: a value outside [0, 1] or not a number, or another count of values than rows.
    """
    values = torch.as_tensor(gate, dtype=torch.float32).detach()
    if values.dim() > 1 or (values.dim() == 1 and rows is not None and len(values) != rows):
        raise InputError(
            f"gate of shape {tuple(values.shape)} for {rows} rows; give one number, or one number a row"
        )
    wrong = values[~((values >= 0) & (values <= 1))]  # also catches NaN
    if wrong.numel():
        raise InputError(f"gate {wrong.flatten()[0].item():g} is outside [0, 1]; 0 is off and 1 is fully on")
    return values

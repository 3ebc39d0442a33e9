"""Gate: how much of the sound reaches the model, from 0 (the base unchanged) to 1."""

from collections.abc import Sequence

import torch
from jaxtyping import Float32
from torch import Tensor

from safe_data.core.errors import InputError

Gate = float | Sequence[float] | Tensor


def gate_values(gate: Gate, batch_size: int | None = None) -> Float32[Tensor, ""] | Float32[Tensor, " batch"]:
    """The gate as one number for the batch, or one number per prompt.

    It stays the same for a whole request. If it changed between the prompt and the answer, the key-value
    cache would still hold states made with the earlier value.

    Raises:
        InputError: a value is outside [0, 1] or NaN, or the number of values is not the batch size.
    """
    values = torch.as_tensor(gate, dtype=torch.float32).detach()
    if values.dim() > 1 or (values.dim() == 1 and batch_size is not None and len(values) != batch_size):
        raise InputError(
            f"gate of shape {tuple(values.shape)} for a batch of {batch_size}; "
            "give one number, or one per prompt"
        )
    wrong = values[~((values >= 0) & (values <= 1))]  # also catches NaN
    if wrong.numel():
        raise InputError(f"gate {wrong.flatten()[0].item():g} is outside [0, 1]; 0 is off and 1 is fully on")
    return values

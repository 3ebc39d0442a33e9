"""Processes: the precision that they compute in, and numbers that they add up."""

from collections.abc import Sequence

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, is_initialized
from accelerate.utils import is_bf16_available

from safe_data.core.errors import InputError
from safe_train.settings.learning import OptimConfig


def precision(optim: OptimConfig) -> str:
    """The mixed precision as accelerate calls it; the settings alone say it, not its environment.

    Raises:
        InputError: this device cannot compute in it.
    """
    wanted = optim.precision or "no"
    if wanted == "bf16" and not is_bf16_available(ignore_tpu=True):
        raise InputError(f"precision={wanted}: this device does not compute in bfloat16; leave it out")
    if is_initialized() and AcceleratorState().mixed_precision != wanted:
        AcceleratorState._reset_state()  # it would refuse a second precision in one process
    return wanted


def summed(accelerator: Accelerator, values: Sequence[float]) -> list[float]:
    """The sum of each value over all processes."""
    if accelerator.num_processes == 1:
        return list(values)
    tensor = torch.tensor(values, dtype=torch.float64, device=accelerator.device)
    found: list[float] = accelerator.reduce(tensor, "sum").tolist()
    return found

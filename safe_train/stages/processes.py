"""Processes: numbers that those of a training add up."""

from collections.abc import Sequence

import torch
from accelerate import Accelerator


def summed(accelerator: Accelerator, values: Sequence[float]) -> list[float]:
    """The sum of each value over all processes."""
    if accelerator.num_processes == 1:
        return list(values)
    tensor = torch.tensor(values, dtype=torch.float64, device=accelerator.device)
    found: list[float] = accelerator.reduce(tensor, "sum").tolist()
    return found

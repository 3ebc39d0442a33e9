"""Optimizer: AdamW with a learning rate each for the projectors, the cross-attentions and an adapted base.

Its state is saved as tensors with names such as `3.exp_avg`: the parameter's number, and what is kept of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from safe_train.pathway.model import AudioPathway
from safe_train.settings.learning import OptimConfig
from safe_train.stages.schedule import rate_at


def new_optimizer(
    pathway: AudioPathway, optim: OptimConfig, base: Sequence[nn.Parameter] = (), base_lr: float = 0.0
) -> torch.optim.Optimizer:
    """An optimizer of all weights of a pathway, and of those of the base that are trained."""
    groups: list[dict[str, Any]] = [
        {"name": "projector", "params": list(pathway.projectors.parameters()), "peak": optim.projector_lr},
        {"name": "fusion", "params": list(pathway.blocks.parameters()), "peak": optim.fusion_lr},
    ]
    if base:
        groups.append({"name": "base", "params": list(base), "peak": base_lr})
    return torch.optim.AdamW(groups, weight_decay=optim.weight_decay)


def set_rates(
    optimizer: torch.optim.Optimizer, step: int, steps: int, optim: OptimConfig
) -> dict[str, float]:
    """Set the learning rates of a step, and return them."""
    factor = rate_at(step, steps, warm_up=optim.warm_up_steps, kind=optim.schedule)
    rates = {}
    for group in optimizer.param_groups:
        group["lr"] = rates[f"{group['name']}_lr"] = factor * group["peak"]
    return rates


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """All that a resumed run needs, on the CPU: the rates follow from the step."""
    state = optimizer.state_dict()["state"]
    return {f"{n}.{key}": t.cpu().contiguous() for n, one in state.items() for key, t in one.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimizer the state that `optimizer_tensors` gave."""
    found = optimizer.state_dict()
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, key = name.partition(".")
        state.setdefault(int(number), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": found["param_groups"]})

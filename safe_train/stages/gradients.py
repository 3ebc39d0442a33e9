"""Gradients: how large they are in each component of the pathway, and what is wrong with them."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.utils import get_total_norm

from safe_train.pathway.model import SafeModel

VANISHING_NORM = 1e-7  # AdamW's epsilon of 1e-8 outweighs smaller gradients


def components_of(model: SafeModel) -> dict[str, nn.Module]:
    """The parts whose gradients are logged: each projector and cross-attention, and a trained base."""
    pathway = model.pathway
    projectors = {f"projector {number}": one for number, one in enumerate(pathway.projectors, 1)}
    layers = {f"layer {number}": block for number, block in pathway.blocks.items()}
    return projectors | layers | ({"base": model.adapted} if model.adaptation.weights else {})


def gradient_norms(components: Mapping[str, nn.Module]) -> dict[str, float]:
    """The L2 norm of each component's gradient, after `backward`; the device is waited for once.

    A component without a trainable parameter is left out.
    """
    norms: dict[str, torch.Tensor] = {}
    for name, module in components.items():
        trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
        gradients = [parameter.grad for parameter in trained if parameter.grad is not None]
        if trained:
            none = torch.zeros((), device=trained[0].device)
            norms[name] = get_total_norm(gradients).float() if gradients else none
    if not norms:
        return {}
    device = next(iter(norms.values())).device
    values = torch.stack([norm.to(device) for norm in norms.values()]).tolist()
    return dict(zip(norms, values, strict=True))


class GradientWatch:
    """Words what is wrong with gradients, once for each component.

    Args:
        base: the frozen model
        trained: its weights that are meant to be trained
        vanishing_from: the first step at which every component must have a gradient; an untrained pathway has
            zeros in its last matrices, so in its first steps nothing reaches what stands before them
    """

    def __init__(self, base: Any, *, vanishing_from: int, trained: Iterable[nn.Parameter] = ()) -> None:
        self._base, self._trained = base, {id(weight) for weight in trained}
        self._vanishing_from = vanishing_from
        self._told: set[tuple[str, str]] = set()

    def warnings(self, step: int, norms: Mapping[str, float]) -> list[str]:
        """What is wrong in this step and was not said before; `norms` are those of `gradient_norms`."""
        found: list[tuple[str, str, str]] = []
        for name, norm in norms.items():
            if not math.isfinite(norm):
                advice = "lower the learning rate, or train in float32"
                found.append((name, "not finite", f"the gradient of {name} is {norm}; {advice}"))
            elif norm < VANISHING_NORM and step >= self._vanishing_from:
                advice = "it learns nothing; is its gate closed, or has its loss no weight?"
                found.append((name, "vanishing", f"the gradient of {name} is {norm:.2g}; {advice}"))
        if frozen := self._frozen_with_gradient():
            more = f" and {len(frozen) - 1} more parameters" if len(frozen) > 1 else ""
            text = f"{frozen[0]}{more} of the frozen base got a gradient; freeze the base before training"
            found.append(("the base", "not frozen", text))
        new = [(name, kind, text) for name, kind, text in found if (name, kind) not in self._told]
        self._told |= {(name, kind) for name, kind, _ in new}
        return [f"step {step}: {text}" for _, _, text in new]

    def _frozen_with_gradient(self) -> list[str]:
        named = self._base.named_parameters()
        return [name for name, weight in named if weight.grad is not None and id(weight) not in self._trained]

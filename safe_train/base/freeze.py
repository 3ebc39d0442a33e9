"""Freeze: hold the base model still, and prove that nothing moved."""

import hashlib
from typing import Any

import msgspec
import torch

from safe_data.core.errors import InputError


def weights_sha256(model: Any) -> str:
    """The hash of all weights: names, types, shapes and bytes, in order of their names.

    It does not depend on how many files hold them, nor on the device.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


class FreezeAudit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an audit of the freeze found; equal before and after training, or the base was touched."""

    architecture: str
    parameters: int
    trainable_parameters: int
    weights_sha256: str


def freeze(model: Any) -> None:
    """Make no parameter trainable, and leave training mode: dropout would move a frozen model's answers."""
    model.requires_grad_(False)
    model.eval()


def audit_freeze(model: Any) -> FreezeAudit:
    """Count and hash what must not change.

    Raises:
        InputError: a parameter that would be trained, or a module in training mode.
    """
    trainable = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    if trainable:
        raise InputError(
            f"{type(model).__name__}: {len(trainable)} parameters of the base are trainable, the first is "
            f"{trainable[0]}; freeze the base before anything is trained beside it"
        )
    training = [name or "the model itself" for name, module in model.named_modules() if module.training]
    if training:
        raise InputError(
            f"{type(model).__name__}: {len(training)} modules of the base are in training mode, the first is "
            f"{training[0]}; dropout would move its answers, call eval()"
        )
    return FreezeAudit(
        architecture=type(model).__name__,
        parameters=sum(parameter.numel() for parameter in model.parameters()),
        trainable_parameters=0,
        weights_sha256=weights_sha256(model),
    )

"""Freeze: make the base model untrainable, and prove that nothing in it changed."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from math import prod
from typing import Any

import msgspec
import torch

from safe_data.core.errors import InputError
from safe_train.base.int8 import parts_of


class FreezeAudit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the audit found; if it differs before and after training, the base was changed."""

    architecture: str
    parameters: int
    trainable_parameters: int
    weights_sha256: str


def freeze(model: Any) -> None:
    """Make all parameters untrainable, and switch to eval mode: dropout would change the answers."""
    model.requires_grad_(False)
    model.eval()


def audit_freeze(model: Any) -> FreezeAudit:
    """Count the parameters and hash the weights.

    Raises:
        InputError: a parameter is trainable, or a module is in training mode.
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
        parameters=sum(map(_numbers, model.parameters())),
        trainable_parameters=0,
        weights_sha256=weights_sha256(model),
    )


def weights_sha256(model: Any) -> str:
    """Hash all weights: the hash of each tensor's name, type, shape and bytes, sorted by name.

    The hash does not depend on the device, nor on how many files hold the weights. Tensors are hashed on all
    cores.
    """
    tensors = sorted(model.state_dict().items())
    with ThreadPoolExecutor() as threads:
        digests = list(threads.map(partial(_digest, model), tensors))
    return hashlib.sha256(b"".join(digests)).hexdigest()


def _numbers(parameter: torch.Tensor) -> int:
    """How many numbers a parameter holds; bitsandbytes packs two of 4 bits into a byte."""
    shape = getattr(getattr(parameter, "quant_state", None), "shape", None)
    return parameter.numel() if shape is None else prod(shape)


def _digest(model: Any, named: tuple[str, torch.Tensor]) -> bytes:
    name, tensor = named
    tensor = _offloaded(model, name) if tensor.is_meta else tensor
    digest = hashlib.sha256(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
    for part in parts_of(tensor.detach()):
        data = part.cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        digest.update(data)  # type: ignore[arg-type]  # an array is a buffer
    return digest.digest()


def _offloaded(model: Any, name: str) -> torch.Tensor:
    """A weight that accelerate keeps in memory or on a disk until its module computes."""
    parts = name.split(".")
    for depth in range(len(parts) - 1, -1, -1):
        hook = getattr(model.get_submodule(".".join(parts[:depth])), "_hf_hook", None)
        for one in getattr(hook, "hooks", (hook,)):
            kept = getattr(one, "weights_map", None)
            if kept is not None:
                tensor: torch.Tensor = kept[".".join(parts[depth:])]
                return tensor
    raise ValueError(f"{name}: has no values, and accelerate keeps none for it")

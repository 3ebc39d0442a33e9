"""The frozen vision-language model: load it from its directory, find its decoder layers, audit the freeze."""

import hashlib
import sys
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import torch
from torch import nn

from safe_data.encoders.checkpoints import checkpoint_directory
from safe_data.errors import InputError

# Where the families of transformers keep the layers of what `get_decoder` returns: LLaMA and Qwen, OPT, T5.
_LAYER_PATHS = ("layers", "model.layers", "decoder.layers", "model.decoder.layers", "block", "decoder.block")
# What a checkpoint is made of: configurations, weights, tokenizer and templates. No code, no pickles.
_FILES = ["config.json", "*.safetensors", "*.json", "*.model", "*.txt", "*.jinja"]


class Backbone(NamedTuple):
    """A frozen model, and the processor that makes its inputs."""

    model: Any
    processor: Any


class FreezeAudit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What an audit of the freeze found; equal before and after training, or the base was touched."""

    architecture: str
    parameters: int
    trainable_parameters: int
    weights_sha256: str


def load_backbone(source: str | Path) -> Backbone:
    """Load a checkpoint directory or a hub id, in the precision it was saved in, and freeze it.

    Only safetensors are read and no code of the checkpoint is run.

    Raises:
        InputError: no such directory, or one that transformers cannot load a model and a processor from.
    """
    from transformers import AutoModelForImageTextToText, AutoProcessor

    quiet_unless_terminal()
    folder = checkpoint_directory(str(source), "vision-language", _FILES)
    if not (folder / "config.json").is_file():
        raise InputError(
            f"{folder}: holds no model checkpoint (config.json, *.safetensors and the processor's files); "
            "give a directory made by save_pretrained, or by `hf download NAME --local-dir DIR`"
        )
    try:
        processor = AutoProcessor.from_pretrained(folder, local_files_only=True)
        model = AutoModelForImageTextToText.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype="auto"
        )
    except (OSError, ValueError, KeyError) as error:
        raise InputError(f"{folder}: is not a vision-language model that can be loaded: {error}") from None
    freeze(model)
    return Backbone(model, processor)


def quiet_unless_terminal() -> None:
    """Have transformers draw its progress bars for people only, as ours are."""
    from transformers.utils import logging

    if not sys.stderr.isatty():
        logging.disable_progress_bar()


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


def weights_sha256(model: Any) -> str:
    """The hash of all weights: names, types, shapes and bytes, in order of their names.

    It does not depend on how many files hold them, nor on the device.
    """
    digest = hashlib.sha256()
    for name, tensor in sorted(model.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def decoder_layers(model: Any) -> nn.ModuleList:
    """The decoder's layers, in order; we count them from 1.

    Raises:
        InputError: a model whose layers are in none of the places known.
    """
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else model
    for path in _LAYER_PATHS:
        try:
            layers = attrgetter(path)(decoder)
        except AttributeError:
            continue
        if isinstance(layers, nn.ModuleList) and len(layers):
            return layers
    raise InputError(
        f"{type(model).__name__}: no decoder layers in {', '.join(_LAYER_PATHS)} of its "
        f"{type(decoder).__name__}; add where they are to safe_train/backbone.py"
    )

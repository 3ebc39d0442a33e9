"""Blueprint: a base and its audio pathway on the meta device, made from the model's config alone.

Nothing is allocated, and no weight is needed. The pathway is attached as in training.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from safe_data.core.errors import InputError
from safe_data.encoders.checkpoints import checkpoint_directory
from safe_train.pathway.model import AudioPathway, SafeModel, new_pathway
from safe_train.settings.pathway import PathwayConfig

META = torch.device("meta")


def read_model_config(source: str) -> Any:
    """The config of a model from a folder, a config.json, or a hub id, of which only the config is fetched.

    Raises:
        InputError: there is none, or transformers does not know its model.
    """
    from transformers import AutoConfig

    path = Path(source).expanduser()
    if not path.is_file():
        path = checkpoint_directory(source, "vision-language", ["config.json"]) / "config.json"
    if not path.is_file():
        raise InputError(f"{path.parent}: has no config.json; give the folder of a model, or its config.json")
    try:
        return AutoConfig.from_pretrained(path, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: is not the config of a model that can be loaded: {said}") from None


def stored_precision(config: Any) -> torch.dtype:
    """The precision of the weights as the config says; float32 where it does not."""
    return config.dtype or config.get_text_config(decoder=True).dtype or torch.float32


def blueprint(
    config: Any, pathway: PathwayConfig, shapes: Sequence[tuple[int, ...]], precision: torch.dtype
) -> SafeModel:
    """Make a base of a config and a new pathway for it, and attach it.

    Raises:
        InputError: it is no vision-language model, or an encoder-decoder, or it lacks a layer.
    """
    base = new_base(config, precision)
    with META:
        made = new_pathway(pathway, base, shapes, seed=0)
    return SafeModel(base, made)


def new_base(config: Any, precision: torch.dtype) -> Any:
    """Make a base of a config on the meta device.

    Raises:
        InputError: it is no vision-language model, or an encoder-decoder.
    """
    from transformers import AutoModelForImageTextToText

    try:
        with META:
            base = AutoModelForImageTextToText.from_config(config, dtype=precision)
    except (ValueError, TypeError, KeyError, AttributeError, RuntimeError) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(
            f"{type(config).__name__}: no vision-language model can be made of it: {said}"
        ) from None
    if base.config.is_encoder_decoder:
        raise InputError(
            f"{type(base).__name__} is an encoder-decoder: stage A trains it, but its counts and memory "
            "cannot be estimated here; audit a model with a decoder alone"
        )
    return base


def count_pathway(
    pathway: PathwayConfig, *, width: int, shapes: Sequence[tuple[int, ...]]
) -> tuple[int, dict[int, int]]:
    """The parameters of the projectors together, and of the cross-attention of each layer."""
    with META:
        made = AudioPathway(pathway, shapes=shapes, width=width)
    return size(made.projectors.parameters()), {
        number: size(made.block(number).parameters()) for number in pathway.layers
    }


def size(tensors: Any) -> int:
    """How many numbers these tensors hold."""
    return sum(tensor.numel() for tensor in tensors)


def nbytes(tensors: Sequence[Tensor]) -> int:
    """How many bytes these tensors hold; one that is shared counts once."""
    storages = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors}
    return sum(storages.values())

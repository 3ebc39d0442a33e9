"""Backbone: the frozen vision-language model, loaded from its directory, and its decoder layers."""

import sys
from dataclasses import asdict
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from torch import nn

from safe_data.core.errors import InputError
from safe_data.encoders.checkpoints import checkpoint_directory
from safe_eval.models.files import FILES
from safe_eval.models.processors import load_processor
from safe_train.base.freeze import freeze
from safe_train.base.loading import loading_options
from safe_train.settings.backbone import LoadingConfig

# Where the model families of transformers hold the layers of `get_decoder()`: LLaMA and Qwen, OPT, T5.
_LAYER_PATHS = ("layers", "model.layers", "decoder.layers", "model.decoder.layers", "block", "decoder.block")


class Backbone(NamedTuple):
    """A frozen model, the processor that prepares its inputs, and the folder that both are from."""

    model: Any
    processor: Any
    folder: Path


def load_backbone(source: str | Path, loading: LoadingConfig | None = None) -> Backbone:
    """Load a model from a directory or by its hub id, and freeze it.

    Only safetensors are read, and no code from the checkpoint is run.

    Raises:
        InputError: no such directory, transformers cannot load a model and a processor from it, or it cannot
            be loaded here as `loading` says.
    """
    quiet_unless_terminal()
    loading = loading or LoadingConfig()
    options = loading_options(loading)
    folder = backbone_folder(source)
    processor = load_processor(folder)
    try:
        model = model_class(folder).from_pretrained(
            folder, local_files_only=True, use_safetensors=True, **options
        )
    except (OSError, ValueError, KeyError, ImportError) as error:
        changed = {name: value for name, value in asdict(loading).items() if value not in (None, "auto")}
        how = f" with {', '.join(f'{name}={value}' for name, value in changed.items())}" if changed else ""
        raise InputError(
            f"{folder}: is not a vision-language model that can be loaded{how}: {error}"
        ) from None
    freeze(model)
    return Backbone(model, processor, folder)


def backbone_folder(source: str | Path) -> Path:
    """The folder of a model, from a directory or a hub id; nothing is loaded.

    Raises:
        InputError: there is no such directory or model, or it holds no checkpoint.
    """
    folder = checkpoint_directory(str(source), "vision-language", list(FILES))
    if not (folder / "config.json").is_file():
        raise InputError(
            f"{folder}: holds no model checkpoint (config.json, *.safetensors and the processor's files); "
            "give a directory made by save_pretrained, or by `hf download NAME --local-dir DIR`"
        )
    return folder


def quiet_unless_terminal() -> None:
    """Turn off the progress bars of transformers unless stderr is a terminal, as with our own."""
    from transformers.utils import logging

    if not sys.stderr.isatty():
        logging.disable_progress_bar()


def model_class(folder: Path) -> Any:
    """The class that loads a directory's model; of Qwen2.5-Omni, which speaks as well, its thinker."""
    import transformers

    config, _ = transformers.PreTrainedConfig.get_config_dict(folder, local_files_only=True)
    if config.get("model_type") == "qwen2_5_omni":
        return transformers.Qwen2_5OmniThinkerForConditionalGeneration
    return transformers.AutoModelForImageTextToText


def decoder_layers(model: Any) -> nn.ModuleList:
    """The decoder's layers in order; elsewhere they are numbered from 1.

    Raises:
        InputError: the model's layers are in none of the known places.
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
        f"{type(decoder).__name__}; add their place to safe_train/base/backbone.py"
    )

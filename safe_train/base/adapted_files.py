"""Adapted files: what was trained of a base, beside the adapter, as other libraries read it too.

    OUT/lora/   adapter_model.safetensors  adapter_config.json     PeftModel.from_pretrained(base, "OUT/lora")
    OUT/base/   config.json  model.safetensors, or several         from_pretrained("OUT/base")

A base that is frozen has neither. What hears is not in them: it is the adapter.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from safe_data.core.errors import InputError
from safe_data.core.files import committing_folder, explaining, write_bytes
from safe_eval.models.files import Hashes, base_files
from safe_train.base.adaptation import Adaptation, Lora, adapt, adapted_weights, load_adapted
from safe_train.settings.adaptation import AdaptationConfig

FOLDERS = {"lora": "lora", "full": "base"}
LORA_WEIGHTS = "adapter_model.safetensors"


def remove_adapted(out: Path) -> None:
    """Remove what an earlier run wrote."""
    for name in FOLDERS.values():
        shutil.rmtree(out / name, ignore_errors=True)


def save_adapted(out: Path, base: Any, adaptation: Adaptation, name: str) -> Hashes:
    """Write what was trained of a base, called `name`; return the hash of each file.

    Raises:
        InputError: the disk is full.
    """
    from safetensors.torch import save

    remove_adapted(out)
    if not adaptation.weights:
        return {}
    folder = out / FOLDERS["lora" if isinstance(adaptation, Lora) else "full"]
    with explaining(folder), committing_folder(folder) as part:
        if not isinstance(adaptation, Lora):
            base.save_pretrained(part)
        else:
            write_bytes(part / LORA_WEIGHTS, save(adapted_weights(adaptation), {"format": "pt"}))
            settings = replace(adaptation.config, base_model_name_or_path=name, inference_mode=True)
            settings.save_pretrained(str(part))  # as adapter_config.json
    return base_files(folder, quiet=True)


def check_adapted(out: Path, config: AdaptationConfig, expected: Hashes) -> None:
    """Check that the files are those that were written.

    Raises:
        InputError: one was changed, is missing or is new.
    """
    if config.base == "frozen":
        return
    folder = out / FOLDERS[config.base]
    found = base_files(folder, quiet=True)
    for name in sorted(found | expected):
        if found.get(name) != expected.get(name):
            kind = "is missing" if name not in found else "is new" if name not in expected else "was changed"
            raise InputError(f"{folder / name}: {kind} since it was written; copy or train it again")


def attach_adapted(out: Path, base: Any, config: AdaptationConfig) -> Adaptation:
    """Adapt a base as it was trained.

    Raises:
        InputError: the files do not fit the base or the settings.
    """
    if config.base == "frozen":
        return adapt(base, config)
    folder = out / FOLDERS[config.base]
    found = _updates(folder, config) if config.base == "lora" else _whole_model(folder, base)
    for name, tensor in found.items():
        if not tensor.isfinite().all():
            raise InputError(f"{folder}: {name} ({tensor.dtype}) is not all finite numbers; train it again")
    adaptation = adapt(base, config)
    if config.base == "full":
        found = {name: tensor for name, tensor in found.items() if name in adaptation.weights}
    try:
        load_adapted(adaptation, found)
    except InputError as error:
        adaptation.remove()
        raise InputError(f"{folder}: {error}") from None
    return adaptation


def _updates(folder: Path, config: AdaptationConfig) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / LORA_WEIGHTS
    try:
        found = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: is not a safetensors file: {error}") from None
    ranks = {len(tensor) for name, tensor in found.items() if ".lora_A." in name}
    if ranks != {config.lora_rank}:  # updates are made before they are compared
        wanted = f"config.json says {config.lora_rank}"
        raise InputError(f"{path}: holds updates of rank {sorted(ranks)}, {wanted}; train it again")
    return found


def _whole_model(folder: Path, base: Any) -> dict[str, Tensor]:
    """The weights of a trained model, in main memory; they are let go of once they are copied."""
    try:
        model = type(base).from_pretrained(folder, local_files_only=True, use_safetensors=True, dtype="auto")
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise InputError(f"{folder}: is no {type(base).__name__} that can be loaded: {error}") from None
    return {name: weight.detach() for name, weight in model.named_parameters()}

"""offered: `safe:CHECKPOINT` for safe-eval, by the entry point that pyproject.toml names."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safe_data.core.errors import InputError, did_you_mean
from safe_data.core.options_file import OPTIONS
from safe_data.core.yaml_file import read_yaml
from safe_eval.models.model import Model
from safe_eval.run_options import ModelOptions
from safe_train.base.backbone import backbone_folder, load_backbone
from safe_train.checkpoint import Checkpoint, read_checkpoint
from safe_train.predict.predict import facts_of_run, load_predictor, wanted_encoders
from safe_train.settings.predict import SAFE, PredictConfig

_OPTIONS = ("dtype", "device_map", "quantization", "pathway_precision", "attention", "gate")
_TEXTS = ("backbone", "encoder", *_OPTIONS)
_NUMBERS = ("answer_tokens", "tokens")
_FLAGS = ("without_base", "allow_other_dataset", "influence")
_KNOWN = (*_TEXTS, *_NUMBERS, *_FLAGS)


def load_safe(place: str, options: ModelOptions) -> Sequence[Model]:
    """The model of a checkpoint, and its base, which is asked under `full` alone.

    `--arg backbone=DIR` says where the base is (default: where it was in training). The others are options of
    `safe-train predict` with their values, such as `--arg without_base=true` or `--arg encoder=clap:DIR`.

    Raises:
        InputError: the checkpoint cannot be read or does not fit the base, or an argument is unknown.
    """
    import torch
    from accelerate import PartialState

    settings = _settings(options)
    checkpoint = read_checkpoint(Path(place))
    backbone = settings.get("backbone") or _backbone_of(checkpoint)
    config = _config(settings, options)
    state = PartialState(cpu=not torch.accelerator.is_available())
    predictor = load_predictor(
        checkpoint,
        load_backbone(backbone, config.loading(checkpoint.config.loading)),
        wanted_encoders(checkpoint, config.encoders),
        config,
        state,
        facts_of_run(checkpoint, backbone_folder(backbone), config, state),
    )
    return [predictor] if config.without_base else [predictor, predictor.base]


def _settings(options: ModelOptions) -> dict[str, str]:
    found = options.args
    for name in found:
        if name not in _KNOWN:
            hint = did_you_mean(name, _KNOWN, f"there are {', '.join(_KNOWN)}")
            raise InputError(f"--arg {name}: is no setting of a checkpoint; {hint}")
    for name in _FLAGS:
        if found.get(name, "false") not in ("true", "false"):
            raise InputError(f"--arg {name}={found[name]}: write true or false")
    usual = ModelOptions()
    for name in ("system", "template", "max_tokens"):
        if getattr(options, name) != getattr(usual, name):
            option = name.replace("_", "-")
            raise InputError(f"--{option}: a checkpoint is asked as in training; leave it out")
    return found


def _config(settings: dict[str, str], options: ModelOptions) -> PredictConfig:
    given: dict[str, Any] = {name: settings[name] for name in _OPTIONS if name in settings}
    given |= {name: settings.get(name, "false") == "true" for name in _FLAGS}
    for name in _NUMBERS:
        if (number := settings.get(name)) is not None:
            if not number.isdecimal():
                raise InputError(f"--arg {name}={number}: write a whole number")
            given[name] = int(number)
    return PredictConfig(
        name=options.name or SAFE,
        encoders=tuple(filter(None, settings.get("encoder", "").split(","))),
        batch_size=options.batch_size,
        latency=options.latency,
        **given,
    )


def _backbone_of(checkpoint: Checkpoint) -> str:
    """Where the base was in training; a folder, as what a stranger's checkpoint names is not fetched."""
    file = checkpoint.folder / OPTIONS
    written = read_yaml(file)[1] if file.is_file() else None
    section = written.get("backbone") if isinstance(written, dict) else None
    source = section.get("source") if isinstance(section, dict) else None
    if not isinstance(source, str) or not Path(source).is_dir():
        raise InputError(f"{checkpoint.folder}: say where its base is with --arg backbone=DIR")
    return source

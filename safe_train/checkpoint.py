"""Checkpoint: the trained audio pathway and what it belongs to; none of the frozen base's weights.

    OUT/adapter.safetensors  config.json
    OUT/lora/ or OUT/base/                  of the baselines that train the base: see base/adapted_files.py

A checkpoint fits exactly one base and one set of encoders, and names the datasets it was trained on.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import torch
from torch import Tensor

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256, write_bytes, write_json
from safe_data.core.options_file import installed_versions
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import read_dataset
from safe_eval.models.files import Hashes, base_files, check_base
from safe_train.base.adapted_files import attach_adapted, check_adapted
from safe_train.base.backbone import Backbone
from safe_train.pathway.model import AudioPathway, SafeModel, hidden_width
from safe_train.pathway.precision import lower
from safe_train.settings.adaptation import AdaptationConfig
from safe_train.settings.backbone import AskingConfig, LoadingConfig, PathwayPrecision
from safe_train.settings.learning import LossConfig, OptimConfig
from safe_train.settings.pathway import PathwayConfig

FORMAT_VERSION = 3
WEIGHTS, CONFIG = "adapter.safetensors", "config.json"
_LIBRARIES = ("safe-hearing", "torch", "transformers", "accelerate")


class UsedEncoder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An encoder whose embeddings the pathway hears; `source` loads it again, such as `clap:DIRECTORY`."""

    name: str
    fingerprint: str
    shape: tuple[int, ...]
    sample_rate_hz: int
    source: str | None = None


class TrainedOn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A dataset that a checkpoint was trained on."""

    name: str
    fingerprint: str
    split: str
    records: int


class TrainedFor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base that a checkpoint was trained for: the sha256 of each of its files, and of its weights.

    The weights were hashed before and after training, and were the same, unless the base itself was trained.
    """

    name: str
    architecture: str
    files: Hashes
    parameters: int
    weights_sha256: str


class AdaptedBase(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was trained of the base itself: how, how many weights, and the hash of each file of them.

    `weights_sha256` is the hash of the base's weights after training: of `lora`, whose updates are beside the
    base, the one from before.
    """

    settings: AdaptationConfig
    parameters: int
    files: Hashes
    weights_sha256: str


class CheckpointConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of config.json."""

    format_version: int
    pathway: PathwayConfig
    encoders: tuple[UsedEncoder, ...]
    datasets: tuple[TrainedOn, ...]
    base: TrainedFor
    loading: LoadingConfig
    asking: AskingConfig
    loss: LossConfig
    optim: OptimConfig
    seed: int
    step: int
    weights_sha256: str
    trained_parameters: int
    versions: dict[str, str]
    adapted: AdaptedBase | None = None


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint read from disk."""

    folder: Path
    config: CheckpointConfig
    weights: dict[str, Tensor]


def save_checkpoint(
    folder: Path,
    pathway: AudioPathway,
    *,
    encoders: Sequence[UsedEncoder],
    datasets: Sequence[TrainedOn],
    base: TrainedFor,
    loss: LossConfig,
    optim: OptimConfig,
    seed: int,
    step: int,
    loading: LoadingConfig | None = None,
    asking: AskingConfig | None = None,
    adapted: AdaptedBase | None = None,
) -> CheckpointConfig:
    """Write adapter.safetensors and then config.json into a folder."""
    from safetensors.torch import save

    (folder / CONFIG).unlink(missing_ok=True)  # an old config must not describe new weights
    weights = pathway_weights(pathway)
    data = save(weights)
    write_bytes(folder / WEIGHTS, data)
    trained = sum(p.numel() for p in pathway.parameters() if p.requires_grad)
    trained += adapted.parameters if adapted else 0
    config = CheckpointConfig(
        format_version=FORMAT_VERSION,
        pathway=pathway.config,
        encoders=tuple(encoders),
        datasets=tuple(datasets),
        base=base,
        loading=loading or LoadingConfig(),
        asking=asking or AskingConfig(),
        loss=loss,
        optim=optim,
        seed=seed,
        step=step,
        weights_sha256=hashlib.sha256(data).hexdigest(),
        trained_parameters=trained if step else 0,
        versions=installed_versions(_LIBRARIES),
        adapted=adapted,
    )
    write_json(folder / CONFIG, config)
    return config


def pathway_weights(pathway: AudioPathway) -> dict[str, Tensor]:
    """The weights of a pathway on the CPU, as they are stored."""
    return {name: tensor.detach().cpu().contiguous() for name, tensor in pathway.state_dict().items()}


def used_encoders(datasets: Sequence[ShardDataset]) -> tuple[UsedEncoder, ...]:
    """The encoders of the embeddings that these datasets were opened with."""
    used = []
    for one in datasets:
        entry = one.encoder or {}
        facts = {name: entry[name] for name in ("name", "fingerprint", "shape", "sample_rate_hz")}
        used.append(UsedEncoder(**facts, source=one.encoder_source))
    return tuple(used)


def read_checkpoint(folder: Path) -> Checkpoint:
    """Read a checkpoint. No encoder is loaded.

    Raises:
        InputError: there is no checkpoint, or it is damaged or of another format.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / CONFIG
    if not path.is_file() or not (folder / WEIGHTS).is_file():
        raise InputError(
            f"{folder}: holds no checkpoint ({CONFIG} and {WEIGHTS}); make one with `safe-train stage-a`"
        )
    config = read_config(path)
    if config.adapted:
        check_adapted(folder, config.adapted.settings, config.adapted.files)
    found = file_sha256(folder / WEIGHTS)
    if found != config.weights_sha256:
        raise InputError(
            f"{folder / WEIGHTS}: has sha256 {found[:12]}…, {CONFIG} says {config.weights_sha256[:12]}…; "
            "the file was changed or cut off, copy or train it again"
        )
    try:
        weights = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise InputError(f"{folder / WEIGHTS}: is not a safetensors file: {error}") from None
    _check_numbers(folder / WEIGHTS, weights)
    return Checkpoint(folder, config, weights)


def _check_numbers(path: Path, weights: dict[str, Tensor]) -> None:
    """Refuse weights that PyTorch would compute with in silence: attention makes 0 of NaN."""
    for name, tensor in weights.items():
        if not tensor.is_floating_point() or not tensor.isfinite().all():
            raise InputError(f"{path}: {name} ({tensor.dtype}) is not all finite numbers; train it again")
    if len(kinds := {str(tensor.dtype) for tensor in weights.values()}) > 1:
        raise InputError(f"{path}: holds weights of {' and '.join(sorted(kinds))}; train it again")


def read_config(path: Path) -> CheckpointConfig:
    """Read config.json alone.

    Raises:
        InputError: it is not there, damaged or of another format.
    """
    try:
        found = msgspec.json.decode(path.read_bytes())
        version = found.get("format_version") if isinstance(found, dict) else None
        if isinstance(version, int) and version != FORMAT_VERSION:
            raise InputError(
                f"{path}: is of format {version}; this version reads {FORMAT_VERSION}; train it again"
            )
        return msgspec.convert(found, CheckpointConfig)
    except FileNotFoundError:
        raise InputError(f"{path}: is not there; give the folder of a checkpoint") from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: is not a checkpoint's configuration: {error}; train it again") from None


def attach_checkpoint(
    checkpoint: Checkpoint, backbone: Backbone, precision: PathwayPrecision = "float32"
) -> SafeModel:
    """Attach a checkpoint's pathway to the base it was trained for, in a precision, to answer with it.

    Raises:
        InputError: it was trained for another base, or config.json does not fit its weights; or torchao is
            not installed for int8.
    """
    config, base = checkpoint.config, backbone.model
    where = f"{checkpoint.folder}: was trained for {config.base.name} ({config.base.architecture})"
    check_base(base_files(backbone.folder), config.base.files, here=str(backbone.folder), where=where)
    shapes = [encoder.shape for encoder in config.encoders]
    if config.pathway.depth > len(checkpoint.weights):  # layers are made before they are compared
        raise InputError(
            f"{checkpoint.folder}: {CONFIG} says depth {config.pathway.depth}, and {WEIGHTS} holds only "
            f"{len(checkpoint.weights)} tensors; train it again"
        )
    try:
        with torch.device("meta"):
            pathway = AudioPathway(config.pathway, shapes=shapes, width=hidden_width(base), seed=config.seed)
    except (RuntimeError, TypeError, OverflowError) as error:
        reason = str(error).partition("\n")[0]  # PyTorch adds its own stack
        raise InputError(f"{checkpoint.folder}: {CONFIG} describes what cannot be made: {reason}") from None
    expected = {name: tuple(tensor.shape) for name, tensor in pathway.state_dict().items()}
    stored = {name: tuple(tensor.shape) for name, tensor in checkpoint.weights.items()}
    if expected != stored:
        wrong = sorted(name for name in expected | stored if expected.get(name) != stored.get(name))
        raise InputError(f"{checkpoint.folder}: weights and {CONFIG} disagree about {', '.join(wrong[:3])}")
    # In a safetensors file, weights lie at any byte, and what a matrix product gives can depend on it.
    weights = {name: tensor.clone() for name, tensor in checkpoint.weights.items()}
    pathway.load_state_dict(weights, assign=True)
    lower(pathway, precision)
    adapted = config.adapted
    adaptation = attach_adapted(checkpoint.folder, base, adapted.settings) if adapted else None
    return SafeModel(base, pathway.eval(), adaptation, folds=True)


def check_dataset(checkpoint: Checkpoint, dataset: ShardDataset, *, allow_other: bool) -> None:
    """Check that the checkpoint was trained on this dataset; `allow_other` allows any other.

    Raises:
        InputError: another dataset; or, even if allowed, embeddings by another version of an encoder.
    """
    stored = read_dataset(dataset.root).encoders
    for used in checkpoint.config.encoders:
        versions = [found.fingerprint for found in stored if found.name == used.name]
        if versions and used.fingerprint not in versions:
            raise InputError(
                f"{checkpoint.folder}: was trained on embeddings of {used.name} {used.fingerprint}, "
                f"{dataset.root} has embeddings of {versions[0]}; train again, or build the dataset "
                "with the same encoder"
            )
    trained = checkpoint.config.datasets
    if not allow_other and dataset.fingerprint not in [one.fingerprint for one in trained]:
        names = ", ".join(f"{one.name} {one.fingerprint[:12]}…" for one in trained)
        raise InputError(
            f"{checkpoint.folder}: was trained on {names}, {dataset.root} "
            f"is {dataset.name} {dataset.fingerprint[:12]}…; add --allow-other-dataset to answer it anyway "
            "(safe-eval run: --arg allow_other_dataset=true)"
        )

"""Checkpoint: the trained audio pathway and what it belongs to; none of the base's weights.

    OUT/adapter.safetensors  config.json

A checkpoint fits exactly one base and one encoder, and names the dataset it was trained on.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from torch import Tensor

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256, write_bytes, write_json
from safe_data.core.options_file import installed_versions
from safe_data.encoders.encoder import AudioEncoder, load_encoder
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import Encoding, read_dataset
from safe_train.base.freeze import weights_sha256
from safe_train.config import PathwayConfig, StageAConfig
from safe_train.pathway.model import AudioPathway, SafeModel, hidden_width

FORMAT_VERSION = 1
WEIGHTS, CONFIG = "adapter.safetensors", "config.json"
_LIBRARIES = ("safe-hearing", "torch", "transformers", "accelerate")


class TrainedOn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The dataset that a checkpoint was trained on."""

    name: str
    fingerprint: str
    split: str
    records: int


class TrainedFor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base that a checkpoint was trained for."""

    name: str
    architecture: str
    weights_sha256: str


class CheckpointConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The content of config.json."""

    format_version: int
    pathway: PathwayConfig
    encoder: Encoding
    dataset: TrainedOn
    base: TrainedFor
    stage_a: StageAConfig
    weights_sha256: str
    trained_parameters: int
    versions: dict[str, str]


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint read from disk, and the encoder that it needs."""

    folder: Path
    config: CheckpointConfig
    encoder: AudioEncoder
    weights: dict[str, Tensor]


def save_checkpoint(
    folder: Path, pathway: AudioPathway, dataset: ShardDataset, base: TrainedFor, stage_a: StageAConfig
) -> CheckpointConfig:
    """Write adapter.safetensors and then config.json into a folder."""
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).unlink(missing_ok=True)  # an old config must not describe new weights
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in pathway.state_dict().items()}
    data = save(weights)
    write_bytes(folder / WEIGHTS, data)
    config = CheckpointConfig(
        format_version=FORMAT_VERSION,
        pathway=pathway.config,
        encoder=msgspec.convert(dataset.encoder, Encoding),
        dataset=TrainedOn(dataset.name, dataset.fingerprint, dataset.split, len(dataset)),
        base=base,
        stage_a=stage_a,
        weights_sha256=hashlib.sha256(data).hexdigest(),
        trained_parameters=sum(tensor.numel() for tensor in weights.values()),
        versions=installed_versions(_LIBRARIES),
    )
    write_json(folder / CONFIG, config)
    return config


def read_checkpoint(folder: Path, encoder: str | None = None) -> Checkpoint:
    """Read a checkpoint and load its encoder; `encoder` says how, if its name in config.json is not enough.

    Raises:
        InputError: no checkpoint, a damaged one, or its encoder is not to be had in the same version.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / CONFIG
    if not path.is_file() or not (folder / WEIGHTS).is_file():
        raise InputError(
            f"{folder}: holds no checkpoint ({CONFIG} and {WEIGHTS}); make one with `safe-train stage-a`"
        )
    try:
        config = msgspec.json.decode(path.read_bytes(), type=CheckpointConfig)
    except (msgspec.MsgspecError, UnicodeDecodeError, InputError) as error:
        raise InputError(f"{path}: is not a checkpoint's configuration: {error}; train it again") from None
    if config.format_version != FORMAT_VERSION:
        raise InputError(f"{path}: is of format {config.format_version}; this version reads {FORMAT_VERSION}")
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
    return Checkpoint(folder, config, _load_encoder(path, config.encoder, encoder), weights)


def _load_encoder(path: Path, wanted: Encoding, spec: str | None) -> AudioEncoder:
    encoder = load_encoder(spec or wanted.name)
    if encoder.fingerprint != wanted.fingerprint or len(wanted.shape) != 1:
        raise InputError(
            f"{path}: takes embeddings of {wanted.name} {wanted.fingerprint}, the encoder here is "
            f"{encoder.name} {encoder.fingerprint}; give the right one with --encoder, or train it again"
        )
    return encoder


def attach_checkpoint(checkpoint: Checkpoint, base: Any) -> SafeModel:
    """Attach a checkpoint's pathway to the base it was trained for.

    Raises:
        InputError: it was trained for another base, or config.json does not fit its weights.
    """
    trained_for = checkpoint.config.base
    found = weights_sha256(base)
    if found != trained_for.weights_sha256:
        raise InputError(
            f"{checkpoint.folder}: was trained for {trained_for.name} with weights "
            f"{trained_for.weights_sha256[:12]}…, this {type(base).__name__} has {found[:12]}…; "
            "give the base it was trained for with --backbone"
        )
    with torch.device("meta"):
        pathway = AudioPathway(
            checkpoint.config.pathway,
            embedding_dims=checkpoint.config.encoder.shape[0],
            width=hidden_width(base),
        )
    expected = {name: tuple(tensor.shape) for name, tensor in pathway.state_dict().items()}
    stored = {name: tuple(tensor.shape) for name, tensor in checkpoint.weights.items()}
    if expected != stored:
        wrong = sorted(name for name in expected | stored if expected.get(name) != stored.get(name))
        raise InputError(f"{checkpoint.folder}: weights and {CONFIG} disagree about {', '.join(wrong[:3])}")
    pathway.load_state_dict(checkpoint.weights, assign=True)
    return SafeModel(base, pathway.eval().to(base.device))


def check_dataset(checkpoint: Checkpoint, dataset: ShardDataset, *, allow_other: bool) -> None:
    """Check that the checkpoint was trained on this dataset; `allow_other` allows any other.

    Raises:
        InputError: another dataset; or, even if allowed, embeddings by another version of the encoder.
    """
    trained, encoder = checkpoint.config.dataset, checkpoint.config.encoder
    for found in read_dataset(dataset.root).encoders:
        if found.name == encoder.name and found.fingerprint != encoder.fingerprint:
            raise InputError(
                f"{checkpoint.folder}: was trained on embeddings of {encoder.name} {encoder.fingerprint}, "
                f"{dataset.root} has embeddings of {found.fingerprint}; train again, or build the dataset "
                "with the same encoder"
            )
    if not allow_other and trained.fingerprint != dataset.fingerprint:
        raise InputError(
            f"{checkpoint.folder}: was trained on {trained.name} {trained.fingerprint[:12]}…, {dataset.root} "
            f"is {dataset.name} {dataset.fingerprint[:12]}…; add --allow-other-dataset to answer it anyway"
        )

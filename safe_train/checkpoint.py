"""A checkpoint: the audio pathway's weights and what they belong to; never a weight of the base.

    OUT/adapter.safetensors  config.json

It fits one base and one encoder, to the byte, and says which dataset it was trained on.
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
    """The dataset of a checkpoint."""

    name: str
    fingerprint: str
    split: str
    records: int


class TrainedFor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The base of a checkpoint."""

    name: str
    architecture: str
    weights_sha256: str


class Facts(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
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
    """A checkpoint that was read, with the encoder whose embeddings it takes."""

    folder: Path
    facts: Facts
    encoder: AudioEncoder
    weights: dict[str, Tensor]


def save_checkpoint(
    folder: Path, pathway: AudioPathway, dataset: ShardDataset, base: TrainedFor, stage_a: StageAConfig
) -> Facts:
    """Write the pathway's weights, and then the facts that make them usable."""
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).unlink(missing_ok=True)  # old facts must not describe new weights
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in pathway.state_dict().items()}
    data = save(weights)
    write_bytes(folder / WEIGHTS, data)
    facts = Facts(
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
    write_json(folder / CONFIG, facts)
    return facts


def read_checkpoint(folder: Path, encoder: str | None = None) -> Checkpoint:
    """Read a checkpoint from disk; `encoder` says how to load its encoder where the name is not enough.

    Raises:
        InputError: no checkpoint, a damaged one, or one for an encoder that is not installed in that version.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = folder / CONFIG
    if not path.is_file() or not (folder / WEIGHTS).is_file():
        raise InputError(
            f"{folder}: holds no checkpoint ({CONFIG} and {WEIGHTS}); make one by `safe-train stage-a`"
        )
    try:
        facts = msgspec.json.decode(path.read_bytes(), type=Facts)
    except (msgspec.MsgspecError, UnicodeDecodeError, InputError) as error:
        raise InputError(f"{path}: is not a checkpoint's facts: {error}; train it again") from None
    if facts.format_version != FORMAT_VERSION:
        raise InputError(f"{path}: is of format {facts.format_version}; this version reads {FORMAT_VERSION}")
    found = file_sha256(folder / WEIGHTS)
    if found != facts.weights_sha256:
        raise InputError(
            f"{folder / WEIGHTS}: has sha256 {found[:12]}…, {CONFIG} says {facts.weights_sha256[:12]}…; "
            "the file was changed or cut off, copy or train it again"
        )
    try:
        weights = load_file(folder / WEIGHTS)
    except SafetensorError as error:
        raise InputError(f"{folder / WEIGHTS}: is not a safetensors file: {error}") from None
    return Checkpoint(folder, facts, _encoder(path, facts.encoder, encoder), weights)


def attach_checkpoint(checkpoint: Checkpoint, base: Any, sha256: str | None = None) -> SafeModel:
    """The base with the checkpoint's pathway on it; `sha256` of the base's weights where it is already known.

    Raises:
        InputError: another base than it was trained for, or weights of other shapes than its config says.
    """
    trained_for = checkpoint.facts.base
    found = sha256 or weights_sha256(base)
    if found != trained_for.weights_sha256:
        raise InputError(
            f"{checkpoint.folder}: was trained for {trained_for.name} with weights "
            f"{trained_for.weights_sha256[:12]}…, this {type(base).__name__} has {found[:12]}…; "
            "give the base it was trained for by --backbone"
        )
    with torch.device("meta"):
        pathway = AudioPathway(
            checkpoint.facts.pathway,
            embedding_dims=checkpoint.facts.encoder.shape[0],
            width=hidden_width(base),
        )
    expected = {name: tuple(tensor.shape) for name, tensor in pathway.state_dict().items()}
    there = {name: tuple(tensor.shape) for name, tensor in checkpoint.weights.items()}
    if expected != there:
        odd = sorted(name for name in expected | there if expected.get(name) != there.get(name))
        raise InputError(f"{checkpoint.folder}: weights and {CONFIG} disagree about {', '.join(odd[:3])}")
    pathway.load_state_dict(checkpoint.weights, assign=True)
    return SafeModel(base, pathway.eval().to(base.device))


def check_dataset(checkpoint: Checkpoint, dataset: ShardDataset, *, allow_other: bool) -> None:
    """Make sure that the checkpoint was trained on this dataset, unless another one is meant.

    Raises:
        InputError: another dataset, or one whose embeddings are of another version of the encoder (always).
    """
    trained, encoder = checkpoint.facts.dataset, checkpoint.facts.encoder
    for found in read_dataset(dataset.root).encoders:
        if found.name == encoder.name and found.fingerprint != encoder.fingerprint:
            raise InputError(
                f"{checkpoint.folder}: was trained on embeddings of {encoder.name} {encoder.fingerprint}, "
                f"those of {dataset.root} are of {found.fingerprint}; train again, or build the dataset "
                "with the same encoder"
            )
    if not allow_other and trained.fingerprint != dataset.fingerprint:
        raise InputError(
            f"{checkpoint.folder}: was trained on {trained.name} {trained.fingerprint[:12]}…, {dataset.root} "
            f"is {dataset.name} {dataset.fingerprint[:12]}…; add --allow-other-dataset to answer it still"
        )


def _encoder(path: Path, wanted: Encoding, spec: str | None) -> AudioEncoder:
    encoder = load_encoder(spec or wanted.name)
    if encoder.fingerprint != wanted.fingerprint or len(wanted.shape) != 1:
        raise InputError(
            f"{path}: takes embeddings of {wanted.name} {wanted.fingerprint}, the encoder here is "
            f"{encoder.name} {encoder.fingerprint}; give its own by --encoder, or train it anew"
        )
    return encoder

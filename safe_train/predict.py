"""Predict: have a SAFE checkpoint and its base answer a dataset, as models that safe_eval can question."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy import ndarray
from torch import Tensor

from safe_data.core.errors import InputError
from safe_data.encoders.encoder import AudioEncoder, load_encoder
from safe_data.media.sound import resample
from safe_data.shards.dataset import ShardDataset
from safe_eval.models.model import Answer, Input
from safe_eval.prediction import Prediction
from safe_eval.predictions import write_predictions
from safe_eval.runner.run import run
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.dialogue import Dialogue
from safe_train.base.prompts import Prompts
from safe_train.checkpoint import Checkpoint, attach_checkpoint, check_dataset, read_checkpoint
from safe_train.config import CONDITIONS, PredictConfig
from safe_train.pathway.model import SafeModel


def predict_dataset(
    checkpoint: Path, shards: Path, *, backbone: str | Path, out: Path, config: PredictConfig | None = None
) -> list[Prediction]:
    """Have a checkpoint answer a split under each condition, and its base once; return what was written.

    If an example fails, its prediction holds the error. `backbone` is a directory or a hub id.

    Raises:
        InputError: the checkpoint does not fit the backbone, encoder or dataset, or every example fails.
    """
    from accelerate import PartialState

    config = config or PredictConfig()
    read = read_checkpoint(checkpoint)
    encoder = load_used_encoder(read, config.encoder)
    dataset = ShardDataset(shards, config.split)
    check_dataset(read, dataset, allow_other=config.allow_other_dataset)
    loaded = load_backbone(backbone)
    loaded.model.to(PartialState().device)
    model = attach_checkpoint(read, loaded)
    rows = list(
        predictions(
            model,
            loaded,
            encoder,
            dataset,
            config.conditions,
            seed=config.seed,
            batch_size=config.batch_size,
        )
    )
    write_predictions(out, rows)
    return rows


def predictions(
    model: SafeModel,
    backbone: Backbone,
    encoder: AudioEncoder,
    dataset: ShardDataset,
    conditions: Sequence[str] = CONDITIONS,
    *,
    seed: int = 0,
    batch_size: int = 32,
) -> Iterator[Prediction]:
    """Yield the base's answers to a split, given no sound, and then SAFE's under each condition.

    `backbone` may share its model with `model`: outside SAFE's requests it is the plain base.
    """
    prompts = Prompts(backbone.processor)
    base = BasePredictor(backbone.model, backbone.processor, prompts)
    yield from run(base, dataset, ["full"], seed=seed, batch_size=batch_size)
    safe = SafePredictor(model, backbone.processor, encoder, prompts)
    yield from run(safe, dataset, conditions, seed=seed, batch_size=batch_size)


def load_used_encoder(checkpoint: Checkpoint, spec: str | None = None) -> AudioEncoder:
    """Load the encoder of a checkpoint; `spec` says how, if its source in config.json is not enough.

    Raises:
        InputError: it is not to be had in the same version.
    """
    (wanted,) = checkpoint.config.encoders
    encoder = load_encoder(spec or wanted.source or wanted.name)
    if encoder.fingerprint != wanted.fingerprint:
        raise InputError(
            f"{checkpoint.folder}: takes embeddings of {wanted.name} {wanted.fingerprint}, this one is "
            f"{encoder.name} {encoder.fingerprint}; give the right one with --encoder, or train it again"
        )
    return encoder


class BasePredictor:
    """The base alone as a safe_eval Model: it gets the picture and the question, never the sound."""

    name = "base"

    def __init__(self, base: Any, processor: Any, prompts: Prompts | None = None) -> None:
        self._dialogue = Dialogue(base, processor, prompts)

    def answer(self, inputs: Sequence[Input]) -> list[Answer]:
        """Answer each input."""
        made = self._dialogue.generate(self._dialogue.encode(inputs))
        return [self._dialogue.read(made, row, given, audio_tokens=0) for row, given in enumerate(inputs)]


class SafePredictor:
    """The base with a trained pathway as a safe_eval Model: it also gets the sound, and the input's gate."""

    name = "safe"

    def __init__(
        self, model: SafeModel, processor: Any, encoder: AudioEncoder, prompts: Prompts | None = None
    ) -> None:
        self._model = model
        self._dialogue = Dialogue(model.base, processor, prompts)
        self._encoder = encoder

    def answer(self, inputs: Sequence[Input]) -> list[Answer]:
        """Answer each input; one without a sound is answered with the gate closed."""
        prompts = self._dialogue.encode(inputs)
        gates = [0.0 if given.audio is None else given.gate for given in inputs]
        with self._model.fuse(audio=self.embed(inputs).to(self._model.base.device), gate=gates):
            made = self._dialogue.generate(prompts)
        tokens = self._model.pathway.config.tokens
        return [
            self._dialogue.read(made, row, given, audio_tokens=tokens if gates[row] > 0 else 0)
            for row, given in enumerate(inputs)
        ]

    def embed(self, inputs: Sequence[Input]) -> Float[Tensor, "batch dims"]:
        """Embed each input's sound at the encoder's sample rate; zeros for an input without a sound.

        Raises:
            InputError: a sound has no sample rate.
        """
        embeddings = np.zeros((len(inputs), *self._encoder.shape), np.float32)
        sounds = {id(given.audio): given for given in inputs if given.audio is not None}
        if sounds:  # questions about one record share its samples: each sound is encoded once
            encoded = self._encoder.encode([self._resampled(given) for given in sounds.values()])
            by_sound = dict(zip(sounds, encoded, strict=True))
            for row, given in enumerate(inputs):
                if given.audio is not None:
                    embeddings[row] = by_sound[id(given.audio)]
        return torch.from_numpy(embeddings)

    def _resampled(self, given: Input) -> Float32[ndarray, " samples"]:
        if given.audio is None or given.sample_rate_hz is None:
            raise InputError(f"{given.example.id!r}: a sound without a sample rate; give both or neither")
        return resample(given.audio, given.sample_rate_hz, self._encoder.sample_rate_hz)

"""Predict: a SAFE checkpoint, or its base alone, as a Model that safe_eval can question."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32
from numpy import ndarray
from torch import Tensor

from safe_data.core.errors import InputError
from safe_data.encoders.encoder import AudioEncoder
from safe_data.media.sound import resample
from safe_data.shards.dataset import ShardDataset
from safe_eval.models.model import Answer, Input
from safe_eval.prediction import Prediction
from safe_eval.runner.run import run
from safe_train.base.backbone import Backbone
from safe_train.base.dialogue import Dialogue
from safe_train.base.prompts import PromptCache
from safe_train.pathway.model import SafeModel

CONDITIONS = ("full", "mute_audio", "swap_audio", "gate_off")


class BaseAnswers:
    """The base alone: it is given the picture and the question, never the sound."""

    name = "base"

    def __init__(self, base: Any, processor: Any, prompts: PromptCache | None = None) -> None:
        self._dialogue = Dialogue(base, processor, prompts)

    def answer(self, inputs: Sequence[Input]) -> list[Answer]:
        said = self._dialogue.say(self._dialogue.prompts(inputs))
        return [self._dialogue.read(said, row, given, audio_tokens=0) for row, given in enumerate(inputs)]


class SafeAnswers:
    """The base with a trained pathway: it is given the sound as well, as loud as the input's gate."""

    name = "safe"

    def __init__(
        self, model: SafeModel, processor: Any, encoder: AudioEncoder, prompts: PromptCache | None = None
    ) -> None:
        self._model = model
        self._dialogue = Dialogue(model.base, processor, prompts)
        self._encoder = encoder

    def answer(self, inputs: Sequence[Input]) -> list[Answer]:
        prompts = self._dialogue.prompts(inputs)
        gates = [0.0 if given.audio is None else given.gate for given in inputs]
        with self._model.fuse(audio=self._embed(inputs).to(self._model.base.device), gate=gates):
            said = self._dialogue.say(prompts)
        tokens = self._model.pathway.config.tokens
        return [
            self._dialogue.read(said, row, given, audio_tokens=tokens if gates[row] > 0 else 0)
            for row, given in enumerate(inputs)
        ]

    def _embed(self, inputs: Sequence[Input]) -> Float[Tensor, "rows dims"]:
        """Each sound's embedding; a row without one gets zeros, and a closed gate."""
        embeddings = np.zeros((len(inputs), *self._encoder.shape), np.float32)
        sounds = {id(given.audio): given for given in inputs if given.audio is not None}
        if sounds:  # the questions about a clip share its samples
            encoded = self._encoder.encode([self._heard(given) for given in sounds.values()])
            of = dict(zip(sounds, encoded, strict=True))
            for row, given in enumerate(inputs):
                if given.audio is not None:
                    embeddings[row] = of[id(given.audio)]
        return torch.from_numpy(embeddings)

    def _heard(self, given: Input) -> Float32[ndarray, " samples"]:
        if given.audio is None or given.sample_rate_hz is None:
            raise InputError(f"{given.example.id!r}: a sound without a sample rate; give both or neither")
        return resample(given.audio, given.sample_rate_hz, self._encoder.sample_rate_hz)


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
    """The base's answers to a split, given no sound, and then SAFE's under each condition.

    `backbone` is the base alone; it may be the very model that SAFE hears through.
    """
    prompts = PromptCache()
    base = BaseAnswers(*backbone, prompts)
    yield from run(base, dataset, ["full"], seed=seed, batch_size=batch_size)
    safe = SafeAnswers(model, backbone.processor, encoder, prompts)
    yield from run(safe, dataset, conditions, seed=seed, batch_size=batch_size)

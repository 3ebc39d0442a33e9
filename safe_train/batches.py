"""Batches: questions with their pictures, sounds and answers, as the model takes them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from numpy import ndarray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from safe_data.core.errors import InputError
from safe_data.encoders.encoder import AudioEncoder
from safe_data.shards.dataset import ShardDataset
from safe_train.base.prompts import (
    IGNORED,
    Inputs,
    Prompts,
    append_answers,
    collate,
    pad_token,
    stored_picture,
)
from safe_train.questions import TrainingQuestion

SILENCE = -1  # instead of a record's number: the embedding of digital silence


@dataclass(frozen=True)
class Batch:
    """Prompts followed by their answers; shorter answers are padded with -100."""

    inputs: Inputs
    answers: Int64[Tensor, "batch tokens"]
    audio: Float[Tensor, "batch dims"]

    @property
    def real(self) -> Bool[Tensor, "batch tokens"]:
        """Which tokens of `answers` are not padding."""
        return self.answers != IGNORED

    def to(self, device: torch.device, dtype: torch.dtype) -> "Batch":
        """The batch on a device, with pictures in the precision of the base."""
        inputs = {
            name: value.to(device, dtype if value.is_floating_point() else None)
            for name, value in self.inputs.items()
        }
        return Batch(inputs, self.answers.to(device), self.audio.to(device))


class Loader:
    """Makes batches from the questions of a dataset; `silence` is the embedding of digital silence.

    Raises:
        InputError: the dataset's embeddings are from another encoder, or are not one vector per clip.
    """

    def __init__(self, dataset: ShardDataset, processor: Any, encoder: AudioEncoder) -> None:
        self.silence = _embed_silence(dataset, encoder)
        self._dataset = dataset
        self._processor = processor
        self._prompts = Prompts(processor)

    def batch(self, questions: Sequence[TrainingQuestion], sounds: Sequence[int]) -> Batch:
        """Make a batch; for each question, `sounds` holds the record that gives its sound, or SILENCE."""
        pad = pad_token(self._processor)
        prompts = collate([self._prompt(question) for question in questions], pad)
        answers = pad_sequence([q.answer for q in questions], batch_first=True, padding_value=IGNORED)
        return Batch(append_answers(prompts, answers, pad), answers, self._embeddings(sounds))

    def _prompt(self, question: TrainingQuestion) -> Inputs:
        picture = stored_picture(self._dataset, question.record_index)
        return self._prompts.encode(question.example.prompt, picture)

    def _embeddings(self, sounds: Sequence[int]) -> Float[Tensor, "batch dims"]:
        records = np.asarray(sounds)
        silent = records == SILENCE
        embeddings = np.empty((len(records), len(self.silence)), np.float32)
        embeddings[silent] = self.silence
        if not silent.all():
            embeddings[~silent] = self._dataset.embeddings(records[~silent])
        return torch.from_numpy(embeddings)


def _embed_silence(dataset: ShardDataset, encoder: AudioEncoder) -> Float32[ndarray, " dims"]:
    """Embed one second of digital silence, after checking that this encoder made the dataset's embeddings."""
    made_by = None if dataset.encoder is None else dataset.encoder["fingerprint"]
    if made_by != encoder.fingerprint:
        raise InputError(
            f"{dataset.root}: its embeddings are from encoder {made_by}, the one given is {encoder.name} "
            f"{encoder.fingerprint}; build the dataset with this one, or give the one it was built with"
        )
    if len(encoder.shape) != 1:
        raise InputError(
            f"encoder {encoder.name}: embeddings of shape {encoder.shape}; stage A takes one vector per clip"
        )
    silence: Float32[ndarray, " dims"] = encoder.encode([np.zeros(encoder.sample_rate_hz, np.float32)])[0]
    return silence.astype(np.float32)

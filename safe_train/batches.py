"""Loader: shards → Batch. Which questions a step takes follows from (seed, step) alone.

There is no iterator to restore: a run that went on at step 500 would see what it had seen without the break.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Int64
from numpy import ndarray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from safe_data.core.errors import InputError
from safe_data.encoders.encoder import AudioEncoder
from safe_data.records import Example
from safe_data.shards.dataset import ShardDataset
from safe_train.base.prompts import (
    Inputs,
    PromptCache,
    append_answers,
    collate,
    encode_answer,
    encode_prompt,
    pad_token,
)

SILENCE = -1  # in place of a clip's number: what the encoder makes of digital silence


@dataclass(frozen=True)
class Question:
    """An example of the dataset's `clip`-th record, with the tokens of the answer to learn."""

    clip: int
    group: str
    example: Example
    answer: Int64[Tensor, " tokens"] = field(compare=False)


@dataclass(frozen=True)
class Batch:
    """Questions with their answers behind them; `answers` holds -100 where a shorter one is padded."""

    inputs: Inputs
    answers: Int64[Tensor, "rows tokens"]
    audio: Float[Tensor, "rows dims"]

    @property
    def real(self) -> Bool[Tensor, "rows tokens"]:
        return self.answers != -100

    def to(self, device: torch.device, dtype: torch.dtype) -> "Batch":
        """On the device, pictures in the base's precision."""
        inputs = {
            name: value.to(device, dtype if value.is_floating_point() else None)
            for name, value in self.inputs.items()
        }
        return Batch(inputs, self.answers.to(device), self.audio.to(device))


class Loader:
    """The questions of a split, those that need ears and those that need none, and batches of them.

    Raises:
        InputError: a split without one of the two kinds, or embeddings that are not those of the encoder.
    """

    def __init__(self, dataset: ShardDataset, processor: Any, encoder: AudioEncoder) -> None:
        self.dataset = dataset
        self.processor = processor
        self.silence = _silence(dataset, encoder)
        questions = list(_questions(dataset, processor))
        has_audio = dataset.has_audio
        self.hearing = [q for q in questions if q.example.needs_audio and has_audio[q.clip]]
        self.seeing = [q for q in questions if q.example.needs_audio is False]
        for name, found in (("true", self.hearing), ("false", self.seeing)):
            if not found:
                raise InputError(
                    f"{dataset.root}: of {len(questions)} questions in split {dataset.split!r} none has "
                    f"needs_audio {name}; stage A takes questions that need ears and questions that need none"
                )
        self.sounding = np.flatnonzero(has_audio)
        self.groups = np.array([str(group) for group in dataset.manifest["group"].to_pylist()])
        self._prompts = PromptCache()

    def batch(self, questions: Sequence[Question], clips: Sequence[int]) -> Batch:
        """Questions, each under the sound of the clip beside it (or SILENCE)."""
        pad = pad_token(self.processor)
        prompts = collate([self._prompt(question) for question in questions], pad)
        answers = pad_sequence([q.answer for q in questions], batch_first=True, padding_value=-100)
        return Batch(append_answers(prompts, answers, pad), answers, self._embeddings(clips))

    def unrelated_clips(self, questions: Sequence[Question], rng: np.random.Generator) -> list[int]:
        """For each question a clip of another group.

        Raises:
            InputError: all sounds are of one group.
        """
        clips = rng.choice(self.sounding, size=len(questions))
        groups = np.array([question.group for question in questions])
        for _ in range(1000):
            same = self.groups[clips] == groups
            if not same.any():
                return [int(clip) for clip in clips]
            clips[same] = rng.choice(self.sounding, size=int(same.sum()))
        raise InputError(
            f"{self.dataset.root}: no clip of another group than {groups[same][0]!r} was found; "
            "stage A needs sounds of several groups"
        )

    def _prompt(self, question: Question) -> Inputs:
        return self._prompts.get(
            question.example.id,
            lambda: encode_prompt(self.processor, question.example.prompt, self.dataset.image(question.clip)),
        )

    def _embeddings(self, clips: Sequence[int]) -> Float[Tensor, "rows dims"]:
        chosen = np.asarray(clips)
        silent = chosen == SILENCE
        embeddings = np.empty((len(chosen), len(self.silence)), np.float32)
        embeddings[silent] = self.silence
        if not silent.all():
            embeddings[~silent] = self.dataset.embeddings(chosen[~silent])
        return torch.from_numpy(embeddings)


def epoch_order(count: int, *, step: int, rows: int, seed: int, stream: int) -> Int64[ndarray, " rows"]:
    """The step's `rows` of `count` items: each once an epoch, in an order of the epoch's own.

    >>> sorted(int(i) for step in range(3) for i in epoch_order(6, step=step, rows=2, seed=0, stream=0))
    [0, 1, 2, 3, 4, 5]
    """
    places = np.arange(step * rows, (step + 1) * rows)
    epochs = places // count
    chosen = np.empty(rows, np.int64)
    for epoch in np.unique(epochs):
        order = np.random.default_rng((seed, stream, int(epoch))).permutation(count)
        chosen[epochs == epoch] = order[places[epochs == epoch] % count]
    return chosen


def _questions(dataset: ShardDataset, processor: Any) -> Iterator[Question]:
    """All questions that have an answer; of several answers to one the most frequent."""
    for clip in range(len(dataset)):
        record = dataset.record(clip)
        for example in record.examples:
            if example.references:
                answer = Counter(example.references).most_common(1)[0][0]
                yield Question(clip, record.group, example, encode_answer(processor, answer))


def _silence(dataset: ShardDataset, encoder: AudioEncoder) -> Float32[ndarray, " dims"]:
    """The embedding of a second of digital silence, by the encoder that made the dataset's."""
    made_by = None if dataset.encoder is None else dataset.encoder["fingerprint"]
    if made_by != encoder.fingerprint:
        raise InputError(
            f"{dataset.root}: its embeddings are of encoder {made_by}, the one given is {encoder.name} "
            f"{encoder.fingerprint}; build the dataset with this one, or give the one it was built with"
        )
    if len(encoder.shape) != 1:
        raise InputError(
            f"encoder {encoder.name}: embeddings of shape {encoder.shape}; stage A takes one vector a clip"
        )
    silence: Float32[ndarray, " dims"] = encoder.encode([np.zeros(encoder.sample_rate_hz, np.float32)])[0]
    return silence.astype(np.float32)

"""Predictor: SAFE and its base as two models that a run asks; they share the base and what it has seen."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
from torch import Tensor

from safe_data.records import Example
from safe_data.shards.dataset import ShardDataset
from safe_eval.models.model import Answer, Input
from safe_eval.models.processors import pictures_apart
from safe_eval.prediction import BASE
from safe_train.base.backbone import Backbone
from safe_train.base.dialogue import Dialogue, Hearing, Question
from safe_train.base.loading import input_device
from safe_train.base.prompts import Picture, Prompts, check_pictures
from safe_train.base.vision import Vision
from safe_train.pathway.model import SafeModel
from safe_train.predict.sounds import Sounds, WantedEncoder
from safe_train.settings.backbone import AskingConfig


class Predictor:
    """Answers as the base does, or as SAFE: one is made from the other with `base`.

    With its gate closed SAFE computes what the base computes, bit for bit. With `latency`, nothing is
    remembered of one question for the next, and each answer has its time without the scores of its choices.
    `check` refuses a dataset that may not be asked.
    """

    def __init__(
        self,
        model: SafeModel,
        backbone: Backbone,
        encoders: Sequence[WantedEncoder],
        *,
        name: str,
        asking: AskingConfig,
        batch_size: int,
        latency: bool = False,
        facts: Mapping[str, Any] | None = None,
        check: Callable[[ShardDataset], None] | None = None,
    ) -> None:
        self.name, self.hears, self.sees = name, True, True
        self.facts = dict(facts or {})
        self._model, self._encoders, self._asking, self._latency = model, tuple(encoders), asking, latency
        self._check = check
        self._pictures_apart = pictures_apart(backbone.processor)
        self._shared = _Shared()
        self._sounds: Sounds | None = None
        room = {"picture_bytes": 0, "token_bytes": 0} if latency else {}
        prompts = Prompts(backbone.processor, asking, **room)

        def dialogue(vision: Vision) -> Dialogue:
            seen = None if latency else vision
            return Dialogue(model.base, backbone.processor, prompts, vision=seen, scored_rows=batch_size)

        self._dialogue = self._with_base = dialogue(Vision(model.base))
        if model.adaptation.sees_anew:  # then the features of a picture are not those of the base
            self._with_base = dialogue(Vision(model.base, state=model.untouched))

    @property
    def base(self) -> "UntouchedBase":
        """The base that this model was made from."""
        return UntouchedBase(self)

    def asked(self, example: Example) -> str:
        """The text that a question is asked with."""
        return self._asking.worded(example.prompt, example.task)

    def prepare(self, dataset: ShardDataset, conditions: Sequence[str]) -> None:
        """Check that a dataset has what the model hears by, and load what it does not have.

        Raises:
            InputError: it may not be asked, it lacks the embeddings of an encoder or silence, an encoder that
                is needed for sounds that are stored nowhere cannot be loaded, or there are pictures that
                cannot be shown.
        """
        if self._check is not None:
            self._check(dataset)
        check_pictures(self._asking, [dataset])
        if self._sounds is None or self._sounds.dataset is not dataset:  # else its encoders are loaded
            self._sounds = Sounds(dataset, self._encoders)
        self._sounds.prepare(conditions)

    def answer(self, inputs: Sequence[Input]) -> list[Answer]:
        """Answer questions together, each with its own sound."""
        audio = self._audio(inputs)
        gates = [one.gate for one in inputs]

        def hear(rows: Sequence[int]) -> AbstractContextManager[Any]:
            chosen = list(rows)
            sounds = tuple(tensor[chosen] for tensor in audio)
            return self._model.fuse(audio=sounds, gate=[gates[row] for row in chosen])

        answers = self._in_parts(inputs, hear, self._dialogue)
        tokens = self._model.pathway.config.most_tokens
        return [
            replace(
                answer,
                consulted=gate > 0,
                audio_tokens=tokens if gate > 0 else 0,
                gate_score=gate,
            )
            for answer, gate in zip(answers, gates, strict=True)
        ]

    def answer_as_base(self, inputs: Sequence[Input]) -> list[Answer]:
        """Answer as the base did before, where the checkpoint trained it."""
        answers = self._in_parts(inputs, lambda _: self._model.untouched(), self._with_base)
        return [replace(answer, consulted=False, audio_tokens=0) for answer in answers]

    def _in_parts(self, inputs: Sequence[Input], hearing: Hearing, dialogue: Dialogue) -> list[Answer]:
        """Questions with and without a picture apart, where the processor takes no batch of both."""
        shown = [row for row, one in enumerate(inputs) if one.picture is not None]
        if not self._pictures_apart or len(shown) in (0, len(inputs)):
            return self._answers(inputs, range(len(inputs)), hearing, dialogue)
        blind = sorted({*range(len(inputs))} - {*shown})
        found: dict[int, Answer] = {}
        for rows in (shown, blind):
            found |= zip(rows, self._answers(inputs, rows, hearing, dialogue), strict=True)
        return [found[row] for row in range(len(inputs))]

    def _answers(
        self, inputs: Sequence[Input], rows: Sequence[int], hearing: Hearing, dialogue: Dialogue
    ) -> list[Answer]:
        questions = [
            Question(self.asked(one.example), _picture(one), one.example.choices)
            for one in (inputs[row] for row in rows)
        ]

        def hear(chosen: Sequence[int]) -> AbstractContextManager[Any]:
            return hearing([rows[row] for row in chosen])

        started = perf_counter()
        encoded = None if self._latency else self._shared.encoded(dialogue, questions)
        answers = dialogue.answer(questions, hear, encoded)
        latency_ms = 1000 * (perf_counter() - started) / len(questions)
        scored = dialogue.score(questions, answers, hear)
        return [replace(answer, latency_ms=latency_ms) for answer in scored] if self._latency else scored

    def _audio(self, inputs: Sequence[Input]) -> tuple[Tensor, ...]:
        """The embeddings of the questions' sounds, a tensor for each encoder; zeros without a sound."""
        if self._sounds is None:
            raise ValueError(f"{self.name}: no dataset was prepared")
        embeddings = self._sounds.of(inputs)
        tensors = []
        for number, shape in enumerate(self._sounds.shapes):
            stacked = np.zeros((len(inputs), *shape), np.float32)
            for row, embedding in enumerate(embeddings):
                if embedding is not None:
                    stacked[row] = embedding[number]
            tensors.append(torch.from_numpy(stacked).to(input_device(self._model.base)))
        return tuple(tensors)


class UntouchedBase:
    """The base as it was before the checkpoint; it is sent no sound."""

    name, hears, sees = BASE, False, True

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self.facts, self.asked, self.answer = predictor.facts, predictor.asked, predictor.answer_as_base


class _Shared:
    """The questions asked last, as the base takes them; the arms of a batch mostly ask the same."""

    def __init__(self) -> None:
        self._asked: tuple[Dialogue, list[tuple[str, str | None]]] | None = None
        self._inputs: dict[str, Any] = {}

    def encoded(self, dialogue: Dialogue, questions: Sequence[Question]) -> dict[str, Any]:
        """The questions as one batch on the base's device."""
        names = [(one.prompt, one.picture.sha256 if one.picture else None) for one in questions]
        if (dialogue, names) != self._asked:
            self._inputs = dialogue.encode(questions)
            self._asked = dialogue, names
        return dict(self._inputs)


def _picture(given: Input) -> Picture | None:
    if given.picture is None or given.picture_sha256 is None:
        return None
    return Picture(given.picture_sha256, given.picture)

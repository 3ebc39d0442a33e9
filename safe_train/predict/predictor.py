"""Predictor: SAFE and its base as two models that a run asks; they share the base and what it has seen."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial
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
from safe_train.base.dialogue import Dialogue, Question
from safe_train.base.loading import input_device
from safe_train.base.prompts import Picture, Prompts, check_pictures, stored_picture
from safe_train.base.vision import FEATURE_CACHE_BYTES, Vision
from safe_train.gates.gate import Gate
from safe_train.pathway.model import SafeModel
from safe_train.predict.chosen_gate import always
from safe_train.predict.consultation import Consultation, Follow, Passed
from safe_train.predict.sounds import Sounds, WantedEncoder
from safe_train.settings.backbone import AskingConfig


class Predictor:
    """Answers as the base does, or as SAFE: one is made from the other with `base`.

    `gate` decides which questions hear their sound (default: all, with the most tokens). With its gate closed
    SAFE computes what the base computes, bit for bit. With `latency`, nothing is remembered of one question
    for the next, and each answer has its time, without embedding its sound and scoring its choices.
    `influence` asks once more with the gate shut where no state was needed, to tell how far the sound moved
    the answer. `gate_times` tells the gate's time of questions that are asked together, each its share.
    `cache_bytes` bounds each of the memories of pictures and prompts. `check` refuses a dataset that may not
    be asked.
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
        gate: Gate | None = None,
        latency: bool = False,
        influence: bool = False,
        gate_times: bool = False,
        cache_bytes: int | None = None,
        facts: Mapping[str, Any] | None = None,
        check: Callable[[ShardDataset], None] | None = None,
    ) -> None:
        self.name, self.hears, self.sees = name, True, True
        self.facts = dict(facts or {})
        self._model, self._encoders, self._asking, self._latency = model, tuple(encoders), asking, latency
        self._check, self._influence, self._gate_times = check, influence, latency or gate_times
        self._gate: Gate = always(model.pathway.config.most_tokens) if gate is None else gate
        self._pictures_apart = pictures_apart(backbone.processor)
        self._shared = _Shared()
        self._sounds: Sounds | None = None
        bound = 0 if latency else cache_bytes
        room = {} if bound is None else {"picture_bytes": bound, "token_bytes": bound}
        prompts = Prompts(backbone.processor, asking, **room)

        def dialogue(vision: Vision) -> Dialogue:
            # A request with two passes looks at its picture once, which is forgotten before the next.
            seen = vision if self._gate.needs_state or not latency else None
            return Dialogue(model.base, backbone.processor, prompts, vision=seen, scored_rows=batch_size)

        seen_bytes = FEATURE_CACHE_BYTES if bound is None else bound
        self._dialogue = self._with_base = dialogue(Vision(model.base, seen_bytes))
        if model.adaptation.sees_anew:  # then the features of a picture are not those of the base
            self._with_base = dialogue(Vision(model.base, seen_bytes, model.untouched))

    @property
    def base(self) -> "UntouchedBase":
        """The base that this model was made from."""
        return UntouchedBase(self)

    def asked(self, example: Example) -> str:
        """The text that a question is asked with."""
        return self._asking.worded(example.prompt, example.task)

    def prompt_tokens(self, given: Input) -> int:
        """The tokens of a question's prompt, with those of its picture. Any thread may ask.

        Raises:
            Exception: what the processor raises for a picture that it cannot take.
        """
        return self._dialogue.prompt_tokens(self._questions([given])[0])

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of an answer so far."""
        return self._dialogue.text_of(tokens)

    def embeddings(self, inputs: Sequence[Input]) -> tuple[Tensor, ...]:
        """What is heard of these sounds: a batch for each encoder, on the device of the base."""
        return self._audio(inputs, range(len(inputs)))

    def pieces_of(self, tokens: Sequence[int]) -> list[str]:
        """The text of each token of an answer."""
        return self._dialogue.pieces_of(tokens)

    def prepare(self, dataset: ShardDataset | None, conditions: Sequence[str]) -> None:
        """Check that a dataset has what the model hears by, and load what it does not have.

        Without one (None), all sounds are embedded as they come, and the encoders are loaded now.

        Raises:
            InputError: it may not be asked, it lacks the embeddings of an encoder or silence, an encoder that
                is needed for sounds that are stored nowhere cannot be loaded, or there are pictures that
                cannot be shown.
        """
        if dataset is not None:
            if self._check is not None:
                self._check(dataset)
            check_pictures(self._asking, [dataset])
        if self._sounds is None or self._sounds.dataset is not dataset:  # else its encoders are loaded
            self._sounds = Sounds(dataset, self._encoders)
        self._sounds.prepare(conditions)
        if self._latency and dataset is not None:
            self._look_once(dataset)

    def answer(self, inputs: Sequence[Input]) -> list[Answer]:
        """Answer questions together, each with its own sound, if the gate decides that it is heard."""
        return self._in_parts(inputs, self._consulted)

    def answer_as_base(self, inputs: Sequence[Input]) -> list[Answer]:
        """Answer as the base did before, where the checkpoint trained it."""
        return self._in_parts(inputs, self._as_base)

    def _in_parts(
        self, inputs: Sequence[Input], ask: Callable[[Sequence[Input]], list[Answer]]
    ) -> list[Answer]:
        """Questions with and without a picture apart, where the processor takes no batch of both."""
        shown = [row for row, one in enumerate(inputs) if one.picture is not None]
        if not self._pictures_apart or len(shown) in (0, len(inputs)):
            return ask(inputs)
        blind = sorted({*range(len(inputs))} - {*shown})
        found: dict[int, Answer] = {}
        for rows in (shown, blind):
            found |= zip(rows, ask([inputs[row] for row in rows]), strict=True)
        return [found[row] for row in range(len(inputs))]

    def _as_base(self, inputs: Sequence[Input]) -> list[Answer]:
        questions, dialogue = self._questions(inputs), self._with_base

        def untouched(_rows: Sequence[int]) -> AbstractContextManager[Any]:
            return self._model.untouched()

        started = perf_counter()
        answers = dialogue.answer(questions, untouched, self._encoded(dialogue, questions))
        latency_ms = 1000 * (perf_counter() - started) / len(questions)
        scored = dialogue.score(questions, answers, untouched)
        return [
            replace(one, consulted=False, audio_tokens=0, latency_ms=latency_ms if self._latency else None)
            for one in scored
        ]

    def _consulted(self, inputs: Sequence[Input]) -> list[Answer]:
        questions, dialogue = self._questions(inputs), self._dialogue
        gates, gate = [one.gate for one in inputs], self._gate
        listen = partial(self._audio, inputs)
        consultation = Consultation(self._model, gate, questions, gates, listen, _follower(inputs))
        passed: Passed | None = None

        started = perf_counter()
        encoded = self._encoded(dialogue, questions)
        shut = partial(consultation.shut, dialogue, encoded)
        if gate.needs_state and any(gates):
            passed = self._passed(dialogue, questions, gates, shut)
            answers = consultation.answer(dialogue, encoded, passed)
        else:
            answers = consultation.answer_at_once(dialogue, encoded)
        seconds = perf_counter() - started - consultation.sound_seconds

        scored = dialogue.score(questions, answers, consultation.hearing)
        if self._influence and any(gates) and passed is None:
            passed = self._passed(dialogue, questions, gates, shut)
        off = None if passed is None else passed.made.first
        told = consultation.told(scored, off, timed=self._gate_times and any(gates))
        latency_ms = 1000 * seconds / len(questions)
        return [replace(one, latency_ms=latency_ms) for one in told] if self._latency else told

    def _passed(
        self,
        dialogue: Dialogue,
        questions: Sequence[Question],
        gates: Sequence[float],
        shut: Callable[[], Passed],
    ) -> Passed:
        return shut() if self._latency else self._shared.passed(dialogue, questions, gates, shut)

    def _look_once(self, dataset: ShardDataset) -> None:
        """Look at a picture before any request is timed: the first tells whether features may be used."""
        shown = (stored_picture(dataset, index) for index in range(len(dataset)))
        if (picture := next(filter(None, shown), None)) is not None:
            for dialogue in {self._dialogue, self._with_base}:
                dialogue.encode([Question("?", picture)])

    def _questions(self, inputs: Sequence[Input]) -> list[Question]:
        return [
            Question(self.asked(one.example), _picture(one), one.example.choices, one.answer_tokens)
            for one in inputs
        ]

    def _encoded(self, dialogue: Dialogue, questions: Sequence[Question]) -> dict[str, Any]:
        return dialogue.encode(questions) if self._latency else self._shared.encoded(dialogue, questions)

    def _audio(self, inputs: Sequence[Input], rows: Sequence[int]) -> tuple[Tensor, ...]:
        """The embeddings of these questions' sounds, a tensor for each encoder; zeros for all others."""
        if self._sounds is None:
            raise ValueError(f"{self.name}: no dataset was prepared")
        embeddings = self._sounds.of([inputs[row] for row in rows])
        tensors = []
        for number, shape in enumerate(self._sounds.shapes):
            stacked = np.zeros((len(inputs), *shape), np.float32)
            for row, embedding in zip(rows, embeddings, strict=True):
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
    """What was made of the questions asked last; the arms of a batch mostly ask the same."""

    def __init__(self) -> None:
        self._asked: tuple[Dialogue, list[tuple[str, str | None]]] | None = None
        self._inputs: dict[str, Any] = {}
        self._of: tuple[Any, ...] | None = None
        self._passed: Passed | None = None

    def encoded(self, dialogue: Dialogue, questions: Sequence[Question]) -> dict[str, Any]:
        """The questions as one batch on the base's device."""
        asked = dialogue, _names(questions)
        if asked != self._asked:
            self._inputs = dialogue.encode(questions)
            self._asked = asked
        return dict(self._inputs)

    def passed(
        self,
        dialogue: Dialogue,
        questions: Sequence[Question],
        gates: Sequence[float],
        shut: Callable[[], Passed],
    ) -> Passed:
        """The pass with the gate shut: what the sound is changes neither it nor what the gate decides."""
        of = dialogue, _names(questions), list(gates)
        if self._passed is None or of != self._of:
            self._passed, self._of = shut(), of
        return self._passed


def _follower(inputs: Sequence[Input]) -> Follow | None:
    """Who follows the answers of a batch, if anyone does."""
    if not any(one.follow for one in inputs):
        return None

    def follow(row: int, tokens: Sequence[int]) -> None:
        if (told := inputs[row].follow) is not None:
            told(tokens)

    return follow


def _names(questions: Sequence[Question]) -> list[tuple[str, str | None]]:
    return [(one.prompt, one.picture.sha256 if one.picture else None) for one in questions]


def _picture(given: Input) -> Picture | None:
    if given.picture is None or given.picture_sha256 is None:
        return None
    return Picture(given.picture_sha256, given.picture)

"""Predictor: the answers to one batch of questions in every arm, as rows of a predictions file."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from safe_data.records import Example, Record
from safe_data.shards.dataset import ShardDataset
from safe_eval.models.model import Answer
from safe_eval.prediction import BASE, Prediction
from safe_eval.runner.row import Reply, Request, in_one_line, to_prediction
from safe_train.base.backbone import Backbone
from safe_train.base.dialogue import Dialogue, Hearing, Question
from safe_train.base.loading import input_device
from safe_train.base.processors import pictures_apart
from safe_train.base.prompts import Prompts
from safe_train.base.vision import Vision
from safe_train.pathway.model import SafeModel
from safe_train.predict.given import Given, Giver
from safe_train.predict.plan import Arm, Plan
from safe_train.settings.backbone import AskingConfig


class Asked(NamedTuple):
    """One question of a batch in one arm, and what its record gives."""

    request: Request
    given: Given


class Predictor:
    """Answers the batches of a plan, all arms of a batch before the next batch.

    Each arm is one call with the same prompts in the same order. So SAFE with its gate closed computes what
    the base computes, bit for bit. With `latency`, every question is asked alone and nothing is remembered.
    """

    def __init__(
        self,
        model: SafeModel,
        backbone: Backbone,
        dataset: ShardDataset,
        giver: Giver,
        plan: Plan,
        *,
        asking: AskingConfig,
        seed: int,
        batch_size: int,
        latency: bool = False,
    ) -> None:
        self._model, self._dataset, self._giver, self._plan = model, dataset, giver, plan
        self._seed, self._asking = seed, asking
        self._latency = latency
        self._pictures_apart = pictures_apart(backbone.processor)
        self._last_asked: tuple[Dialogue, list[tuple[str, str | None]]] | None = None
        self._last_inputs: dict[str, Any] = {}
        room = {"picture_bytes": 0, "token_bytes": 0} if latency else {}
        prompts = Prompts(backbone.processor, asking, **room)

        def dialogue(vision: Vision) -> Dialogue:
            seen = None if latency else vision
            return Dialogue(model.base, backbone.processor, prompts, vision=seen, scored_rows=batch_size)

        self._dialogue = self._with_base = dialogue(Vision(model.base))
        if model.adaptation.sees_anew:  # then the features of a picture are not those of the base
            self._with_base = dialogue(Vision(model.base, state=model.untouched))

    def rows(self, batch: int) -> list[Prediction]:
        """The predictions of a batch: arm by arm, in the order of the dataset."""
        spans = self._plan.batches[batch]
        records = {span.record: self._dataset.record(span.record) for span in spans}
        questions = [
            (span.record, example)
            for span in spans
            for example in records[span.record].examples[span.first : span.last]
        ]
        return [row for arm in self._plan.arms for row in self._arm(arm, records, questions)]

    def _arm(
        self, arm: Arm, records: Mapping[int, Record], questions: Sequence[tuple[int, Example]]
    ) -> Iterator[Prediction]:
        given = self._giver.give(arm, records)
        requests = [self._request(arm, index, records[index], example) for index, example in questions]
        asked = [
            Asked(request, one)
            for request in requests
            if isinstance(one := given[request.record_index], Given)
        ]
        replies = iter(self._ask_each(arm, asked) if self._latency else self._ask(arm, asked))
        for request in requests:
            one = given[request.record_index]
            if isinstance(one, Given):
                reply, heard, note = next(replies), one.heard, one.note
            else:
                reply, heard, note = Reply(None, one, None), None, None
            yield to_prediction(request, reply, model=arm.model, seed=self._seed, heard=heard, sent=note)

    def _request(self, arm: Arm, index: int, record: Record, example: Example) -> Request:
        partner = self._giver.partner(arm, index)
        partner_id = None if partner is None else self._dataset.value(partner, "id")
        return Request(index, record, example, arm.condition, partner, partner_id)

    def _ask(self, arm: Arm, asked: Sequence[Asked]) -> list[Reply]:
        """Ask questions together; if that fails, one by one, so that only the cause loses its answer."""
        if not asked:
            return []
        shown = [row for row, one in enumerate(asked) if one.given.picture is not None]
        if self._pictures_apart and 0 < len(shown) < len(asked):
            rows = [*shown, *sorted({*range(len(asked))} - {*shown})]
            parts = [asked[row] for row in rows]
            replies = self._ask(arm, parts[: len(shown)]) + self._ask(arm, parts[len(shown) :])
            return [reply for _, reply in sorted(zip(rows, replies, strict=True), key=lambda pair: pair[0])]
        try:
            return [Reply(answer, None, None) for answer in self._answers(arm, asked)[0]]
        except Exception as error:  # a model can fail in any way
            if len(asked) > 1:
                return [reply for one in asked for reply in self._ask(arm, [one])]
            return [Reply(None, in_one_line(error), None)]

    def _ask_each(self, arm: Arm, asked: Sequence[Asked]) -> Iterator[Reply]:
        """Ask questions one by one, and measure each."""
        for one in asked:
            try:
                (answer,), latency_ms = self._answers(arm, [one])
            except Exception as error:  # a model can fail in any way
                yield Reply(None, in_one_line(error), None)
                continue
            yield Reply(replace(answer, metadata={**(answer.metadata or {}), "batch": 1}), None, latency_ms)

    def _answers(self, arm: Arm, asked: Sequence[Asked]) -> tuple[list[Answer], float]:
        """The answers, and the milliseconds that they took without the scores of choices."""
        questions = [
            Question(self._asking.worded(example.prompt, example.task), one.given.picture, example.choices)
            for one in asked
            for example in [one.request.example]
        ]
        is_base = arm.model == BASE
        hearing = self._untouched if is_base else self._hearing(asked)
        dialogue = self._with_base if is_base else self._dialogue
        started = perf_counter()
        inputs = None if self._latency else self._encoded(dialogue, questions)
        answers = dialogue.answer(questions, hearing, inputs)
        latency_ms = 1000 * (perf_counter() - started)
        answers = dialogue.score(questions, answers, hearing)
        pairs = zip(answers, asked, strict=True)
        return [self._consulted(arm, answer, one) for answer, one in pairs], latency_ms

    def _encoded(self, dialogue: Dialogue, questions: Sequence[Question]) -> dict[str, Any]:
        """The questions as the base takes them; the arms of a batch mostly ask the same."""
        names = [(one.prompt, one.picture.sha256 if one.picture else None) for one in questions]
        if (dialogue, names) != self._last_asked:
            self._last_inputs = dialogue.encode(questions)
            self._last_asked = dialogue, names
        return dict(self._last_inputs)

    def _hearing(self, asked: Sequence[Asked]) -> Hearing:
        """What each of these questions hears; zeros behind a closed gate without a sound."""
        audio = self._audio(asked)
        gates = [one.given.gate for one in asked]

        def hear(rows: Sequence[int]) -> AbstractContextManager[Any]:
            chosen = list(rows)
            sounds = tuple(tensor[chosen] for tensor in audio)
            return self._model.fuse(audio=sounds, gate=[gates[row] for row in chosen])

        return hear

    def _untouched(self, _rows: Sequence[int]) -> AbstractContextManager[Any]:
        """The base as it was before, where the checkpoint trained it."""
        return self._model.untouched()

    def _audio(self, asked: Sequence[Asked]) -> tuple[Tensor, ...]:
        """The embeddings of the questions' sounds, a tensor for each encoder."""
        tensors = []
        for number, shape in enumerate(self._giver.sounds.shapes):
            stacked = np.zeros((len(asked), *shape), np.float32)
            for row, one in enumerate(asked):
                if one.given.sound is not None:
                    stacked[row] = one.given.sound[number]
            tensors.append(torch.from_numpy(stacked).to(input_device(self._model.base)))
        return tuple(tensors)

    def _consulted(self, arm: Arm, answer: Answer, one: Asked) -> Answer:
        """The answer with what is known of its arm: the gate, and the tokens behind an open one."""
        if arm.model == BASE:
            return replace(answer, consulted=False, audio_tokens=0)
        is_open = one.given.gate > 0
        tokens = self._model.pathway.config.tokens if is_open else 0
        return replace(answer, consulted=is_open, audio_tokens=tokens, gate_score=one.given.gate)

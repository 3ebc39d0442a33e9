"""Asker: asks models the questions of a plan, batch by batch, all arms of a batch before the next batch."""

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Literal

from safe_data.records import Example, Record
from safe_eval.models.model import Answer, Input, Model, ModelGoneError, Requested
from safe_eval.prediction import BASE, Prediction
from safe_eval.runner.given import Given, Giver
from safe_eval.runner.media import Dataset
from safe_eval.runner.plan import Arm, Plan
from safe_eval.runner.row import Reply, Request, in_one_line, to_prediction

Latency = Literal["no", "mean", "each"]  # of no request, of the mean of a batch, of each request alone


def hears(model: Model) -> bool:
    """Whether a model is sent sounds; the model named `base` is not."""
    return model.name != BASE and bool(getattr(model, "hears", True))


def sees(model: Model) -> bool:
    """Whether a model is sent pictures."""
    return bool(getattr(model, "sees", True))


class Asker:
    """Asks each arm of a plan with one call a batch; if that fails, one by one, so that one example fails.

    Each arm has the same questions in the same order, so that a model with its gate closed computes what it
    computes without one, bit for bit.
    """

    def __init__(
        self, models: Sequence[Model], dataset: Dataset, plan: Plan, *, seed: int, latency: Latency = "no"
    ) -> None:
        self._models = {model.name: model for model in models}
        self._dataset, self._plan, self._seed, self._latency = dataset, plan, seed, latency
        self._giver = Giver(dataset, plan, seed)
        self._hash = lru_cache(2**14)(_hash)

    def rows(self, batch: int, wanted: Sequence[bool] | None = None) -> list[Prediction]:
        """The predictions of a batch: arm by arm, in the order of the dataset.

        `wanted` says of each row whether to ask for it; the others are left out.
        """
        spans = self._plan.batches[batch]
        records = {span.record: self._dataset.record(span.record) for span in spans}
        questions = [
            (span.record, records[span.record].examples[place]) for span in spans for place in span.examples
        ]
        asked = iter([True] * len(questions) * len(self._plan.arms) if wanted is None else wanted)
        found: list[Prediction] = []
        for arm in self._plan.arms:
            chosen = [question for question in questions if next(asked)]
            found += self._arm(arm, {index: records[index] for index, _ in chosen}, chosen)
        return found

    def _arm(
        self, arm: Arm, records: Mapping[int, Record], questions: Sequence[tuple[int, Example]]
    ) -> Iterator[Prediction]:
        model = self._models[arm.model]
        given = self._giver.give(arm, records, hears=hears(model), sees=sees(model))
        sent = [given[index] for index, _ in questions]
        inputs = [
            self._input(arm, records[index], example, one)
            for (index, example), one in zip(questions, sent, strict=True)
            if isinstance(one, Given)
        ]
        replies = iter(self._replies(model, inputs))
        for (index, example), one in zip(questions, sent, strict=True):
            request = Request(
                index,
                records[index],
                example,
                arm.condition,
                self._giver.partner(arm, index),
                self._giver.partner_id(arm, index),
                self._giver.contradicts(arm, records[index], index, example),
            )
            if isinstance(one, Given):
                note = one.note | {"prompt_sha256": self._hash(_asked(model, example))}
                yield to_prediction(
                    request, next(replies), model=arm.model, seed=self._seed, heard=one.heard, sent=note
                )
            else:
                yield to_prediction(request, Reply(None, one, None), model=arm.model, seed=self._seed)

    def _input(self, arm: Arm, record: Record, example: Example, given: Given) -> Input:
        return Input(
            example=example,
            picture=given.picture,
            sound=given.sound,
            gate=given.gate,
            sound_is=given.sound_is,
            sound_of=given.sound_of,
            picture_sha256=given.picture_sha256,
            request=Requested(record.dataset, arm.condition, self._seed),
        )

    def _replies(self, model: Model, inputs: Sequence[Input]) -> list[Reply]:
        if self._latency == "each":
            return [reply for one in inputs for reply in self._ask(model, [one])]
        return self._ask(model, inputs)

    def _ask(self, model: Model, inputs: Sequence[Input]) -> list[Reply]:
        if not inputs:
            return []
        start = time.perf_counter()
        try:
            answers = list(model.answer(inputs))
            if len(answers) != len(inputs):
                raise ValueError(f"{len(answers)} answers to {len(inputs)} inputs")
        except ModelGoneError:
            raise
        except Exception as error:  # a model can fail in any way; the other examples must not suffer
            if len(inputs) > 1:
                return [reply for given in inputs for reply in self._ask(model, [given])]
            return [Reply(None, in_one_line(error), None)]
        mean_ms = 1000 * (time.perf_counter() - start) / len(inputs)
        return [self._reply(answer, mean_ms, len(inputs)) for answer in answers]

    def _reply(self, answer: Answer, mean_ms: float, batch: int) -> Reply:
        """An answer with its latency, which says for how many requests it is the mean."""
        if self._latency == "no" or not isinstance(answer, Answer):
            return Reply(answer, None, None)
        timed = replace(answer, metadata={**(answer.metadata or {}), "batch": batch})
        return Reply(timed, None, mean_ms if answer.latency_ms is None else answer.latency_ms)


def _asked(model: Model, example: Example) -> str:
    """The text that a model is asked with: its own wording, where it has one."""
    asked = getattr(model, "asked", None)
    return str(asked(example)) if asked is not None else example.prompt


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()

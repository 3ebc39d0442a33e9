"""run: ask a model every example of a dataset under every condition; one prediction per question asked."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from safe_data.core.errors import InputError
from safe_data.core.terminal import printable
from safe_data.records import Record
from safe_eval.condition import changes_sound
from safe_eval.models.model import Input, Model, ReadPicture, ReadSound
from safe_eval.prediction import BASE, Prediction
from safe_eval.runner.conditions import (
    Media,
    Partner,
    apply_condition,
    check_conditions,
    swap_partners,
)
from safe_eval.runner.row import Heard, Reply, Request, hear, in_one_line, to_prediction

if TYPE_CHECKING:
    from PIL.Image import Image

    from safe_data.media.sound import Sound


class Dataset(Protocol):
    """What `run` needs of a dataset. `safe_data.shards.dataset.ShardDataset` has it."""

    def __len__(self) -> int: ...

    def record(self, index: int) -> Record: ...

    def audio(self, index: int) -> "Sound | None": ...

    def image(self, index: int) -> "Image | None": ...


def run(
    model: Model, dataset: Dataset, conditions: Sequence[str], *, seed: int, batch_size: int = 32
) -> Iterator[Prediction]:
    """Yield one prediction per condition and example, in that order; failures are predictions with an error.

    Random choices (the noise, whose sound is swapped in) depend on the dataset and the seed, never on the
    model. The model named `base` cannot hear and is given no sound. If a batch fails, its examples are asked
    one by one, so that only the example that causes the error loses its answer.

    Raises:
        InputError: at once, for conditions that are unknown, repeated or have nothing to change, and for a
            dataset without examples; at the end, if no example was answered.
    """
    records = [dataset.record(index) for index in range(len(dataset))]
    _check(model, records, conditions, batch_size)
    requests = _requests(records, conditions, seed)
    return _predictions(model, dataset, requests, seed, batch_size)


def _check(model: Model, records: Sequence[Record], conditions: Sequence[str], batch_size: int) -> None:
    if batch_size < 1:
        raise InputError(f"batch_size {batch_size} is less than 1")
    if not any(record.examples for record in records):
        raise InputError(f"{len(records)} records ask nothing; predictions need examples")
    check_conditions(
        conditions,
        has_sound=any(record.audio for record in records),
        has_picture=any(record.image for record in records),
    )
    for condition in conditions:
        if changes_sound(condition) and model.name == BASE:
            raise InputError(f"{condition}: the base model is given no sound, so there is nothing to change")


def _requests(records: Sequence[Record], conditions: Sequence[str], seed: int) -> list[Request]:
    partners = swap_partners(records, seed) if "swap_audio" in conditions else {}
    requests = []
    for condition in conditions:
        for index, record in enumerate(records):
            partner = partners.get(index) if condition == "swap_audio" else None
            partner_id = None if partner is None else records[partner].id
            requests += [
                Request(index, record, example, condition, partner, partner_id) for example in record.examples
            ]
    return requests


def _predictions(
    model: Model, dataset: Dataset, requests: Sequence[Request], seed: int, batch_size: int
) -> Iterator[Prediction]:
    from tqdm import tqdm

    errors: list[str] = []
    with tqdm(total=len(requests), desc=printable(model.name), unit="example", disable=None) as progress:
        for start in range(0, len(requests), batch_size):
            batch = requests[start : start + batch_size]
            for prediction in _answer_batch(model, dataset, batch, seed):
                if prediction.error is not None:
                    errors.append(prediction.error)
                yield prediction
            progress.update(len(batch))
    if len(errors) == len(requests):
        raise InputError(
            f"model {model.name!r} failed on all {len(requests)} examples; the first: {errors[0]}"
        )


class _Given(NamedTuple):
    """What one record sends under one condition."""

    input: Input
    heard: Heard | None
    sent: dict[str, Any]


def _answer_batch(
    model: Model, dataset: Dataset, batch: Sequence[Request], seed: int
) -> Iterator[Prediction]:
    given = _given(model, dataset, batch, seed)
    asked = [
        replace(one.input, example=request.example)
        for request, one in zip(batch, given, strict=True)
        if isinstance(one, _Given)
    ]
    replies = iter(_ask(model, asked))
    for request, one in zip(batch, given, strict=True):
        if isinstance(one, _Given):
            yield to_prediction(
                request, next(replies), model=model.name, seed=seed, heard=one.heard, sent=one.sent
            )
        else:
            yield to_prediction(request, Reply(None, one, 0.0), model=model.name, seed=seed)


def _given(model: Model, dataset: Dataset, batch: Sequence[Request], seed: int) -> list[_Given | str]:
    """What each request sends, or why it cannot. Media are read once for all examples of a record."""
    made: dict[tuple[int, str], _Given | str] = {}
    for request in batch:
        key = (request.record_index, request.condition)
        if key not in made:
            try:
                made[key] = _give(model, dataset, request, seed)
            except Exception as error:  # media can be broken in any way; only this record may suffer
                made[key] = in_one_line(error)
    return [made[request.record_index, request.condition] for request in batch]


def _give(model: Model, dataset: Dataset, request: Request, seed: int) -> _Given:
    own = Media(_sound(model, dataset, request.record_index), _picture(dataset, request.record_index))
    partner = None
    if request.partner_index is not None and request.partner_id is not None:
        partner = Partner(request.partner_id, Media(_sound(model, dataset, request.partner_index), None))
    sent = apply_condition(request.condition, request.record, seed, own, partner)
    sound = None if sent.sound is None else sent.sound()
    read = None if sound is None else lambda: sound
    given = Input(request.example, sent.picture, read, sent.gate)
    return _Given(given, None if sound is None else hear(sound), sent.note)


def _sound(model: Model, dataset: Dataset, index: int) -> ReadSound | None:
    sound = None if model.name == BASE else dataset.audio(index)
    return None if sound is None else lambda: sound


def _picture(dataset: Dataset, index: int) -> ReadPicture | None:
    image = dataset.image(index)
    return None if image is None else lambda: image


def _ask(model: Model, inputs: Sequence[Input]) -> list[Reply]:
    """Ask a batch; if it fails, ask one by one."""
    if not inputs:
        return []
    start = time.perf_counter()
    try:
        answers = list(model.answer(inputs))
        if len(answers) != len(inputs):
            raise ValueError(f"{len(answers)} answers to {len(inputs)} inputs")
    except Exception as error:  # a model can fail in any way; the other examples must not suffer
        if len(inputs) > 1:
            return [reply for given in inputs for reply in _ask(model, [given])]
        return [Reply(None, in_one_line(error), 1000 * (time.perf_counter() - start))]
    latency_ms = 1000 * (time.perf_counter() - start) / len(inputs)
    return [Reply(answer, None, latency_ms) for answer in answers]

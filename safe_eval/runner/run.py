"""run: ask a model every example of a dataset under every condition; one prediction per question asked."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec
import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.media.measure import pcm_hash, rms_db
from safe_data.records import Example, Record
from safe_eval.models.model import Answer, Input, Model
from safe_eval.prediction import BASE, Prediction, changes_sound, is_condition, range_error, unknown_condition
from safe_eval.runner.conditions import apply_condition, record_rng, swap_partners

if TYPE_CHECKING:
    from PIL.Image import Image

    from safe_data.media.sound import Sound

_LONGEST_ERROR = 500  # characters


class Dataset(Protocol):
    """What `run` needs of a dataset. `safe_data.shards.dataset.ShardDataset` has it."""

    def __len__(self) -> int: ...

    def record(self, index: int) -> Record: ...

    def audio(self, index: int) -> "Sound | None": ...

    def image(self, index: int) -> "Image | None": ...


class Request(NamedTuple):
    """One example to ask under one condition. Under `swap_audio` it names the record whose sound is sent."""

    record_index: int
    record: Record
    example: Example
    condition: str
    partner_index: int | None = None
    partner_id: str | None = None


class Reply(NamedTuple):
    """The answer to a request, or the error in its place, and how long it took."""

    answer: Answer | None
    error: str | None
    latency_ms: float


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


def to_prediction(
    request: Request, given: Input | None, reply: Reply, *, model: str, seed: int
) -> Prediction:
    """The prediction of one request, with the hash and level of the sound that was sent.

    An answer that a predictions file cannot hold becomes an error. `given` is None where the input could not
    be made.
    """
    sound = given.audio if given is not None else None
    rate = given.sample_rate_hz if given is not None else None
    row = Prediction(
        example_id=request.example.id,
        record_id=request.record.id,
        dataset=request.record.dataset,
        split=request.record.split,
        group=request.record.group,
        task=request.example.task,
        question_type=request.example.question_type,
        needs_audio=request.example.needs_audio,
        prompt=request.example.prompt,
        choices=request.example.choices,
        references=request.example.references,
        condition=request.condition,
        seed=seed,
        model=model,
        answer=None,
        latency_ms=round(reply.latency_ms, 3),
        audio_sha256=None if sound is None or rate is None else pcm_hash(sound[:, None], rate),
        audio_rms_db=None if sound is None else rms_db(np.square(sound, dtype=np.float64)),
        error=reply.error,
        metadata=_metadata(request, sound, rate) or None,
    )
    if reply.answer is None:
        return row
    try:
        answered = _with_answer(row, reply.answer)
        fault = range_error(answered)
    except (TypeError, ValueError, AttributeError) as error:
        fault = _in_one_line(error)
    if fault is None:
        return answered
    return msgspec.structs.replace(row, error=f"the model's answer cannot be used: {fault}")


def _check(model: Model, records: Sequence[Record], conditions: Sequence[str], batch_size: int) -> None:
    if batch_size < 1:
        raise InputError(f"batch_size {batch_size} is less than 1")
    if not any(record.examples for record in records):
        raise InputError(f"{len(records)} records ask nothing; predictions need examples")
    if not conditions or len(set(conditions)) < len(conditions):
        raise InputError(f"conditions {list(conditions)}: give at least one, and none twice")
    for condition in conditions:
        if not is_condition(condition):
            raise InputError(unknown_condition(condition))
        if changes_sound(condition) and not any(record.audio for record in records):
            raise InputError(f"{condition}: no record has a sound, so there is nothing to change")
        if condition == "mute_vision" and not any(record.image for record in records):
            raise InputError("mute_vision: no record has a picture, so there is nothing to change")
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
    with tqdm(total=len(requests), desc=model.name, unit="example", disable=None) as progress:
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


def _answer_batch(
    model: Model, dataset: Dataset, batch: Sequence[Request], seed: int
) -> Iterator[Prediction]:
    inputs = _inputs(model, dataset, batch, seed)
    replies = iter(_ask(model, [given for given in inputs if isinstance(given, Input)]))
    for request, given in zip(batch, inputs, strict=True):
        if isinstance(given, Input):
            yield to_prediction(request, given, next(replies), model=model.name, seed=seed)
        else:
            yield to_prediction(request, None, Reply(None, given, 0.0), model=model.name, seed=seed)


def _inputs(model: Model, dataset: Dataset, batch: Sequence[Request], seed: int) -> list[Input | str]:
    """The input of each request, or why there is none. Media are read once for all examples of a record."""
    made: dict[tuple[int, str], Input | str] = {}
    inputs: list[Input | str] = []
    for request in batch:
        key = (request.record_index, request.condition)
        if key not in made:
            try:
                made[key] = _input(model, dataset, request, seed)
            except Exception as error:  # media can be broken in any way; only this record may suffer
                made[key] = _in_one_line(error)
        given = made[key]
        inputs.append(replace(given, example=request.example) if isinstance(given, Input) else given)
    return inputs


def _input(model: Model, dataset: Dataset, request: Request, seed: int) -> Input:
    sound = None if model.name == BASE else dataset.audio(request.record_index)
    partner = None if request.partner_index is None else dataset.audio(request.partner_index)
    given = Input(
        example=request.example,
        image=dataset.image(request.record_index),
        audio=None if sound is None else sound.samples,
        sample_rate_hz=None if sound is None else sound.sample_rate_hz,
    )
    swapped_in = None if partner is None else (partner.samples, partner.sample_rate_hz)
    return apply_condition(request.condition, given, record_rng(seed, request.record.id), swapped_in)


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
        return [Reply(None, _in_one_line(error), 1000 * (time.perf_counter() - start))]
    latency_ms = 1000 * (time.perf_counter() - start) / len(inputs)
    return [Reply(answer, None, latency_ms) for answer in answers]


def _metadata(
    request: Request, sound: Float32[ndarray, " samples"] | None, rate: int | None
) -> dict[str, Any]:
    """The record's facts about this example; for `classify`, also the SNR and duration that slices need."""
    questions = request.record.metadata.get("questions")
    question = questions.get(request.example.id) if isinstance(questions, dict) else None
    metadata: dict[str, Any] = dict(question) if isinstance(question, dict) else {}
    if request.example.task == "classify":
        if isinstance(request.record.metadata.get("snr_db"), int | float):
            metadata["snr_db"] = request.record.metadata["snr_db"]
        if sound is not None and rate is not None:
            metadata["duration_seconds"] = round(len(sound) / rate, 3)
    if request.partner_id is not None:
        metadata["sound_of"] = request.partner_id
    return metadata


def _with_answer(row: Prediction, answer: Answer) -> Prediction:
    """The row with an answer in plain Python numbers: models may return NumPy's, which JSON cannot hold."""
    if not isinstance(answer.text, str):
        raise TypeError(f"text is a {type(answer.text).__name__}, not a str")
    probabilities = answer.choice_probabilities
    if probabilities is not None:
        probabilities = {str(choice): float(value) for choice, value in probabilities.items()}
    return msgspec.structs.replace(
        row,
        answer=str(answer.text),
        confidence=None if answer.confidence is None else float(answer.confidence),
        choice_probabilities=probabilities,
        consulted=None if answer.consulted is None else bool(answer.consulted),
        audio_tokens=None if answer.audio_tokens is None else int(answer.audio_tokens),
    )


def _in_one_line(error: Exception) -> str:
    """An exception's type and message on one line of bounded length."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:_LONGEST_ERROR]

"""run: ask a model every example of a dataset, under every condition."""

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
from safe_eval.prediction import BASE, CONDITIONS, Prediction, changes_sound, is_condition, range_error
from safe_eval.runner.conditions import apply_condition, record_rng, swap_partners

if TYPE_CHECKING:
    from PIL.Image import Image

    from safe_data.media.sound import Sound


class Clips(Protocol):
    """What is needed of a dataset; a ShardDataset has it."""

    def __len__(self) -> int: ...

    def record(self, index: int) -> Record: ...

    def audio(self, index: int) -> "Sound | None": ...

    def image(self, index: int) -> "Image | None": ...


def run(
    model: Model, dataset: Clips, conditions: Sequence[str], *, seed: int, batch_size: int = 32
) -> Iterator[Prediction]:
    """Ask a model every example under every condition, in that order; a row for each, errors too.

    What is random (noise, whose sound is swapped in) depends on the dataset and the seed, never on the
    model. The model named `base` is the one that cannot hear, and is given no sound. A batch that fails is
    asked again one by one, so that an error becomes the row of the example that causes it.

    Raises:
        InputError: at once for conditions that are unknown, given twice, or have nothing to change, and for
            a dataset without examples; at the end if not one example could be answered.
    """
    records = [dataset.record(place) for place in range(len(dataset))]
    _check(model, records, conditions, batch_size)
    jobs = _jobs(records, conditions, seed)
    return _predictions(model, dataset, jobs, seed, batch_size)


def _check(model: Model, records: Sequence[Record], conditions: Sequence[str], batch_size: int) -> None:
    if batch_size < 1:
        raise InputError(f"batch_size {batch_size} is less than 1")
    if not any(record.examples for record in records):
        raise InputError(f"{len(records)} records ask nothing; predictions need examples")
    if not conditions or len(set(conditions)) < len(conditions):
        raise InputError(f"conditions {list(conditions)}: give at least one, and none twice")
    for condition in conditions:
        if not is_condition(condition):
            raise InputError(f"unknown condition {condition!r}; there are {', '.join(CONDITIONS)}, snr_<n>db")
        if changes_sound(condition) and not any(record.audio for record in records):
            raise InputError(f"{condition}: no record has a sound, so there is nothing to change")
        if condition == "mute_vision" and not any(record.image for record in records):
            raise InputError("mute_vision: no record has a picture, so there is nothing to change")
        if changes_sound(condition) and model.name == BASE:
            raise InputError(f"{condition}: the base model is given no sound, so there is nothing to change")


class Job(NamedTuple):
    """What is asked; with `swap_audio`, whose sound is heard instead."""

    place: int
    record: Record
    example: Example
    condition: str
    swapped_place: int | None = None
    swapped_id: str | None = None


def _jobs(records: Sequence[Record], conditions: Sequence[str], seed: int) -> list[Job]:
    partners = swap_partners(records, seed) if "swap_audio" in conditions else {}
    jobs = []
    for condition in conditions:
        for place, record in enumerate(records):
            partner = partners.get(place) if condition == "swap_audio" else None
            partner_id = None if partner is None else records[partner].id
            jobs += [Job(place, record, e, condition, partner, partner_id) for e in record.examples]
    return jobs


def _predictions(
    model: Model, dataset: Clips, jobs: Sequence[Job], seed: int, batch_size: int
) -> Iterator[Prediction]:
    from tqdm import tqdm

    errors: list[str] = []
    with tqdm(total=len(jobs), desc=model.name, unit="example", disable=None) as progress:
        for start in range(0, len(jobs), batch_size):
            batch = jobs[start : start + batch_size]
            for prediction in _answer_batch(model, dataset, batch, seed):
                if prediction.error is not None:
                    errors.append(prediction.error)
                yield prediction
            progress.update(len(batch))
    if len(errors) == len(jobs):
        raise InputError(f"model {model.name!r} failed on all {len(jobs)} examples; the first: {errors[0]}")


def _answer_batch(model: Model, dataset: Clips, batch: Sequence[Job], seed: int) -> Iterator[Prediction]:
    inputs = _inputs(model, dataset, batch, seed)
    replies = iter(_ask(model, [given for given in inputs if isinstance(given, Input)]))
    for job, given in zip(batch, inputs, strict=True):
        if isinstance(given, Input):
            yield to_row(job, given, next(replies), model=model.name, seed=seed)
        else:
            yield to_row(job, None, Reply(None, given, 0.0), model=model.name, seed=seed)


def _inputs(model: Model, dataset: Clips, batch: Sequence[Job], seed: int) -> list[Input | str]:
    """Each job's input, or why it has none; media are read once for all examples of a record."""
    made: dict[tuple[int, str], Input | str] = {}
    inputs: list[Input | str] = []
    for job in batch:
        key = (job.place, job.condition)
        if key not in made:
            try:
                made[key] = _input(model, dataset, job, seed)
            except Exception as error:  # however the media are broken, it is a row of this record
                made[key] = in_short(error)
        given = made[key]
        inputs.append(replace(given, example=job.example) if isinstance(given, Input) else given)
    return inputs


def _input(model: Model, dataset: Clips, job: Job, seed: int) -> Input:
    sound = None if model.name == BASE else dataset.audio(job.place)
    other = None if job.swapped_place is None else dataset.audio(job.swapped_place)
    given = Input(
        example=job.example,
        image=dataset.image(job.place),
        audio=None if sound is None else sound.samples,
        sample_rate_hz=None if sound is None else sound.sample_rate_hz,
    )
    swapped = None if other is None else (other.samples, other.sample_rate_hz)
    return apply_condition(job.condition, given, record_rng(seed, job.record.id), swapped)


class Reply(NamedTuple):
    """An answer, or the error in its place, and how long it took."""

    answer: Answer | None
    error: str | None
    latency_ms: float


def _ask(model: Model, inputs: Sequence[Input]) -> list[Reply]:
    """Ask a batch; if it fails, ask one by one."""
    if not inputs:
        return []
    start = time.perf_counter()
    try:
        answers = list(model.answer(inputs))
        if len(answers) != len(inputs):
            raise ValueError(f"{len(answers)} answers to {len(inputs)} inputs")
    except Exception as error:  # a model may fail in any way; the other examples must not suffer
        if len(inputs) > 1:
            return [reply for given in inputs for reply in _ask(model, [given])]
        return [Reply(None, in_short(error), 1000 * (time.perf_counter() - start))]
    latency_ms = 1000 * (time.perf_counter() - start) / len(inputs)
    return [Reply(answer, None, latency_ms) for answer in answers]


_ERROR_CHARACTERS = 500


def to_row(job: Job, given: Input | None, reply: Reply, *, model: str, seed: int) -> Prediction:
    """The row of a job, with what was sent; an answer that no predictions file may hold becomes an error."""
    sound = given.audio if given is not None else None
    rate = given.sample_rate_hz if given is not None else None
    row = Prediction(
        example_id=job.example.id,
        record_id=job.record.id,
        dataset=job.record.dataset,
        split=job.record.split,
        group=job.record.group,
        task=job.example.task,
        question_type=job.example.question_type,
        needs_audio=job.example.needs_audio,
        prompt=job.example.prompt,
        choices=job.example.choices,
        references=job.example.references,
        condition=job.condition,
        seed=seed,
        model=model,
        answer=None,
        latency_ms=round(reply.latency_ms, 3),
        audio_sha256=None if sound is None or rate is None else pcm_hash(sound[:, None], rate),
        audio_rms_db=None if sound is None else rms_db(np.square(sound, dtype=np.float64)),
        error=reply.error,
        metadata=_facts(job, sound, rate) or None,
    )
    if reply.answer is None:
        return row
    try:
        answered = _answered(row, reply.answer)
        fault = range_error(answered)
    except (TypeError, ValueError, AttributeError) as error:
        fault = in_short(error)
    if fault is None:
        return answered
    return msgspec.structs.replace(row, error=f"the model's answer cannot be used: {fault}")


def _facts(job: Job, sound: Float32[ndarray, " samples"] | None, rate: int | None) -> dict[str, Any]:
    """What the record says of this example; of a sound to be classified, what its scores are split by."""
    questions = job.record.metadata.get("questions")
    told = questions.get(job.example.id) if isinstance(questions, dict) else None
    facts: dict[str, Any] = dict(told) if isinstance(told, dict) else {}
    if job.example.task == "classify":
        if isinstance(job.record.metadata.get("snr_db"), int | float):
            facts["snr_db"] = job.record.metadata["snr_db"]
        if sound is not None and rate is not None:
            facts["duration_seconds"] = round(len(sound) / rate, 3)
    if job.swapped_id is not None:
        facts["sound_of"] = job.swapped_id
    return facts


def in_short(error: Exception) -> str:
    """An exception in one line of bounded length."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:_ERROR_CHARACTERS]


def _answered(row: Prediction, answer: Answer) -> Prediction:
    """The answer in plain numbers: models may return those of NumPy, which JSON cannot hold."""
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

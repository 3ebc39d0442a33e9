"""Job: one example under one condition, and the row that its reply becomes."""

from typing import Any, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from safe_data.measure import pcm_hash, rms_db
from safe_data.records import Example, Record
from safe_eval.models import Answer, Input
from safe_eval.predictions import Prediction, range_error

_ERROR_CHARACTERS = 500


class Job(NamedTuple):
    """What is asked; with `swap_audio`, whose sound is heard instead."""

    place: int
    record: Record
    example: Example
    condition: str
    swapped_place: int | None = None
    swapped_id: str | None = None


class Reply(NamedTuple):
    """An answer, or the error in its place, and how long it took."""

    answer: Answer | None
    error: str | None
    latency_ms: float


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

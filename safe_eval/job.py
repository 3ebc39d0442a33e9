"""Job: one example under one condition, and the row that its reply becomes."""

import hashlib
from typing import NamedTuple

import msgspec
import numpy as np
from jaxtyping import Float32
from numpy import ndarray

from safe_data.records import Example, Record
from safe_eval.models import Answer, Input
from safe_eval.predictions import Prediction, range_error

_SILENCE_DB = -120.0  # what digital silence counts as, as in the manifest of a dataset
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
        audio_sha256=None if sound is None or rate is None else sound_sha256(sound, rate),
        audio_rms_db=None if sound is None else _rms_db(sound),
        error=reply.error,
        metadata=None if job.swapped_id is None else {"sound_of": job.swapped_id},
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


def in_short(error: Exception) -> str:
    """An exception in one line of bounded length."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:_ERROR_CHARACTERS]


def sound_sha256(samples: Float32[ndarray, " samples"], sample_rate_hz: int) -> str:
    """The hash of a sound as it is sent; the manifest's `pcm_sha256` for a clip of one channel, unchanged."""
    header = f"{sample_rate_hz} Hz 1 channels float32\n".encode()
    return hashlib.sha256(header + samples.astype("<f4").tobytes()).hexdigest()


def _rms_db(samples: Float32[ndarray, " samples"]) -> float:
    if not len(samples):
        return _SILENCE_DB
    power = float(np.square(samples, dtype=np.float64).mean())
    return round(max(_SILENCE_DB, 10 * float(np.log10(power))), 3) if power > 0 else _SILENCE_DB


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

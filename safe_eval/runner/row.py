"""Row: one request and its reply as a prediction, with what was sent and how the model answered."""

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from safe_data.media.measure import pcm_hash, rms_db
from safe_data.records import Example, Record
from safe_eval.models.model import Answer
from safe_eval.prediction import Prediction, range_error

if TYPE_CHECKING:
    from safe_data.media.sound import Sound

_LONGEST_ERROR = 500  # characters


class Request(NamedTuple):
    """One example to ask under one condition; it names the record whose sound or picture is sent instead."""

    record_index: int
    record: Record
    example: Example
    condition: str
    partner_index: int | None = None
    partner_id: str | None = None
    contradicts: str | None = None  # the answer that the sound sent under `contradict` supports


class Reply(NamedTuple):
    """The answer to a request, or the error in its place, and how long it took if that was measured."""

    answer: Answer | None
    error: str | None
    latency_ms: float | None


class Heard(NamedTuple):
    """Facts about the sound of a request, as it was sent: one channel at its own rate."""

    sha256: str
    rms_db: float
    duration_seconds: float


def to_prediction(
    request: Request,
    reply: Reply,
    *,
    model: str,
    seed: int,
    heard: Heard | None = None,
    sent: dict[str, Any] | None = None,
) -> Prediction:
    """The prediction of one request; `heard` and `sent` say what was sent, None where there was no sound.

    An answer that a predictions file cannot hold becomes an error.
    """
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
        latency_ms=None if reply.latency_ms is None else round(reply.latency_ms, 3),
        audio_sha256=None if heard is None else heard.sha256,
        audio_rms_db=None if heard is None else heard.rms_db,
        error=reply.error,
        metadata=_metadata(request, heard, sent) or None,
    )
    if reply.answer is None:
        return row
    if reply.answer.error is not None:
        return msgspec.structs.replace(row, error=_one_line(reply.answer.error))
    try:
        answered = _with_answer(row, reply.answer)
        fault = range_error(answered)
    except (TypeError, ValueError, AttributeError) as error:
        fault = in_one_line(error)
    if fault is None:
        return answered
    return msgspec.structs.replace(row, error=f"the model's answer cannot be used: {fault}")


def hear(sound: "Sound") -> Heard:
    """The facts of a sound that is sent."""
    samples = sound.samples
    return Heard(
        sha256=pcm_hash(samples[:, None], sound.sample_rate_hz),
        rms_db=rms_db(np.square(samples, dtype=np.float64)),
        duration_seconds=sound.duration_seconds,
    )


def _metadata(request: Request, heard: Heard | None, sent: dict[str, Any] | None) -> dict[str, Any]:
    """What was sent, and the record's facts about this example; for `classify`, also those slices need."""
    questions = request.record.metadata.get("questions")
    question = questions.get(request.example.id) if isinstance(questions, dict) else None
    metadata: dict[str, Any] = dict(question) if isinstance(question, dict) else {}
    if request.example.task == "classify":
        if isinstance(request.record.metadata.get("snr_db"), int | float):
            metadata["snr_db"] = request.record.metadata["snr_db"]
        if heard is not None:
            metadata["duration_seconds"] = round(heard.duration_seconds, 3)
    if request.partner_id is not None:
        name = "picture_of" if request.condition == "swap_vision" else "sound_of"
        metadata[name] = request.partner_id
    if request.contradicts is not None:
        metadata["contradicts"] = request.contradicts
    if sent is not None:
        metadata["sent"] = sent
    return metadata


def _with_answer(row: Prediction, answer: Answer) -> Prediction:
    """The row with an answer in plain Python numbers: models may return NumPy's, which JSON cannot hold."""
    if not isinstance(answer.text, str):
        raise TypeError(f"text is a {type(answer.text).__name__}, not a str")
    metadata = {**(row.metadata or {}), **(answer.metadata or {})}
    probabilities = answer.choice_probabilities
    if probabilities is not None:
        probabilities = {str(choice): float(value) for choice, value in probabilities.items()}
    return msgspec.structs.replace(
        row,
        answer=str(answer.text),
        confidence=_plain(answer.confidence),
        choice_probabilities=probabilities,
        consulted=None if answer.consulted is None else bool(answer.consulted),
        audio_tokens=None if answer.audio_tokens is None else int(answer.audio_tokens),
        gate_score=_plain(answer.gate_score),
        gate_ms=_plain(answer.gate_ms),
        influence_kl=_plain(answer.influence_kl),
        metadata=metadata or None,
    )


def _plain(value: float | None) -> float | None:
    return None if value is None else float(value)


def in_one_line(error: Exception) -> str:
    """An exception's type and message on one line of bounded length."""
    return _one_line(f"{type(error).__name__}: {error}")


def _one_line(text: str) -> str:
    return " ".join(str(text).split())[:_LONGEST_ERROR]

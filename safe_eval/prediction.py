"""Prediction: what one model said to one example under one condition. One row of a predictions file."""

import math
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec

from safe_eval.condition import KNOWN, condition_hint, is_condition

BASE = "base"  # the model without hearing, the baseline of every comparison

_NAMES = ("dataset", "group", "model", "prompt_id")  # that may not be blank
_names = attrgetter(*_NAMES)
_LONGEST_QUOTED = 80  # characters of a text that an error message repeats


# gc=False: rows hold no reference cycles, and a file is read in half the time when they are not tracked.
class Prediction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, gc=False):
    """What one model said to one example under one condition.

    Probabilities and `gate_score` lie in [0, 1], `latency_ms` and `gate_ms` (the gate's part of it) are in
    milliseconds, `audio_rms_db` is in dBFS. `influence_kl` is KL(gate off ‖ as answered) of the first answer
    token, in nats: how far the sound moved what the model was about to say.
    `prompt_id` names a wording of the question, where an example is asked in several.
    `scores` holds what another harness scored this answer, by its own names.
    `references` holds one answer per annotator: an answer that two annotators gave stands there twice. It may
    be empty where another harness has scored the answer: then no rule here does.
    """

    example_id: str
    references: tuple[str, ...]
    answer: str | None
    record_id: str | None = None
    dataset: str | None = None
    split: str | None = None
    group: str | None = None
    task: str | None = None
    question_type: str | None = None
    needs_audio: bool | None = None
    prompt: str | None = None
    prompt_id: str | None = None
    choices: tuple[str, ...] | None = None
    condition: str = "full"
    seed: int = 0
    model: str = "model"
    confidence: float | None = None
    choice_probabilities: dict[str, float] | None = None
    consulted: bool | None = None
    audio_tokens: int | None = None
    gate_score: float | None = None
    gate_ms: float | None = None
    influence_kl: float | None = None
    latency_ms: float | None = None
    audio_sha256: str | None = None
    audio_rms_db: float | None = None
    scores: dict[str, float] | None = None
    error: str | None = None
    metadata: dict[str, Any] | None = None


def quoted(text: object) -> str:
    """A name in quotes for an error message, cut off where it is absurdly long.

    >>> quoted("clotho-17")
    "'clotho-17'"
    """
    short = repr(text[: _LONGEST_QUOTED + 1] if isinstance(text, str) else text)
    return short if len(short) <= _LONGEST_QUOTED + 2 else short[:_LONGEST_QUOTED] + "…'"


def is_blank(text: str) -> bool:
    """Whether a text shows nothing: no characters, or only blanks and invisible ones.

    >>> is_blank(" \u200b"), is_blank("0")
    (True, False)
    """
    if text.isprintable():  # nearly every text
        return not text or text.isspace()
    return not any(map(_shows, text))


def _shows(character: str) -> bool:
    return character.isprintable() and not character.isspace()


def range_error(row: Prediction) -> str | None:
    """What is out of range in a row and what to write instead; None for a valid row."""
    fault = _out_of_range(row)
    return None if fault is None else f"{quoted(row.example_id)}: {fault}"


@lru_cache(maxsize=4096)  # many rows have the same names
def _blank_name(names: tuple[str | None, ...]) -> str | None:
    for field, name in zip(_NAMES, names, strict=True):
        if name is not None and is_blank(name):
            return _blank(field)
    return None


def _blank(field: str) -> str:
    return f"{field} is blank; write a name, or leave the field out"


def _out_of_range(row: Prediction) -> str | None:
    if is_blank(row.example_id):
        return f"example_id is {'blank' if row.example_id else 'empty'}; give each example its own id"
    if row.record_id is not None and is_blank(row.record_id):
        return _blank("record_id")
    if (fault := _blank_name(_names(row))) is not None:
        return fault
    if not row.references and row.error is None and not row.scores:
        return "references is empty; give at least one, or another harness's own 'scores'"
    if not is_condition(row.condition):
        hint = condition_hint(row.condition)
        return f"condition {quoted(row.condition)} is not one of {KNOWN}{hint and '; '}{hint}"
    if row.answer is None and row.error is None:
        return "answer is null; write the text, or say in 'error' why there is none"
    if row.confidence is not None and not 0 <= row.confidence <= 1:
        return f"confidence {row.confidence} is outside [0, 1]; write probabilities, not logits"
    if row.gate_score is not None and not 0 <= row.gate_score <= 1:
        return f"gate_score {row.gate_score} is outside [0, 1]; 0 is closed and 1 is fully open"
    for choice, value in (row.choice_probabilities or {}).items():
        if not 0 <= value <= 1:
            return f"probability {value} of choice {quoted(choice)} is outside [0, 1]"
    if row.latency_ms is not None and not (row.latency_ms >= 0 and math.isfinite(row.latency_ms)):
        return f"latency_ms {row.latency_ms} is not a time"
    if row.gate_ms is not None and not 0 <= row.gate_ms < math.inf:
        return f"gate_ms {row.gate_ms} is not a time; write milliseconds, 0 or more"
    if row.influence_kl is not None and not 0 <= row.influence_kl < math.inf:
        return f"influence_kl {row.influence_kl} is no divergence; write nats, 0 or more"
    for metric, value in (row.scores or {}).items():
        if is_blank(metric) or not math.isfinite(value):
            return f"score {value} of {quoted(metric)} is not a number under a name; leave it out"
    if row.audio_rms_db is not None and not math.isfinite(row.audio_rms_db):
        return f"audio_rms_db {row.audio_rms_db} is not a level; digital silence is written as -120"
    return None

"""Prediction and condition: one self-contained row an (example, condition, seed); read and write them.

One file is enough to score anyone's model: JSON Lines, or Parquet with the same columns.
"""

import difflib
import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from safe_data.errors import InputError, raise_row_errors

# What was done to the input before the model saw it; `snr_10db` stands for any `snr_<n>db`.
CONDITIONS = {
    "full": "nothing",
    "mute_audio": "the sound replaced by digital silence of the same length",
    "noise_audio": "the sound replaced by noise of the same loudness",
    "swap_audio": "the sound replaced by that of a clip of another group",
    "mute_vision": "the picture replaced by a uniform grey one",
    "gate_off": "the audio pathway switched off",
}
_SNR_CONDITION = re.compile(r"snr_(-?\d{1,3})db")


class Prediction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one model said to one example under one condition.

    Probabilities lie in [0, 1], `latency_ms` is in milliseconds, `audio_rms_db` in dBFS. `references` are the
    annotators' answers, one an annotator: the same answer given twice counts twice.
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
    choices: tuple[str, ...] | None = None
    condition: str = "full"
    seed: int = 0
    model: str = "model"
    confidence: float | None = None
    choice_probabilities: dict[str, float] | None = None
    consulted: bool | None = None
    audio_tokens: int | None = None
    latency_ms: float | None = None
    audio_sha256: str | None = None
    audio_rms_db: float | None = None
    error: str | None = None
    metadata: dict[str, Any] | None = None


Row = bytes | dict[str, Any]

_FIELDS = [field.name for field in msgspec.structs.fields(Prediction)]
_REQUIRED = ("example_id", "references", "answer")
_TRUTH = ("record_id", "group", "question_type", "needs_audio", "references")
_DICTS = ("choice_probabilities", "metadata")
_decoder = msgspec.json.Decoder(Prediction)


def is_condition(name: str) -> bool:
    """Whether a condition is one of ours, so that a misspelt one cannot pass as a new one."""
    return name in CONDITIONS or snr_db(name) is not None


def snr_db(condition: str) -> int | None:
    """The dB of a condition `snr_<n>db`, or None for any other.

    >>> snr_db("snr_-5db"), snr_db("full")
    (-5, None)
    """
    match = _SNR_CONDITION.fullmatch(condition)
    return int(match[1]) if match else None


def read_predictions(*paths: str | os.PathLike[str]) -> list[Prediction]:
    """Read predictions files as one, every row checked; all faulty rows are reported at once.

    Raises:
        InputError: no such file, an empty file, rows that are not predictions, an answer given twice, or
            an example whose references or group are not the same in all its rows.
    """
    predictions: list[Prediction] = []
    errors: list[str] = []
    answered: dict[tuple[object, ...], str] = {}
    truths: dict[tuple[str | None, str], tuple[str, Prediction]] = {}
    for path in map(Path, paths):
        before = len(predictions) + len(errors)
        for number, row in _rows(path):
            place = f"{path.name}:{number}"
            prediction = _prediction(row)
            if isinstance(prediction, str):
                errors.append(f"{place} {prediction}")
                continue
            example = (prediction.dataset, prediction.example_id)
            first = answered.setdefault((*example, *_cell(prediction)), place)
            first_place, first_row = truths.setdefault(example, (place, prediction))
            if first != place:
                errors.append(f"{place} {_twice(prediction, first)}")
            elif (differing := _differing(prediction, first_row)) is not None:
                errors.append(
                    f"{place} {prediction.example_id!r}: {differing} is not that of {first_place}; "
                    "one example has one truth, give different examples different ids"
                )
            predictions.append(prediction)
        if len(predictions) + len(errors) == before:
            raise InputError(f"{path}: holds no predictions; an empty file has no score")
    raise_row_errors(errors, ", ".join(Path(path).name for path in paths))
    return predictions


def write_predictions(path: str | os.PathLike[str], predictions: Iterable[Prediction]) -> None:
    """Write JSON Lines in one piece: a reader sees the old file or the new one, never a half."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    encoder = msgspec.json.Encoder()
    try:
        with part.open("wb") as file:
            for prediction in predictions:
                file.write(encoder.encode(prediction) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def file_sha256(path: str | os.PathLike[str]) -> str:
    """The hash that outputs record for the files they were computed from."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def select(predictions: Sequence[Prediction], **fields: object) -> list[Prediction]:
    """The predictions whose fields equal those given, for example `condition="full", model="base"`."""
    return [p for p in predictions if all(getattr(p, name) == value for name, value in fields.items())]


def range_error(row: Prediction) -> str | None:
    """What is out of range in a row, with what to write instead; None for a sound one."""
    name = repr(row.example_id)
    if not row.references and row.error is None:
        return f"{name}: references is empty; give at least one"
    if not is_condition(row.condition):
        near = difflib.get_close_matches(row.condition, CONDITIONS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        return f"{name}: condition {row.condition!r} is none of {', '.join(CONDITIONS)}, snr_<n>db{hint}"
    if row.answer is None and row.error is None:
        return f"{name}: answer is null; write the text, or say in 'error' why there is none"
    if row.confidence is not None and not 0 <= row.confidence <= 1:
        return f"{name}: confidence {row.confidence} is outside [0, 1]; write probabilities, not logits"
    for choice, value in (row.choice_probabilities or {}).items():
        if not 0 <= value <= 1:
            return f"{name}: probability {value} of choice {choice!r} is outside [0, 1]"
    if row.latency_ms is not None and not (row.latency_ms >= 0 and math.isfinite(row.latency_ms)):
        return f"{name}: latency_ms {row.latency_ms} is not a time"
    return None


def _cell(row: Prediction) -> tuple[str, str, int]:
    return row.model, row.condition, row.seed


def _twice(row: Prediction, first: str) -> str:
    return (
        f"{row.example_id!r}: already answered at {first} by model {row.model!r} under {row.condition!r}, "
        f"seed {row.seed}; keep one"
    )


def _differing(row: Prediction, first: Prediction) -> str | None:
    """The name of the first fact about the example on which two of its rows disagree."""
    for name in _TRUTH:
        if getattr(row, name) != getattr(first, name) and not (name == "references" and row.error):
            return name
    return None


def _rows(path: Path) -> Iterator[tuple[int, Row]]:
    if not path.is_file():
        raise InputError(f"{path}: no such predictions file")
    if path.suffix == ".parquet":
        yield from _parquet_rows(path)
        return
    with path.open("rb") as file:
        yield from ((number, line) for number, line in enumerate(file, 1) if not line.isspace())


def _parquet_rows(path: Path) -> Iterator[tuple[int, Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path}: is not a Parquet file: {error}") from None
    number = 0
    for batch in file.iter_batches(batch_size=8192):
        for row in batch.to_pylist():
            number += 1
            yield (
                number,
                {name: _from_json_text(value) if name in _DICTS else value for name, value in row.items()},
            )


def _from_json_text(value: Any) -> Any:
    """Dicts whose keys differ by row are stored as JSON in a text column; what is none is refused later."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        return value


def _prediction(row: Row) -> Prediction | str:
    """The row as a Prediction, or what is wrong with it: expected and fix."""
    try:
        prediction = _decoder.decode(row) if isinstance(row, bytes) else msgspec.convert(row, Prediction)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _fault(row, error)
    return range_error(prediction) or prediction


def _fault(row: Row, error: Exception) -> str:
    """What is wrong with a row that is no Prediction, in words a user can act on."""
    if isinstance(row, bytes):
        try:
            fields = msgspec.json.decode(row)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            cut = " (the file was cut off here?)" if not row.endswith(b"\n") else ""
            return f"is not a JSON object: {error}{cut}; write one object a line"
        if not isinstance(fields, dict):
            return "is not a JSON object; write one object a line"
        row = fields
    name = repr(row.get("example_id", "?"))
    missing = [field for field in _REQUIRED if field not in row]
    for field in row:
        if field not in _FIELDS:
            near = difflib.get_close_matches(field, _FIELDS, 1)
            hint = f"did you mean {near[0]!r}?" if near else "put facts of your own under 'metadata'"
            return f"{name}: unknown field {field!r}; {hint}"
    if missing:
        needs = ", ".join(_REQUIRED)
        return f"{name}: has no {' and no '.join(map(repr, missing))}; each row needs {needs}"
    return f"{name}: {error}"

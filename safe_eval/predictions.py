"""Prediction and Condition: one self-contained row an (example, condition, seed); read and write them.

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
_SNR_CONDITION = re.compile(r"snr_-?\d+db")


class Prediction(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What one model said to one example under one condition. Probabilities in [0, 1], times in ms, RMS in dBFS."""

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


_FIELDS = [field.name for field in msgspec.structs.fields(Prediction)]
_REQUIRED = ("example_id", "references", "answer")


def is_condition(name: str) -> bool:
    """Whether a condition is one of ours, so that a misspelt one cannot pass as a new one."""
    return name in CONDITIONS or _SNR_CONDITION.fullmatch(name) is not None


def read_predictions(path: str | os.PathLike[str]) -> list[Prediction]:
    """Read a predictions file, every row checked; all faulty rows are reported at once.

    Raises:
        InputError: no such file, an empty file, or rows that are not predictions.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path}: no such predictions file")
    rows = _parquet_rows(path) if path.suffix == ".parquet" else _json_lines(path)
    predictions: list[Prediction] = []
    errors: list[str] = []
    seen: dict[tuple[str, str, str, int], int] = {}
    for number, row in rows:
        prediction = row if isinstance(row, str) else _prediction(row)
        if isinstance(prediction, str):
            errors.append(f"{path.name}:{number} {prediction}")
            continue
        key = (prediction.example_id, prediction.model, prediction.condition, prediction.seed)
        first = seen.setdefault(key, number)
        if first != number:
            errors.append(
                f"{path.name}:{number} {prediction.example_id!r}: already answered on line {first} by model "
                f"{prediction.model!r} under {prediction.condition!r}, seed {prediction.seed}; keep one"
            )
        predictions.append(prediction)
    raise_row_errors(errors, str(path))
    if not predictions:
        raise InputError(f"{path}: holds no predictions; an empty file has no score")
    return predictions


def write_predictions(path: str | os.PathLike[str], predictions: Iterable[Prediction]) -> None:
    """Write JSON Lines in one piece: a reader sees the old file or the new one, never a half."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    encoder = msgspec.json.Encoder()
    with part.open("wb") as file:
        for prediction in predictions:
            file.write(encoder.encode(prediction) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def file_sha256(path: str | os.PathLike[str]) -> str:
    """The hash that outputs record for the files they were computed from."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Each line's number with its object, or with what is wrong with it."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                cut = " (the file was cut off here?)" if not line.endswith(b"\n") else ""
                yield number, f"is not a JSON object: {error}{cut}; write one object a line"
                continue
            yield number, row if isinstance(row, dict) else "is not a JSON object; write one object a line"


def _parquet_rows(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
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
            for name in ("choice_probabilities", "metadata"):
                if isinstance(row.get(name), str):
                    row[name] = json.loads(row[name])
            yield number, row


def _prediction(row: dict[str, Any]) -> Prediction | str:
    """The row as a Prediction, or what is wrong with it: expected and fix."""
    name = repr(row.get("example_id", "?"))
    missing = [field for field in _REQUIRED if field not in row]
    if missing:
        return (
            f"{name}: has no {' and no '.join(repr(field) for field in missing)}; each row needs {_REQUIRED}"
        )
    for field in row:
        if field not in _FIELDS:
            near = difflib.get_close_matches(field, _FIELDS, 1)
            hint = f"did you mean {near[0]!r}?" if near else "put facts of your own under 'metadata'"
            return f"{name}: unknown field {field!r}; {hint}"
    try:
        prediction = msgspec.convert(row, Prediction)
    except msgspec.ValidationError as error:
        return f"{name}: {error}"
    return _range_error(prediction) or prediction


def _range_error(row: Prediction) -> str | None:
    name = repr(row.example_id)
    if not row.references and row.error is None:
        return f"{name}: references is empty; give at least one"
    if not is_condition(row.condition):
        return f"{name}: condition {row.condition!r} is none of {', '.join(CONDITIONS)}, snr_<n>db"
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


def select(predictions: Sequence[Prediction], **fields: object) -> list[Prediction]:
    """The predictions whose fields equal those given, for example `condition="full", model="base"`."""
    return [p for p in predictions if all(getattr(p, name) == value for name, value in fields.items())]

"""Predictions: one self-contained row an (example, condition, seed); read and write files of them.

One file is enough to score anyone's model: JSON Lines, or Parquet with the same columns.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path

import msgspec

from safe_data.errors import InputError, raise_row_errors
from safe_eval.prediction import CONDITIONS, Prediction, is_condition, quoted, range_error, snr_db
from safe_eval.rows import partial_line, rows_of

__all__ = [
    "CONDITIONS",
    "Prediction",
    "file_sha256",
    "is_condition",
    "partial_line",
    "partial_notes",
    "range_error",
    "read_predictions",
    "select",
    "snr_db",
    "write_predictions",
]

_TRUTH = ("record_id", "group", "question_type", "needs_audio", "references")
_truth = attrgetter(*_TRUTH)


def read_predictions(*paths: str | os.PathLike[str], allow_partial: bool = False) -> list[Prediction]:
    """Read predictions files as one, every row checked; all faulty rows are reported at once.

    With `allow_partial` a last line that was cut off (`partial_line`) is left out.

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
        left_out = partial_line(path) if allow_partial and path.is_file() else None
        unnamed: list[str] = []  # places of rows that would be taken for the untouched input
        for number, prediction, names_condition in rows_of(path):
            place = f"{path.name}:{number}"
            if number == left_out:
                continue
            if not names_condition:
                unnamed.append(place)
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
                    f"{place} {quoted(prediction.example_id)}: {differing} is not that of {first_place}; "
                    "one example has one truth, give different examples different ids"
                )
            predictions.append(prediction)
        if unnamed and any(row.condition != "full" for row in predictions[before:]):
            fix = "names no 'condition', as others do; write full for the untouched input"
            errors += [f"{place} {fix}" for place in unnamed]
        if len(predictions) + len(errors) == before:
            raise InputError(f"{path}: holds no predictions; an empty file has no score")
    raise_row_errors(errors, ", ".join(Path(path).name for path in paths))
    return predictions


def partial_notes(paths: Iterable[Path]) -> Iterator[str]:
    """A line for each file whose last line was cut off, for those who left it out."""
    for path in paths:
        if (number := partial_line(path)) is not None:
            yield f"{path.name}: its last line, {number}, was cut off and is left out; the run is unfinished"


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


def _cell(row: Prediction) -> tuple[str, str, int]:
    return row.model, row.condition, row.seed


def _twice(row: Prediction, first: str) -> str:
    return (
        f"{quoted(row.example_id)}: already answered at {first} by model {quoted(row.model)} under "
        f"{row.condition!r}, seed {row.seed}; keep one"
    )


def _differing(row: Prediction, first: Prediction) -> str | None:
    """The name of the first fact about the example on which two of its rows disagree."""
    if row is first or _truth(row) == _truth(first):
        return None
    for name in _TRUTH:
        if getattr(row, name) != getattr(first, name) and not (name == "references" and row.error):
            return name
    return None

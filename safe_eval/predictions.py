"""Predictions: read and write files of them, as JSON Lines or as Parquet with the same columns.

A file holds one self-contained row per example, condition and seed, so one file is enough to score any model.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path

import msgspec

from safe_data.core.errors import ROW_ERRORS_SHOWN, InputError, raise_row_errors
from safe_data.core.files import committing
from safe_eval.annotator_rows import AnnotatorRow, AnnotatorRows
from safe_eval.choice_references import settled
from safe_eval.prediction import Prediction, quoted
from safe_eval.prediction_row import Raw, is_json, names_condition, prediction_line, prediction_of

_TRUTH = (
    "record_id",
    "group",
    "question_type",
    "needs_audio",
    "references",
)  # the same in all rows of an example
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PARQUET = b"PAR1"
_REFUSED_STARTS = {
    b"\x1f\x8b": "is compressed with gzip; unpack it first: gunzip",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd; unpack it first: unzstd",
    b"PK\x03\x04": "is a zip file, as spreadsheets are; unpack it, or write its rows as JSON Lines",
    b"\xff\xfe": "is UTF-16; save it as UTF-8",
    b"\xfe\xff": "is UTF-16; save it as UTF-8",
    b"[": "is a JSON array; write one object per line, for example with: jq -c '.[]'",
}
_BLOCK_BYTES = 1 << 16

_Example = tuple[str | None, str]  # dataset and example id
_Place = tuple[str, int]  # file name and row number
_truth = attrgetter(*_TRUTH)


def _check_once(paths: Sequence[Path]) -> None:
    """Refuse a file that is given twice; each of its rows would be said to be answered twice."""
    known: set[Path] = set()
    for path in paths:
        if path.resolve() in known:
            raise InputError(f"{path}: is given twice; give each file once")
        known.add(path.resolve())


def read_predictions(*paths: str | os.PathLike[str], allow_partial: bool = False) -> list[Prediction]:
    """Read one or several predictions files as one, check every row, and report all faulty rows at once.

    `allow_partial` leaves out a last line that was cut off (see `partial_line`). Rows of one prediction that
    name an `annotator` become one, with the references of all annotators.

    Raises:
        InputError: a file does not exist or holds no rows; a row is not a prediction; an example is answered
            twice by the same model under the same condition, seed and prompt; two rows of one example differ
            in its references, record, group, question type or `needs_audio`; or a reference names none of the
            row's choices (see `choice_references.settled`).
    """
    predictions: list[Prediction] = []
    places: dict[int, _Place] = {}  # of the predictions with choices
    errors: list[str] = []
    seen = _Seen({}, {})
    _check_once([Path(path) for path in paths])
    for path in map(Path, paths):
        before = len(predictions) + len(errors)
        left_out = partial_line(path) if allow_partial and path.is_file() else None
        name, unnamed = path.name, []  # where a row names no condition and would pass for the untouched input
        annotators = AnnotatorRows(path.name)
        for number, raw in raw_rows(path):
            if number == left_out:
                continue
            if not names_condition(raw):
                unnamed.append(number)
            prediction = prediction_of(raw, explain=len(errors) < ROW_ERRORS_SHOWN)
            if isinstance(prediction, str):
                errors.append(f"{name}:{number} {prediction}")
                continue
            if type(prediction) is AnnotatorRow:
                if (fault := annotators.fault(prediction, number)) is not None:
                    errors.append(f"{name}:{number} {fault}")
                continue
            if (fault := seen.fault(prediction, (name, number))) is not None:
                errors.append(f"{name}:{number} {fault}")
            if prediction.choices:
                places[len(predictions)] = name, number
            predictions.append(prediction)
        if annotators.groups:
            fix = "names no 'annotator', but other rows do; write it in every row or in none"
            errors += [f"{name}:{number} {fix}" for number in seen.numbers(name)]
            for number, grouped in annotators.predictions():
                fault = grouped if isinstance(grouped, str) else seen.fault(grouped, (name, number))
                errors += [] if fault is None else [f"{name}:{number} {fault}"]
                if not isinstance(grouped, str):
                    places[len(predictions)] = name, number
                    predictions.append(grouped)
        if unnamed and any(row.condition != "full" for row in predictions[before:]):
            fix = "names no 'condition', but other rows do; write full for the untouched input"
            errors += [f"{name}:{number} {fix}" for number in unnamed]
        if len(predictions) + len(errors) == before:
            raise InputError(f"{path}: holds no predictions; an empty file has no score")
    predictions, faults = settled(predictions, lambda at: f"{places[at][0]}:{places[at][1]}")
    raise_row_errors([*errors, *faults], ", ".join(Path(path).name for path in paths))
    return predictions


def write_predictions(path: str | os.PathLike[str], predictions: Iterable[Prediction]) -> None:
    """Write JSON Lines in one step: a reader sees the old file or the new one, never half of it."""
    with committing(Path(path)) as file:
        for prediction in predictions:
            file.write(prediction_line(prediction))


def select(predictions: Sequence[Prediction], **fields: object) -> list[Prediction]:
    """The predictions whose fields have the given values, such as `condition="full", model="base"`."""
    return [p for p in predictions if all(getattr(p, name) == value for name, value in fields.items())]


def partial_line(path: Path) -> int | None:
    """The number of the last line if an interrupted run left it incomplete, or else None.

    A complete JSON object without a line feed at its end is not partial: other programs write it so.
    """
    with path.open("rb") as file:
        if file.read(len(_PARQUET)) == _PARQUET:
            return None
        last, end = b"", file.seek(0, os.SEEK_END)
        while end > 0 and b"\n" not in last:
            start = max(0, end - _BLOCK_BYTES)
            file.seek(start)
            last, end = file.read(end - start) + last, start
        line = last.rpartition(b"\n")[2]
        if not line.strip() or is_json(line):
            return None
        file.seek(0)
        return 1 + sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK_BYTES), b""))


def partial_notes(paths: Iterable[Path]) -> Iterator[str]:
    """One note per file whose last line is partial, for commands that leave such lines out."""
    for path in paths:
        if (number := partial_line(path)) is not None:
            yield f"{path.name}: its last line, {number}, was cut off and is left out; the run is unfinished"


@dataclass(frozen=True)
class _Seen:
    """Where each example was answered by each arm, and the first row of each example, which has its truth."""

    answers: dict[tuple[str, str, int, str | None], dict[_Example, _Place]]
    truths: dict[_Example, tuple[_Place, Prediction]]

    def fault(self, row: Prediction, place: _Place) -> str | None:
        """Remember a row; what is wrong with it beside the rows before it."""
        example = (row.dataset, row.example_id)
        answered = self.answers.setdefault((row.model, row.condition, row.seed, row.prompt_id), {})
        if (first := answered.setdefault(example, place)) is not place:
            same = row.references == self.truths[example][1].references
            return (
                f"{quoted(row.example_id)}: already answered at {first[0]}:{first[1]} by model "
                f"{quoted(row.model)} under {row.condition!r}, seed {row.seed}"
                f"{'' if row.prompt_id is None else f', prompt {quoted(row.prompt_id)}'}; keep one"
                f"{'' if same else ', or say in annotator who gave the references of each row'}"
            )
        first, truth = self.truths.setdefault(example, (place, row))
        if truth is row:
            return None
        if (field := _differing_truth(row, truth)) is not None:
            return (
                f"{quoted(row.example_id)}: {field} differs from {first[0]}:{first[1]}; "
                "one example has one truth, give different examples different ids"
            )
        if row.references == truth.references:  # texts that are the same are held once
            msgspec.structs.force_setattr(row, "references", truth.references)
        return None

    def numbers(self, file: str) -> list[int]:
        """The numbers of the rows of a file that were remembered."""
        places = [place for answers in self.answers.values() for place in answers.values()]
        return sorted(number for name, number in places if name == file)


def _differing_truth(row: Prediction, first: Prediction) -> str | None:
    """The first of the `_TRUTH` fields in which two rows of one example differ.

    References of rows with choices are compared by `choice_references`, once it is known what they name.
    """
    if _truth(row) == _truth(first):
        return None
    no_references = row.error or (row.choices and first.choices)
    for name in _TRUTH:
        if getattr(row, name) != getattr(first, name) and not (name == "references" and no_references):
            return name
    return None


def raw_rows(path: Path) -> Iterator[tuple[int, Raw]]:
    """Each row with its number from 1.

    Raises:
        InputError: the file does not exist or has another format.
    """
    if not path.exists():
        raise InputError(f"{path}: no such predictions file")
    if not path.is_file():
        raise InputError(f"{path}: is a {'folder' if path.is_dir() else 'pipe'}; give a file of predictions")
    with path.open("rb") as file:
        start = file.read(_BLOCK_BYTES).removeprefix(_BYTE_ORDER_MARK).lstrip(b" \t\r\n")
        if path.suffix == ".parquet" or start.startswith(_PARQUET):
            yield from _parquet_rows(path)
            return
        for refused, why in _REFUSED_STARTS.items():
            if start.startswith(refused):
                raise InputError(f"{path}: {why}")
        file.seek(0)
        for number, line in enumerate(file, 1):
            if not line.isspace():
                yield number, line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line


def _parquet_rows(path: Path) -> Iterator[tuple[int, Raw]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=8192):
            for row in batch.to_pylist():
                number += 1
                yield number, row
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        said = str(error).partition("\n")[0]
        whole = "is not a complete Parquet file" if not number else f"is broken after row {number}"
        raise InputError(f"{path}: {whole}: {said}") from None

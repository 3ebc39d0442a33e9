"""Rows: a predictions file read line by line, each line a Prediction or what is wrong with it."""

import difflib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from safe_data.errors import InputError
from safe_eval.prediction import Prediction, quoted, range_error

Row = bytes | dict[str, Any]

_FIELDS = [field.name for field in msgspec.structs.fields(Prediction)]
_REQUIRED = ("example_id", "references", "answer")
_DICTS = ("choice_probabilities", "metadata")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PARQUET = b"PAR1"
_REFUSED_STARTS = {
    b"\x1f\x8b": "is compressed with gzip; unpack it first: gunzip",
    b"\x28\xb5\x2f\xfd": "is compressed with zstd; unpack it first: unzstd",
    b"PK\x03\x04": "is a zip file; unpack it first",
    b"\xff\xfe": "is UTF-16; save it as UTF-8",
    b"\xfe\xff": "is UTF-16; save it as UTF-8",
    b"[": "is a JSON array; write one object a line, for example with: jq -c '.[]'",
}
_NOT_A_NUMBER = re.compile(rb"[:\[,]\s*(-?(?:NaN|Infinity))\b")
_BLOCK = 1 << 16
_decoder = msgspec.json.Decoder(Prediction)


def rows_of(path: Path) -> Iterator[tuple[int, Prediction | str, bool]]:
    """Each row of a file with its number from 1: a Prediction, or its fault, what to do about it included.

    With it, whether the row names its condition, or leaves it to be `full`.

    Raises:
        InputError: there is no such file, or it is of another format.
    """
    for number, row in _raw(path):
        # the quotes of a text that holds the word would be escaped
        named = b'"condition"' in row if isinstance(row, bytes) else "condition" in row
        yield number, _prediction(row), named


def partial_line(path: Path) -> int | None:
    """The number of a last line that was cut off, as an interrupted run leaves it; None where there is none.

    A line of JSON without the line feed at its end is whole: other programs write it so.
    """
    with path.open("rb") as file:
        if file.read(len(_PARQUET)) == _PARQUET:
            return None
        last, end = b"", file.seek(0, os.SEEK_END)
        while end > 0 and b"\n" not in last:
            start = max(0, end - _BLOCK)
            file.seek(start)
            last, end = file.read(end - start) + last, start
        line = last.rpartition(b"\n")[2]
        if not line.strip() or _is_json(line):
            return None
        file.seek(0)
        return 1 + sum(block.count(b"\n") for block in iter(lambda: file.read(_BLOCK), b""))


def _raw(path: Path) -> Iterator[tuple[int, Row]]:
    if not path.exists():
        raise InputError(f"{path}: no such predictions file")
    if not path.is_file():
        raise InputError(f"{path}: is a {'folder' if path.is_dir() else 'pipe'}; give a file of predictions")
    with path.open("rb") as file:
        start = file.read(_BLOCK).removeprefix(_BYTE_ORDER_MARK).lstrip(b" \t\r\n")
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


def _parquet_rows(path: Path) -> Iterator[tuple[int, Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=8192):
            for row in batch.to_pylist():
                number += 1
                dicts = {name: _dict(row[name]) for name in _DICTS if name in row}
                yield number, row | dicts
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        said = str(error).partition("\n")[0]
        whole = "is not a Parquet file, or not a whole one" if not number else f"is broken after row {number}"
        raise InputError(f"{path}: {whole}: {said}") from None


def _dict(value: Any) -> Any:
    """A dict as Parquet may hold it: JSON text, a map, or a struct, null where a row has no such key."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value  # refused later, with its place
    pairs = value.items() if isinstance(value, dict) else value
    return None if value is None else {key: held for key, held in pairs if held is not None}


def _prediction(row: Row) -> Prediction | str:
    """The row as a Prediction, or what is wrong with it: expected and fix."""
    try:
        prediction = _decoder.decode(row) if isinstance(row, bytes) else msgspec.convert(row, Prediction)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        return _fault(row, error)
    return range_error(prediction) or prediction


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _fault(row: Row, error: Exception) -> str:
    """What is wrong with a row that is no Prediction, in words a user can act on."""
    if isinstance(row, bytes):
        if not _is_json(row):
            return _not_json(row, error)
        row = msgspec.json.decode(row)
    if not isinstance(row, dict):
        return "is not a JSON object; write one object a line"
    name = quoted(row.get("example_id", "?"))
    missing = [field for field in _REQUIRED if field not in row]
    for field in row:
        if field not in _FIELDS:
            near = difflib.get_close_matches(field, _FIELDS, 1) if len(field) < 100 else []
            hint = f"did you mean {near[0]!r}?" if near else "put facts of your own under 'metadata'"
            return f"{name}: unknown field {quoted(field)}; {hint}"
    if missing:
        needs = ", ".join(_REQUIRED)
        return f"{name}: has no {' and no '.join(map(repr, missing))}; each row needs {needs}"
    if row["references"] is None or isinstance(row["references"], str):
        return f'{name}: {error}; references is a list of texts, such as ["yes"]'
    return f"{name}: {error}"


def _not_json(line: bytes, error: Exception) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as fault:
        if line.endswith(b"\n"):
            return (
                f"byte {fault.start + 1} (0x{line[fault.start]:02x}) is not UTF-8; "
                "write the file in UTF-8, every text in it too"
            )
    if not line.endswith(b"\n"):
        return (
            f"is not a JSON object: {error} (the file was cut off here?); finish the run, "
            "or leave this last line out with --allow-partial"
        )
    if (found := _NOT_A_NUMBER.search(line)) is not None:
        return f"{found[1].decode()} is not JSON; write null for a number there is not"
    return f"is not a JSON object: {error}; write one object a line"

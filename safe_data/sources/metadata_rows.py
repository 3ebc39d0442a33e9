"""Read the rows of a metadata.jsonl, metadata.csv or metadata.parquet; a row that cannot be read is a fault.

A fault concerns one row, and reading goes on with the next one.
"""

import codecs
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from safe_data.core.byte_order import encoding_fault
from safe_data.core.errors import InputError
from safe_data.core.json_document import json_fault
from safe_data.media.file_kinds import HEAD_BYTES, no_rows
from safe_data.sources.csv_lines import csv_lines
from safe_data.sources.media_files import kind_by_suffix

METADATA = ("metadata.jsonl", "metadata.csv", "metadata.parquet")
JSON_FIELDS = ("examples", "events", "metadata")  # they hold JSON where a cell is text
LONGEST_LINE = 2**24  # bytes
BATCH_ROWS = 1024

Row = dict[str, Any]
Rows = Iterator[tuple[str, Row | str]]  # the place of each, such as `:41`, and the row or its fault


def read_rows(file: Path) -> tuple[list[str] | None, Rows]:
    """The columns of a metadata file, None for JSON Lines, and its rows.

    Raises:
        InputError: the file cannot be read as what its suffix says.
    """
    with file.open("rb") as start:
        head = start.read(HEAD_BYTES)
    if not (file.suffix == ".parquet" and head.startswith(b"PAR1")) and (other := no_rows(head)):
        raise InputError(f"{file}: is {other}")
    if file.suffix != ".parquet" and (fault := encoding_fault(head)):
        raise InputError(f"{file}: {fault}")
    if file.suffix == ".parquet":
        return _parquet_columns(file), _parquet_rows(file)
    return (None, _json_rows(file)) if file.suffix == ".jsonl" else _csv(file)


def decode_json(text: bytes | str) -> object:
    """Decode a JSON value.

    Raises:
        ValueError: it is not JSON; the message says why.
    """
    try:
        return msgspec.json.decode(text)
    except UnicodeDecodeError as error:
        raise ValueError(f"byte 0x{error.object[error.start]:02x} is not UTF-8; save it as UTF-8") from None
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except msgspec.DecodeError as error:
        raise ValueError(json_fault(text if isinstance(text, bytes) else text.encode(), error)) from None


def _json_rows(file: Path) -> Rows:
    with file.open("rb") as lines:
        for number, line in enumerate(_lines(lines), 1):
            if line is None:
                yield f":{number}", f"is longer than {LONGEST_LINE} bytes; write one object per line"
            elif line.strip():
                yield f":{number}", _json_row(line)


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """The lines of a file without its byte order mark; None for one that is too long."""
    if file.read(len(codecs.BOM_UTF8)) != codecs.BOM_UTF8:
        file.seek(0)
    while line := file.readline(LONGEST_LINE + 1):
        whole = len(line) <= LONGEST_LINE
        yield line if whole else None
        while not whole and (line := file.readline(LONGEST_LINE)):
            whole = line.endswith(b"\n")


def _json_row(line: bytes) -> Row | str:
    try:
        row = decode_json(line)
        reason = f"it is a {type(row).__name__}"
    except ValueError as error:
        row, reason = None, str(error)
    if isinstance(row, dict):
        return row
    cut = " (the file was cut off here?)" if not line.endswith(b"\n") else ""
    fix = "" if "; " in reason else "; write one object per line"
    return f"not a JSON object: {reason}{cut}{fix}"


def _csv_lines(file: Path) -> Iterator[tuple[int, list[str] | str]]:
    with file.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as text:
        yield from csv_lines(text, lambda cells: any(map(kind_by_suffix, cells)))


def _csv(file: Path) -> tuple[list[str], Rows]:
    lines = _csv_lines(file)
    _, header = next(lines, (1, []))
    if isinstance(header, str):
        raise InputError(f"{file}: its header is not CSV: {header.removeprefix('not CSV: ')}")
    return header, ((f":{line}", _csv_row(header, cells)) for line, cells in lines)


def _csv_row(header: list[str], cells: list[str] | str) -> Row | str:
    if isinstance(cells, str):
        return cells
    if len(cells) > len(header):
        first = cells[len(header)]
        return f"has more cells than the header has columns, from {first!r} on; quote cells with commas"
    if len(cells) < len(header):
        return (
            f"has {len(cells)} cells, and the header has {len(header)} columns; leave a cell empty, not out"
        )
    return _with_json({name: cell for name, cell in zip(header, cells, strict=True) if cell})


def _with_json(row: Row) -> Row | str:
    """The row with the values of the cells that hold JSON."""
    for name in JSON_FIELDS:
        try:
            if isinstance(row.get(name), str):
                row[name] = decode_json(row[name])
        except ValueError as error:
            return f"{name} is not JSON: {error}"
    return row


def _parquet_columns(file: Path) -> list[str]:
    try:
        return list(pq.read_schema(file).names)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file}: cannot be read as Parquet ({error}); write it again") from None


def _parquet_rows(file: Path) -> Rows:
    index = 0
    try:
        with pq.ParquetFile(file) as table:
            for batch in table.iter_batches(BATCH_ROWS):
                for number in range(len(batch)):
                    yield f"[{index}]", _parquet_row(batch.slice(number, 1))
                    index += 1
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{file}: cannot be read as Parquet from row {index} on ({error}); write it again"
        ) from None


def _parquet_row(row: pa.RecordBatch) -> Row | str:
    try:
        return _with_json(_without_nulls(row.to_pylist()[0]))
    except (pa.ArrowException, ValueError, OverflowError) as error:
        return f"holds a value that cannot be read: {error}"


def _without_nulls(value: Any) -> Any:
    """A value without the nulls of structs: Parquet gives every struct all fields."""
    if isinstance(value, dict):
        return {name: _without_nulls(item) for name, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value

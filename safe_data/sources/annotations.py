"""Find the annotation files of a corpus, open them (.gz too), and decode them row by row.

A row is a `msgspec.Struct` of the official fields that a source reads; its types and constraints are the
checks. A faulty row adds to the caller's list of errors, so that all errors are reported at once.
"""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from safe_data.core.byte_order import encoding_fault, without_mark
from safe_data.core.errors import InputError
from safe_data.core.json_document import json_fault

LARGEST_FILE_BYTES = 2**32
_TAKEN = "names one row each, and this one is taken by"

Row = TypeVar("Row", bound=msgspec.Struct)


def find_annotations(root: Path, names: Mapping[str, Sequence[str]], get: str) -> dict[str, Path]:
    """The first existing file for each key (a split) among its possible names, plain or with .gz.

    Raises:
        InputError: the folder or all files are missing; `get` says where they come from.
    """
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; give the one that holds the corpus")
    files = {}
    for key, choices in names.items():
        spelled = [root / f"{choice}{suffix}" for choice in choices for suffix in ("", ".gz")]
        there = [path for path in spelled if path.is_file()]
        if there:
            files[key] = there[0]
    if not files:
        wanted = ", ".join(choices[0] for choices in names.values())
        raise InputError(f"{root}: holds none of {wanted}; get them from {get}")
    return files


def json_rows(
    file: Path,
    kind: type[Row],
    id_field: str,
    errors: list[str],
    *,
    under: str | None = None,
    unique: bool = False,
) -> Iterator[tuple[str, Row]]:
    """The valid rows of a JSON array, or of the array at the key `under` of an object, each with its place.

    Raises:
        InputError: the file is not JSON of this corpus.
    """
    rows = _decode(file, _read(file), list[msgspec.Raw] if under is None else dict[str, msgspec.Raw])
    if under is not None:
        if under not in rows:
            raise InputError(f"{file}: has no {under!r}; is it the official file?")
        rows = _decode(file, rows[under], list[msgspec.Raw])
    if not rows:
        errors.append(f"{file.name}: has no rows; get it anew")
    decoder = msgspec.json.Decoder(kind)
    seen: dict[object, str] = {}
    for index, raw in enumerate(rows):
        where = f"{file.name}[{index}]"
        try:
            row = decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            errors.append(f"{where}{_name(raw, id_field)}: {_plain(error, kind)}")
            continue
        row_id = getattr(row, id_field)
        if unique and (first := seen.setdefault(row_id, where)) != where:
            errors.append(f"{where} {row_id!r}: {id_field} {_TAKEN} {first}")
            continue
        yield f"{where} {row_id!r}", row


def json_table(file: Path, kind: type[Row], errors: list[str]) -> Iterator[tuple[str, Row]]:
    """The valid rows of a JSON object of rows, each with its key.

    Raises:
        InputError: the file is not JSON of this corpus.
    """
    rows = _decode(file, _read(file), dict[str, msgspec.Raw])
    if not rows:
        errors.append(f"{file.name}: has no rows; get it anew")
    decoder = msgspec.json.Decoder(kind)
    for key, raw in rows.items():
        try:
            yield key, decoder.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            errors.append(f"{file.name}[{key!r}]: {_plain(error, kind)}")


def csv_rows(
    file: Path,
    kind: type[Row],
    id_field: str,
    errors: list[str],
    *,
    columns: Sequence[str] | None = None,
    encoding: str = "utf-8-sig",
    unique: bool = False,
) -> Iterator[tuple[str, Row]]:
    """The valid rows of a CSV file, each with its place; `columns` is for a file without a header.

    Raises:
        InputError: the header lacks a column.
    """
    lines = io.TextIOWrapper(io.BytesIO(_read(file)), encoding, newline="")
    reader = csv.DictReader(lines, columns, restkey="", strict=True)
    count = 0
    seen: dict[object, str] = {}
    try:
        _check_header(file, reader.fieldnames or (), kind)
        for cells in reader:
            count += 1
            where = f"{file.name}:{reader.line_num}"
            name = f" {cells[id_field]!r}" if cells.get(id_field) else ""
            if "" in cells:
                errors.append(f"{where}{name}: more cells than columns; quote cells with commas")
                continue
            try:
                given = {column: cell for column, cell in cells.items() if cell is not None}
                row = msgspec.convert(given, kind, strict=False)
            except msgspec.ValidationError as error:
                errors.append(f"{where}{name}: {_plain(error, kind)}")
                continue
            if unique and (first := seen.setdefault(cells[id_field], where)) != where:
                errors.append(f"{where}{name}: {id_field} {_TAKEN} {first}")
                continue
            yield f"{where}{name}", row
    except (csv.Error, UnicodeDecodeError) as error:
        errors.append(f"{file.name}:{reader.line_num + 1}: not CSV in {encoding}: {error}")
        return
    if not count:
        errors.append(f"{file.name}: has no rows; get it anew")


def _check_header(file: Path, header: Sequence[str], kind: type[msgspec.Struct]) -> None:
    lacking = [name for name in _required(kind) if name not in header]
    if lacking:
        raise InputError(
            f"{file}:1: has no column {', '.join(lacking)}; an official file has {_fields(kind)}"
        )


def _read(file: Path) -> bytearray:
    data = bytearray()
    try:
        with gzip.open(file) if file.suffix == ".gz" else file.open("rb") as stream:
            while len(data) <= LARGEST_FILE_BYTES and (chunk := stream.read(2**20)):
                data += chunk
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(f"{file}: cannot be read to its end ({error}); get it anew") from None
    if len(data) > LARGEST_FILE_BYTES:
        raise InputError(f"{file}: unpacks to more than {LARGEST_FILE_BYTES} bytes; no official file does")
    if fault := encoding_fault(data):
        raise InputError(f"{file}: {fault}")
    return without_mark(data)


def _decode(file: Path, data: bytearray | msgspec.Raw, kind: Any) -> Any:
    try:
        return msgspec.json.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        fault = json_fault(data if isinstance(data, bytearray) else bytes(data), error)
        raise InputError(
            f"{file}: not the JSON of this corpus: {fault}; is it the official file, whole?"
        ) from None


def _name(raw: msgspec.Raw, id_field: str) -> str:
    """The id of a row that cannot be decoded, if it has one."""
    try:
        return f" {msgspec.json.decode(raw)[id_field]!r}"
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, LookupError, TypeError):
        return ""


def _plain(error: Exception, kind: type[msgspec.Struct]) -> str:
    """The message of msgspec with the field in front, and the fields of an official row."""
    message, _, path = str(error).partition(" - at `$.")
    field = f"{path.rstrip('`')}: " if path else ""
    missing = re.fullmatch(r"Object missing required field `(\w+)`", message)
    found = f"has no {missing[1]!r}" if missing else f"{message[:1].lower()}{message[1:]}"
    return f"{field}{found}; an official row has {_fields(kind)}"


def _required(kind: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind) if field.required]


def _fields(kind: type[msgspec.Struct]) -> str:
    return ", ".join(_required(kind))

"""Find the annotation files of a corpus, open them (.gz too), and decode them row by row.

A row is a `msgspec.Struct` of the official fields that a source reads; its types and constraints are the
checks. A faulty row comes as a `Fault` in its place, and the rows after it are read.
"""

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
from safe_data.core.numerals import cut
from safe_data.media.file_kinds import HEAD_BYTES, no_rows
from safe_data.records import ID_PATTERN
from safe_data.sources.csv_lines import csv_lines
from safe_data.sources.faulty_row import Fault, some_good

LARGEST_FILE_BYTES = 2**32
TEXT = msgspec.Meta(pattern=r"\S")  # a caption that says something
LONGEST_NAME, LONGEST_FAULT = 60, 200  # characters that a reason shows
_TAKEN = "names one row each, and this one is taken by"
_UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

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
    *,
    under: str | None = None,
    unique: bool = False,
    lines: bool = False,
) -> Iterator[tuple[str, Row] | Fault]:
    """The rows of a JSON array, or of the array at the key `under` of an object, each with its place.

    With `lines`, the file may also hold an object a line (JSON Lines).

    Raises:
        InputError: the file is not JSON of this corpus, or has no good row.
    """
    yield from some_good(file, _json_rows(_places(file, under, lines), kind, id_field, unique))


def _json_rows(
    places: Iterator[tuple[str, msgspec.Raw | bytes]], kind: type[Row], id_field: str, unique: bool
) -> Iterator[tuple[str, Row] | Fault]:
    decoder = msgspec.json.Decoder(kind)
    seen: dict[object, str] = {}
    for where, raw in places:
        try:
            row = decoder.decode(raw)
        except _UNDECODABLE as error:
            row_id = _id_of(raw, id_field)
            yield Fault(f"{where}{_name(row_id)}", _plain(error, kind), row_id)
            continue
        row_id = getattr(row, id_field)
        if unique and (first := seen.setdefault(row_id, where)) != where:
            yield Fault(f"{where}{_name(row_id)}", f"{id_field} {_TAKEN} {first}")
            continue
        yield f"{where} {row_id!r}", row


def _places(file: Path, under: str | None, lines: bool) -> Iterator[tuple[str, msgspec.Raw | bytes]]:
    """The undecoded rows of a file, each with its place."""
    data = _read(file)
    if lines and data.lstrip()[:1] == b"{":
        for number, line in enumerate(bytes(data).split(b"\n"), start=1):
            if line.strip():
                yield f"{file.name}:{number}", line
        return
    rows = _decode(file, data, list[msgspec.Raw] if under is None else dict[str, msgspec.Raw])
    if under is not None:
        if under not in rows:
            raise InputError(f"{file}: has no {under!r}; is it the official file?")
        rows = _decode(file, rows[under], list[msgspec.Raw])
    for index, raw in enumerate(rows):
        yield f"{file.name}[{index}]", raw


def json_table(file: Path, kind: type[Row]) -> Iterator[tuple[str, Row] | Fault]:
    """The rows of a JSON object of rows, each with its key.

    Raises:
        InputError: the file is not JSON of this corpus, or has no good row.
    """
    yield from some_good(file, _json_table(file, kind))


class _Key:
    """The key of a row, not equal to the same key of another row, which a dict would lose."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        self.text = text


def _json_table(file: Path, kind: type[Row]) -> Iterator[tuple[str, Row] | Fault]:
    data = _read(file)
    replaced = ""
    try:
        rows = _decode(file, data, dict[_Key, msgspec.Raw])
    except InputError as error:
        if not isinstance(error.__cause__, UnicodeDecodeError):  # of a key; those of a row are found below
            raise
        replaced = "\ufffd"
        rows = _decode(file, data.decode("utf-8", "replace").encode(), dict[_Key, msgspec.Raw])
    decoder = msgspec.json.Decoder(kind)
    seen: set[str] = set()
    for key, raw in rows.items():
        where = f"{file.name}[{cut(repr(key.text), LONGEST_NAME)}]"
        if key.text in seen:
            yield Fault(where, "the key names one row each, and an earlier row has it")
            continue
        if replaced and (replaced in key.text or replaced.encode() in bytes(raw)):
            yield Fault(where, "holds bytes that are not UTF-8; save the file anew")
            continue
        try:
            row = decoder.decode(raw)
        except _UNDECODABLE as error:
            yield Fault(where, _plain(error, kind), key.text)
            continue
        if not ID_PATTERN.fullmatch(key.text):
            yield Fault(where, "the key may hold only A-Z a-z 0-9 _ and -", key.text)
            continue
        seen.add(key.text)
        yield key.text, row


def csv_rows(
    file: Path,
    kind: type[Row],
    id_field: str,
    *,
    columns: Sequence[str] | None = None,
    encoding: str = "utf-8-sig",
    unique: bool = False,
) -> Iterator[tuple[str, Row] | Fault]:
    """The rows of a CSV file, each with its place; `columns` is for a file without a header.

    Raises:
        InputError: the header lacks a column, or no row is good.
    """
    yield from some_good(file, _csv_rows(file, kind, id_field, columns, encoding, unique))


def _csv_rows(
    file: Path,
    kind: type[Row],
    id_field: str,
    columns: Sequence[str] | None,
    encoding: str,
    unique: bool,
) -> Iterator[tuple[str, Row] | Fault]:
    header = list(columns or ())

    def is_row(cells: list[str]) -> bool:
        return not isinstance(_convert(header, cells, kind), str)

    text = io.TextIOWrapper(io.BytesIO(bytes(_read(file))), encoding, "surrogateescape", newline="")
    lines = csv_lines(text, is_row, len(header))
    if columns is None:
        _, first_line = next(lines, (1, []))
        _check_header(file, first_line, kind)
        header.extend(first_line)
    place = header.index(id_field)
    seen: dict[str, int] = {}
    file_name = file.name  # costs a search for the last slash each time
    for line, cells in lines:
        where = f"{file_name}:{line}"
        if isinstance(cells, str):
            yield Fault(where, cells)
            continue
        row = _convert(header, cells, kind)
        row_id = cells[place] if place < len(cells) else ""
        name = _name(row_id) if row_id else ""
        if isinstance(row, str):
            stated = dict(zip(header, cells, strict=False)).get("split")
            yield Fault(f"{where}{name}", row, row_id, (stated,))
        elif unique and (first := seen.setdefault(row_id, line)) != line:
            yield Fault(f"{where}{name}", f"{id_field} {_TAKEN} {file_name}:{first}")
        else:
            yield f"{where}{name}", row


def _convert(header: list[str], cells: list[str], kind: type[Row]) -> Row | str:
    """The row of these cells, or its fault."""
    if len(cells) > len(header):
        return "more cells than columns; quote cells with commas"
    try:
        row = msgspec.convert(dict(zip(header, cells, strict=False)), kind, strict=False)
    except msgspec.ValidationError as error:
        return _plain(error, kind)
    return row if len(cells) == len(header) else "fewer cells than columns; is a line broken?"


def _check_header(file: Path, header: list[str] | str, kind: type[msgspec.Struct]) -> None:
    if isinstance(header, str):
        raise InputError(f"{file}:1: {header}")
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
    if other := no_rows(bytes(data[:HEAD_BYTES])):
        raise InputError(f"{file}: is {other}")
    if not data:
        raise InputError(f"{file}: is empty; get it anew")
    if fault := encoding_fault(data):
        raise InputError(f"{file}: {fault}")
    return without_mark(data)


def _decode(file: Path, data: bytearray | bytes | msgspec.Raw, kind: Any) -> Any:
    try:
        return msgspec.json.decode(data, type=kind, dec_hook=lambda _, text: _Key(text))
    except _UNDECODABLE as error:
        fault = json_fault(data if isinstance(data, bytearray) else bytes(data), error)
        raise InputError(
            f"{file}: not the JSON of this corpus: {fault}; is it the official file, whole?"
        ) from error


def _id_of(raw: msgspec.Raw | bytes, id_field: str) -> object:
    """The id of a row that cannot be decoded, if it has one."""
    try:
        return msgspec.json.decode(raw)[id_field]
    except (*_UNDECODABLE, LookupError, TypeError):
        return None


def _name(row_id: object) -> str:
    """The id of a row as its place shows it."""
    if not isinstance(row_id, (str, int)):
        return ""
    name = repr(row_id)
    return f" {name}" if len(name) <= LONGEST_NAME else f" {cut(name, LONGEST_NAME)}"


def _plain(error: Exception, kind: type[msgspec.Struct]) -> str:
    """The message of msgspec with the field in front, and the fields of an official row."""
    message, _, path = str(error).partition(" - at `$.")
    field = f"{path.rstrip('`')}: " if path else ""
    missing = re.fullmatch(r"Object missing required field `(\w+)`", message)
    message = message.replace(f"matching regex {TEXT.pattern!r}", "that is not blank")
    found = f"has no {missing[1]!r}" if missing else cut(f"{message[:1].lower()}{message[1:]}", LONGEST_FAULT)
    return f"{field}{found}; an official row has {_fields(kind)}"


def _required(kind: type[msgspec.Struct]) -> list[str]:
    return [field.encode_name for field in msgspec.structs.fields(kind) if field.required]


def _fields(kind: type[msgspec.Struct]) -> str:
    return ", ".join(_required(kind))

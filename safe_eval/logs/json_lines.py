"""JSON lines: the objects of a log, one a line, with the numbers that JSON lacks and Python writes."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from safe_data.core.byte_order import encoding_fault, without_mark
from safe_data.core.errors import InputError
from safe_eval.prediction_row import without_lone_surrogates

_decode = msgspec.json.Decoder().decode
_LONGEST_DOCUMENT = 4 << 30  # bytes of a document that is held in memory


def decoded(data: bytes | bytearray, where: str) -> Any:
    """The content of JSON, where NaN and Infinity are numbers, and half a surrogate pair is U+FFFD.

    Raises:
        InputError: it is no JSON; the message begins with `where`.
    """
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _by_python(bytes(data), where)


def _by_python(data: bytes, where: str) -> Any:
    """NaN is read by Python's own decoder, five times as slow."""
    try:
        return json.loads(without_lone_surrogates(without_mark(data)).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: is no JSON: {encoding_fault(data) or error}") from None


def json_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Each object with the number of its line, from 1.

    Raises:
        InputError: a line is no JSON object, with its place.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.isspace():
                continue
            if number == 1:
                line = without_mark(line)
            row = decoded(line, f"{path.name}:{number}")
            if not isinstance(row, dict):
                raise InputError(f"{path.name}:{number}: is not a JSON object; one stands on each line")
            yield number, row


def first_object(path: Path) -> dict[str, Any]:
    """The first object of a file of JSON lines; empty if there is none."""
    return next((row for _, row in json_lines(path)), {})


def document(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        InputError: it is no JSON, or larger than memory should hold.
    """
    if path.stat().st_size > _LONGEST_DOCUMENT:
        raise InputError(f"{path.name}: is larger than 4 GiB; write it as JSON lines, or as .eval")
    return decoded(without_mark(path.read_bytes()), path.name)

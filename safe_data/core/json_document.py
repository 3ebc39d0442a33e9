"""JSON document: the content of a JSON file that says everything once, and the hash of that content.

Readers of JSON differ in which value of a repeated key wins, so a file with one could say one thing to a
check and another to a person. Here a repeated key is an error.
"""

import hashlib
import json
import re
from typing import Any

import msgspec

from safe_data.core.byte_order import encoding_fault, without_mark

Json = Any  # what JSON can hold: dicts, lists, texts, numbers, booleans and None


# JavaScript's and Python's numbers that are not finite, and where msgspec says that it cannot go on.
_NO_NUMBER = re.compile(rb"-?\b(?:nan|infinity|inf)\b", re.IGNORECASE)
_PLACE = re.compile(r"\(byte (\d+)\)")
_LONGEST_NUMBER = 12  # bytes


class DocumentError(ValueError):
    """The bytes are no JSON, or say something twice."""


def read_document(data: bytes) -> Json:
    """The content of a JSON document.

    Raises:
        DocumentError: it is not JSON, is not UTF-8, or an object repeats a key.

    >>> read_document(b'{"value": 0.5, "n": 3}')
    {'value': 0.5, 'n': 3}
    >>> read_document(b'{"value": 0.5, "value": 0.9}')
    Traceback (most recent call last):
    safe_data.core.json_document.DocumentError: has the key 'value' twice
    """
    try:
        text = without_mark(data).decode("utf-8")
        return json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
    except RecursionError:
        raise DocumentError("is nested too deeply") from None
    except ValueError as error:
        raise DocumentError(json_fault(data, error)) from None


def json_fault(data: bytes | bytearray, error: Exception) -> str:
    """Why bytes are no JSON, by its name where it has one: another encoding, or a number that JSON lacks.

    Args:
        data: what was decoded, without the byte order mark of UTF-8
        error: of `json` or msgspec

    >>> json_fault(b'{"a": NaN}', ValueError("JSON is malformed: invalid character (byte 6)"))
    'NaN is not JSON; write null for a missing number'
    """
    if fault := encoding_fault(data):
        return fault
    if place := _PLACE.search(str(error)):
        at = int(place[1])
        first = max(0, at - _LONGEST_NUMBER)
        for found in _NO_NUMBER.finditer(data[first : at + _LONGEST_NUMBER]):
            if first + found.start() <= at <= first + found.end() + 1:
                line = data.count(b"\n", 0, at) + 1
                where = f" (line {line})" if b"\n" in data.rstrip() else ""
                return f"{found[0].decode()} is not JSON; write null for a missing number{where}"
    return str(error)


def document_of(content: msgspec.Struct) -> Json:
    """What the JSON of a struct holds: numbers that are not finite are None."""
    return msgspec.json.decode(msgspec.json.encode(content))


def content_sha256(document: Json) -> str:
    """SHA-256 of what a document says, whatever its white space and the order of its keys.

    >>> content_sha256({"a": 1, "b": None}) == content_sha256({"b": None, "a": 1})
    True
    >>> content_sha256({"a": 1}) == content_sha256({"a": 1.5})
    False
    """
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in content if names.count(name) > 1)
        raise ValueError(f"has the key {repeated!r} twice")
    return content


def _refuse(constant: str) -> Json:
    raise ValueError(f"{constant} is not JSON; write null for a missing number")

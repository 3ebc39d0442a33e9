"""Prediction row: a line of JSON or a row of Parquet as a Prediction, or what is wrong with it.

A fault is a sentence that a user can act on. A repeated key is one, because readers of JSON differ in which
value wins.
"""

import json
import re
from functools import lru_cache
from typing import Any

import msgspec

from safe_data.core.errors import did_you_mean
from safe_eval.annotator_rows import AnnotatorRow
from safe_eval.prediction import Prediction, is_blank, quoted, range_error

Raw = bytes | dict[str, Any]  # a line of JSON, or a row of Parquet

_FIELDS = [field.name for field in msgspec.structs.fields(AnnotatorRow)]
_REQUIRED = ("example_id", "references", "answer")
_DICTS = ("choice_probabilities", "scores", "metadata")
_NOT_A_NUMBER = re.compile(rb"[:\[,]\s*(-?(?:NaN|Infinity))\b")
# A pair of surrogates, a lone one (the group), or another escape.
_ESCAPE = re.compile(rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|\\.", re.DOTALL)
_AFTER_A_KEY = re.compile(rb'"\s*:')  # each key, and an escaped quotation mark before a colon
_OURS = b'{"example_id":"'  # so begin the lines that we write, which repeat no key if they read as they are
_decoder = msgspec.json.Decoder(Prediction)
_annotator_decoder = msgspec.json.Decoder(AnnotatorRow)
_encoder = msgspec.json.Encoder()


class _RepeatedKeyError(ValueError):
    """The name that an object has twice."""


def prediction_of(row: Raw, *, explain: bool = True) -> Prediction | str:
    """The row as a Prediction, or what is wrong with it and how to fix it.

    A lone surrogate, which a reply that was cut off may end with, becomes U+FFFD: no UTF-8 file can hold it.
    A row with an `annotator` is an AnnotatorRow. `explain=False` saves the time of an explanation that nobody
    will read.
    """
    try:
        if isinstance(row, bytes):
            prediction = _decoder.decode(row)
            if not row.startswith(_OURS) or _encoder.encode(prediction) != row.rstrip():
                _refuse_repeated_keys(row)
        else:
            row = row | {name: _dict(row[name]) for name in _DICTS if name in row}
            prediction = msgspec.convert(row, Prediction)
    except _RepeatedKeyError as error:
        return f"{_name(row)}: has the key {quoted(error.args[0])} twice; give each key once"
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        if isinstance(row, bytes) and (mended := without_lone_surrogates(row)) != row:
            return prediction_of(mended, explain=explain)
        if (b'"annotator"' if isinstance(row, bytes) else "annotator") in row:
            return _of_annotator(row, explain=explain)
        return _fault(row, error) if explain else "is no prediction"
    return range_error(prediction) or prediction


def _of_annotator(row: Raw, *, explain: bool) -> Prediction | str:
    """A row that is no Prediction because it may have an annotator; where that is null it has none."""
    try:
        if isinstance(row, bytes):
            found = _annotator_decoder.decode(row)
            _refuse_repeated_keys(row)
        else:
            found = msgspec.convert(row, AnnotatorRow)
    except _RepeatedKeyError as repeated:
        return f"{_name(row)}: has the key {quoted(repeated.args[0])} twice; give each key once"
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as other:
        return _fault(row, other) if explain else "is no prediction"
    if isinstance(found.annotator, str) and is_blank(found.annotator):
        return f"{quoted(found.example_id)}: annotator is blank; write a name or a number"
    if found.annotator is None:
        fields = {name: getattr(found, name) for name in Prediction.__struct_fields__}
        return range_error(found) or Prediction(**fields)
    return range_error(found) or found


def names_condition(row: Raw) -> bool:
    """Whether a row has a condition. In JSON, a text that holds the word has its quotes escaped."""
    return b'"condition"' in row if isinstance(row, bytes) else "condition" in row


def is_json(line: bytes) -> bool:
    """Whether a line is JSON. Lone surrogates are."""
    try:
        msgspec.json.decode(without_lone_surrogates(line))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def prediction_line(prediction: Prediction) -> bytes:
    """A prediction as a line of JSON. Lone surrogates of its texts are escaped."""
    try:
        return _encoder.encode(prediction) + b"\n"
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(prediction)).encode() + b"\n"


def without_lone_surrogates(line: bytes) -> bytes:
    """A line of JSON with U+FFFD in place of each half of a surrogate pair, which no UTF-8 file can hold."""
    if b"\\ud" not in line and b"\\uD" not in line:
        return line
    return _ESCAPE.sub(lambda escape: b"\\ufffd" if escape[1] else escape[0], line)


def _refuse_repeated_keys(line: bytes) -> None:
    """Count the colons, which is quick, and look at each key only where there are more than keys.

    Raises:
        _RepeatedKeyError: an object has a key twice.
    """
    content = msgspec.json.decode(line)
    if line.count(b":") == len(content):  # none stands in a text
        return
    inner = [value for value in content.values() if isinstance(value, dict)]
    if len(_AFTER_A_KEY.findall(line)) != len(content) + sum(map(len, inner)):
        json.loads(line, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise _RepeatedKeyError(next(name for name in content if names.count(name) > 1))
    return content


def _dict(value: Any) -> Any:
    """A dict from Parquet: JSON text, a map, or a struct that holds null for each key a row does not have.

    Raises:
        _RepeatedKeyError: it has a key twice.
    """
    if isinstance(value, str):
        try:
            return json.loads(value, object_pairs_hook=_once)
        except _RepeatedKeyError:
            raise
        except (ValueError, RecursionError):
            return value  # refused later, with its place
    if isinstance(value, list) and all(isinstance(pair, tuple) for pair in value):
        value = _once(value)
    return (
        {key: held for key, held in value.items() if held is not None} if isinstance(value, dict) else value
    )


def _name(row: Raw) -> str:
    content = msgspec.json.decode(row) if isinstance(row, bytes) else row
    return quoted(content.get("example_id", "?"))


def _fault(row: Raw, error: Exception) -> str:
    """What is wrong with a row that is not a Prediction, in words a user can act on."""
    if isinstance(row, bytes):
        if not is_json(row):
            return _not_json(row, error)
        row = msgspec.json.decode(row)
    if not isinstance(row, dict):
        return "is not a JSON object; write one object per line"
    name = _name(row)
    missing = [field for field in _REQUIRED if field not in row]
    for field in row:
        if field not in _FIELDS:
            return f"{name}: unknown field {quoted(field)}; {_hint(field)}"
    if missing:
        needs = ", ".join(_REQUIRED)
        return f"{name}: has no {' and no '.join(map(repr, missing))}; each row needs {needs}"
    given = row["references"]
    if not isinstance(given, list) or not all(isinstance(reference, str) for reference in given):
        return f'{name}: {error}; references is a list of texts, such as ["yes"]'
    return f"{name}: {error}"


@lru_cache(maxsize=128)
def _hint(field: str) -> str:
    return did_you_mean(field, _FIELDS, "put facts of your own under 'metadata'")


def _not_json(line: bytes, error: Exception) -> str:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as fault:
        if line.endswith(b"\n"):
            return f"byte {fault.start + 1} (0x{line[fault.start]:02x}) is not UTF-8; write the file in UTF-8"
    if not line.endswith(b"\n"):
        return (
            f"is not a JSON object: {error} (the file was cut off here?); finish the run, "
            "or leave this last line out with --allow-partial"
        )
    if (found := _NOT_A_NUMBER.search(line)) is not None:
        return f"{found[1].decode()} is not JSON; write null for a missing number"
    return f"is not a JSON object: {error}; write one object per line"

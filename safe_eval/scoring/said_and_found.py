"""Said and found: what the document of a scores.json says, beside what its predictions give.

Rows are matched by the names that identify them, so that a message names the row. Everything is compared, the
number and the order of rows too, except where a file lies and which versions made it.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

from safe_data.core.json_document import Json
from safe_eval.results.aggregates import CAPTIONS
from safe_eval.scorers.captions.caption_scores import JAVA_METRICS

Row = dict[str, Any]

_NAMES = (
    *("metric", "beside", "rule", "name", "dataset", "slice", "model", "condition", "against"),
    *("a", "b", "seed", "seeds"),
)
_FILES = ("predictions", "frequencies", "spice")  # compared by name and hash; they may have been moved
_RECORDED = ("python", "versions")  # of the program that scored; a verdict notes that others judged
_LONGEST = 200  # of a value that a message shows, such as a curve is not
_NOWHERE = object()
_NOT_MEASURED = "not measured"


def differences(said: Json, found: Json, tolerance: float) -> Iterator[str]:
    """One line for each entry that two documents of scores do not share; numbers may differ by a tolerance.

    >>> list(differences({"notes": ["a"]}, {"notes": []}, 0.0))
    ["the note 'a': the predictions give no such note"]
    """
    said, found = _comparable(said), _comparable(found)
    for key in dict.fromkeys([*found, *said]):
        yield from _of_value(key, said.get(key, _NOWHERE), found.get(key, _NOWHERE), tolerance)


def _comparable(document: Json) -> Json:
    """A document without what may differ between machines: versions, and why Java's metrics are missing."""
    java = {
        row["why_not"]
        for row in document.get("aggregates", ())
        if row.get("metric") == CAPTIONS and row.get("name") in JAVA_METRICS and row.get("why_not")
    }
    shown = dict(document)
    if java:
        shown["aggregates"] = [
            row | {"why_not": _until_reason(row["why_not"])} if row.get("why_not") in java else row
            for row in document["aggregates"]
        ]
        shown["notes"] = [
            _until_reason(note) if any(note.endswith(reason) for reason in java) else note
            for note in document.get("notes", ())
        ]
    if "provenance" in document:
        shown["provenance"] = {
            name: _files(it) if name in _FILES else it
            for name, it in document["provenance"].items()
            if name not in _RECORDED
        }
    return shown


def _until_reason(text: str) -> str:
    before, measured, _ = text.rpartition(_NOT_MEASURED)
    return before + measured if measured else text


def _files(files: Json) -> Json:
    """Files without the places where they lie."""
    if isinstance(files, list):
        return [_files(file) for file in files]
    return {key: it for key, it in files.items() if key != "path"} if isinstance(files, dict) else files


def _of_value(name: str, said: Json, found: Json, tolerance: float) -> Iterator[str]:
    if said is _NOWHERE:
        yield f"{name}: is missing"
    elif found is _NOWHERE:
        yield f"{name}: the predictions give no such entry"
    elif name == "notes":
        yield from _of_notes(said, found)
    elif isinstance(said, dict) and isinstance(found, dict):
        for key in dict.fromkeys([*found, *said]):
            yield from _of_value(
                f"{name} {key}", said.get(key, _NOWHERE), found.get(key, _NOWHERE), tolerance
            )
    elif _is_table(said) and _is_table(found):
        yield from _of_table(name, said, found, tolerance)
    elif not _equal(said, found, tolerance):
        yield f"{name} is {_both(said, found)}"


def _is_table(value: Json) -> bool:
    return isinstance(value, list) and all(isinstance(row, dict) for row in value)


def _of_notes(said: Sequence[str], found: Sequence[str]) -> Iterator[str]:
    missing = [note for note in found if note not in said]
    added = [note for note in said if note not in found]
    yield from (f"the note {note!r} is missing" for note in missing)
    yield from (f"the note {note!r}: the predictions give no such note" for note in added)
    if not missing and not added and list(said) != list(found):
        yield "notes: repeated, or in another order"


def _of_table(table: str, said: Sequence[Row], found: Sequence[Row], tolerance: float) -> Iterator[str]:
    ours, theirs = _by_name(found), _by_name(said)
    faults = [
        fault
        for name in dict.fromkeys([*theirs, *ours])
        for fault in _of_rows(" ".join([table, *name]), theirs.get(name, []), ours.get(name, []), tolerance)
    ]
    yield from faults
    if not faults and list(map(_name, said)) != list(map(_name, found)):
        yield f"{table}: rows stand in another order"


def _of_rows(name: str, said: Sequence[Row], found: Sequence[Row], tolerance: float) -> Iterator[str]:
    """The rows of one name: one on each side, unless the file repeats or leaves out a row."""
    if not found and said[0].get("metric") in JAVA_METRICS:
        yield f"{name}: cannot be checked without Java; run this where Java is installed"
    elif not found:
        yield f"{name}: the predictions give no such row"
    elif not said:
        yield f"{name}: is missing"
    elif len(said) != len(found):
        yield f"{name}: {len(said)} rows, the predictions give {len(found)}"
    for row, other in zip(said, found, strict=False):
        for field in dict.fromkeys([*other, *row]):
            stated, given = row.get(field, _NOWHERE), other.get(field, _NOWHERE)
            if stated is _NOWHERE or given is _NOWHERE:
                yield f"{name}: {field} is {'missing' if stated is _NOWHERE else 'no field'}"
            elif not _equal(stated, given, tolerance):
                yield f"{name}: {field} is {_both(stated, given)}"


def _by_name(rows: Sequence[Row]) -> dict[tuple[str, ...], list[Row]]:
    by_name: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        by_name.setdefault(_name(row), []).append(row)
    return by_name


def _name(row: Row) -> tuple[str, ...]:
    return tuple(f"{row[field]}" for field in _NAMES if row.get(field) is not None)


def _equal(said: Json, found: Json, tolerance: float) -> bool:
    if isinstance(found, float) and isinstance(said, int | float) and not isinstance(said, bool):
        return math.isclose(said, found, rel_tol=tolerance, abs_tol=tolerance)
    if isinstance(said, list) and isinstance(found, list):
        return len(said) == len(found) and all(
            _equal(one, other, tolerance) for one, other in zip(said, found, strict=True)
        )
    if isinstance(said, dict) and isinstance(found, dict):
        return said.keys() == found.keys() and all(_equal(said[key], found[key], tolerance) for key in said)
    return type(said) is type(found) and bool(said == found)


def _both(said: Json, found: Json) -> str:
    """Both values, with as many digits as tell them apart."""
    texts = [f"{value:.6g}" if isinstance(value, float) else repr(value) for value in (said, found)]
    if texts[0] == texts[1]:
        texts = [repr(said), repr(found)]
    if max(map(len, texts)) > _LONGEST:
        return "not what the predictions give"
    return f"{texts[0]}, the predictions give {texts[1]}"

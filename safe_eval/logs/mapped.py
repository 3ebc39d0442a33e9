"""Mapped: any table or JSON Lines, whose columns `--map FIELD=COLUMN` names.

A column that has the name of a field is that field. Scores are `scores.NAME`, facts `metadata.NAME`; a column
of a JSON object is a dotted path.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from safe_data.core.errors import InputError, did_you_mean
from safe_eval.import_options import ImportOptions
from safe_eval.logs.literals import number_of, text_of, texts_of
from safe_eval.logs.log import LeftOut, Log, Rows, at_path, checked
from safe_eval.logs.table_rows import first_row, table_rows
from safe_eval.prediction import Prediction

_REQUIRED = ("example_id", "answer")
_NUMBERS = ("confidence", "gate_score", "gate_ms", "influence_kl", "latency_ms", "audio_rms_db")
_WHOLE = ("seed", "audio_tokens")
_TRUTHS = ("needs_audio", "consulted")
_LISTS = ("references", "choices")
_OBJECTS = ("choice_probabilities", "scores", "metadata")
_WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_TEXTS = tuple(
    name
    for name in Prediction.__struct_fields__
    if name not in (*_NUMBERS, *_WHOLE, *_TRUTHS, *_LISTS, *_OBJECTS)
)
_FIELDS = tuple(Prediction.__struct_fields__)

Convert = Callable[[Any], Any]


def read(path: Path, options: ImportOptions) -> Log:
    """A log whose columns were named.

    Raises:
        InputError: a field or a column does not exist, or the id or the answer has no column. While rows are
            read: a line is no JSON object, or a row has too few cells.
    """
    first = first_row(path)
    if not first:
        raise InputError(f"{path}: holds no rows")
    places = _places(path, first, options)
    used = {place.partition(".")[0] for place in places.values()} | set(places.values())
    unread = [name for name in first if name not in used]
    return Log(
        path=path,
        harness="mapped",
        read=partial(_rows, places=places, options=options),
        task=options.dataset,
        model=options.model or text_of(at_path(first, places.get("model", ""))) or "model",
        notes=[f"columns that no field was named for are not read: {', '.join(unread)}"] if unread else [],
    )


def _places(path: Path, first: Mapping[str, Any], options: ImportOptions) -> dict[str, str]:
    """Where each field stands: as it was named, or in the column of its name."""
    places = {name: name for name in _FIELDS if name in first}
    for one in options.map:
        field, _, place = one.partition("=")
        if field not in _FIELDS and field.partition(".")[0] not in ("scores", "metadata"):
            hint = did_you_mean(field, _FIELDS, f"fields are {', '.join(_FIELDS)}")
            raise InputError(f"--map {one}: {field!r} is no field; {hint}")
        if place not in first and at_path(first, place) is None and place.partition(".")[0] not in first:
            hint = did_you_mean(place, first, f"columns are {', '.join(first)}")
            raise InputError(f"--map {one}: {path.name} has no column {place!r}; {hint}")
        places[field] = place
    named = {"group": options.group_field, "question_type": options.question_type_field}
    places |= {field: place for field, place in named.items() if place}
    missing = [field for field in _REQUIRED if field not in places]
    if "references" not in places and not options.without_references:
        missing.append("references")
    if missing:
        raise InputError(
            f"{path}: nothing says where to find {' and '.join(missing)}; name the column, such as "
            f"--map {missing[0]}=COLUMN (columns are {', '.join(first)})"
            + ("; or judge by scores alone with --without-references" if "references" in missing else "")
        )
    if options.without_references:
        places.pop("references", None)
    return places


def _rows(log: Log, places: Mapping[str, str], options: ImportOptions) -> Rows:
    plain = [(field, place, _CONVERT[field]) for field, place in places.items() if field in _CONVERT]
    dotted = [(*field.partition(".")[::2], place) for field, place in places.items() if field not in _CONVERT]
    named = {"dataset": options.dataset, "model": options.model}
    fixed = {name: value for name, value in named.items() if value is not None}
    for number, row in table_rows(log.path):
        yield _row(number, row, plain, dotted, fixed, options)


def _row(
    number: int,
    row: Mapping[str, Any],
    plain: list[tuple[str, str, Convert]],
    dotted: list[tuple[str, str, str]],
    fixed: Mapping[str, str],
    options: ImportOptions,
) -> Prediction | LeftOut:
    fields: dict[str, Any] = {"references": (), "answer": None}
    try:
        for field, place, convert in plain:
            value = row[place] if place in row else at_path(row, place)
            if value is not None:
                fields[field] = convert(value)
    except ValueError as error:
        return LeftOut(number, f"{field} is {str(value)[:40]!r}, {error}")
    for field, name, place in dotted:
        value = row[place] if place in row else at_path(row, place)
        if field == "metadata":
            fields.setdefault("metadata", {})[name] = value
        elif (found := number_of(value)) is not None:
            fields.setdefault("scores", {})[name] = found
    if "example_id" not in fields:
        return LeftOut(number, "it has no example_id")
    if fields["answer"] is None and not fields.get("error"):
        fields["error"] = "no answer"
    if options.metric and "scores" in fields:
        kept = {name: value for name, value in fields["scores"].items() if options.keeps(name)}
        fields["scores"] = kept or None
    return checked(number, **{**fields, **fixed})


def _number(value: Any) -> float:
    found = number_of(value)
    if found is None:
        raise ValueError("which is no number")
    return found


def _whole(value: Any) -> int:
    found = _number(value)
    if not found.is_integer():
        raise ValueError("which is no whole number")
    return int(found)


def _truth(value: Any) -> bool:
    found = _WORDS.get(str(value).strip().lower())
    if found is None:
        raise ValueError("which is neither true nor false")
    return found


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("which is no JSON object")
    return value


def _numbers(value: Any) -> dict[str, float]:
    """Numbers by their names; what is no number is left out."""
    found = {name: number_of(one) for name, one in _object(value).items()}
    return {name: one for name, one in found.items() if one is not None}


_CONVERT: dict[str, Convert] = {
    **dict.fromkeys(_TEXTS, text_of),
    **dict.fromkeys(_NUMBERS, _number),
    **dict.fromkeys(_WHOLE, _whole),
    **dict.fromkeys(_TRUTHS, _truth),
    **dict.fromkeys(_LISTS, texts_of),
    "metadata": _object,
    "scores": _numbers,
    "choice_probabilities": _numbers,
}

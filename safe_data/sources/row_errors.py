"""A row of somebody's metadata as a Record, or all that is wrong with it, in words."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ValidationError

from safe_data.core.errors import did_you_mean
from safe_data.records import Event, Example, Record

_NESTED: dict[str, type[BaseModel]] = {"examples": Example, "events": Event}


def unknown_fields(row: dict[str, Any], known: Iterable[str]) -> list[str]:
    """A sentence for each field that is none of the known ones, with the nearest of them."""
    known = list(known)
    return [_unknown(name, known) for name in row if name not in known]


def explain(error: ValidationError) -> list[str]:
    """Pydantic's findings as sentences: which field, what it holds, what is expected."""
    return [_sentence(dict(finding)) for finding in error.errors(include_url=False, include_context=False)]


def _sentence(finding: dict[str, Any]) -> str:
    location: tuple[str | int, ...] = finding["loc"]
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).lstrip(".")
    if finding["type"] == "extra_forbidden":
        known = _NESTED.get(str(location[0]), Record).model_fields
        within = f" in {field.rpartition('.')[0]}" if len(location) > 1 else ""
        return _unknown(str(location[-1]), list(known)).replace(";", f"{within};", 1)
    if finding["type"] == "missing":
        return f"has no {field!r}; add it"
    message = finding["msg"].removeprefix("Value error, ")
    if finding["type"] == "value_error":
        return f"{field}: {message}" if len(location) > 1 else message
    got = repr(finding["input"])
    return f"{field} is {got if len(got) <= 60 else got[:57] + '…'}: {message[:1].lower()}{message[1:]}"


def _unknown(name: str, known: list[str]) -> str:
    hint = did_you_mean(name, known, "put facts of your own under 'metadata'")
    return f"unknown field {name!r}; {hint}"

"""Criteria files: templates in YAML, whose parameters a reader fills in; shipped ones are found by name."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from safe_data.core.errors import InputError, did_you_mean, raise_row_errors
from safe_eval.judging.criterion import Criterion, parse_criterion
from safe_eval.judging.expected_examples import EXPECTED, EXPECTED_ANSWERS
from safe_eval.judging.scope import COVERS, LEAVES_OUT, UNJUDGED, Part, Scope, parse_parts

SHIPPED = Path(__file__).parents[1] / "criteria"
SCHEMA_URL = "https://json-schema.org/draft/2020-12/schema"

Parameters = dict[str, str | None]

_NAME = re.compile(r"[a-z][a-z0-9_]*")
_PLACE = re.compile(r"\$\{([^}]*)\}")
_NULL = "null"  # as in the file: no value
_CRITERIA, _PARAMETERS = "criteria", "parameters"
_BESIDE = (_PARAMETERS, EXPECTED, COVERS, LEAVES_OUT)  # what may stand beside the criteria


class ExpectedSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a run should have answered: a dataset root or a file, relative to the criteria file."""

    source: str
    splits: str | tuple[str, ...] = ()


class CriteriaFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A criteria file, as its JSON schema describes it."""

    criteria: Annotated[tuple[Criterion, ...], Meta(min_length=1)]
    parameters: Annotated[
        dict[str, str | int | float | None],
        Meta(description="defaults; ${name} in a criterion stands for the value, and --set gives another"),
    ] = {}
    expected: Annotated[
        str | ExpectedSource | tuple[str | ExpectedSource, ...],
        Meta(description="what the run should have answered: a dataset root, a file, or several"),
    ] = ()
    covers: Annotated[
        Part | tuple[Part, ...],
        Meta(description="the answers that the criteria make a claim on; without it, all of the model"),
    ] = ()
    leaves_out: Annotated[
        Part | tuple[Part, ...],
        Meta(description="answers that no criterion judges, on purpose"),
    ] = ()


@dataclass(frozen=True)
class Criteria:
    """The criteria of a file and what they are about, with the parameters that were filled in."""

    criteria: tuple[Criterion, ...]
    parameters: Parameters
    scope: Scope


def criteria_schema() -> dict[str, Any]:
    """The JSON schema of a criteria file, generated from the code that reads it."""
    schema = {"$schema": SCHEMA_URL, "title": "safe-eval criteria", **msgspec.json.schema(CriteriaFile)}
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(schema))  # lists in place of tuples
    return plain


def shipped_criteria() -> dict[str, Path]:
    """The criteria files that come with the package, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}


def criteria_path(given: str | Path) -> Path:
    """The criteria file of a shipped name such as `demo`, or else of a path such as `mine.yaml`.

    A shipped name always means the shipped file, whatever lies in the working directory.

    Raises:
        InputError: there is no such file and none of that name is shipped.
    """
    shipped = shipped_criteria()
    if str(given) in shipped:
        return shipped[str(given)]
    if Path(given).is_file():
        return Path(given)
    hint = did_you_mean(str(given), shipped)
    names = f"shipped with safe-eval: {', '.join(shipped)}"
    raise InputError(f"{given}: no such criteria file{hint and '; '}{hint}; {names}")


def read_criteria(path: Path, settings: Sequence[str] = ()) -> tuple[Criterion, ...]:
    """The criteria of a file, with its parameters filled in; see `fill_criteria`."""
    return fill_criteria(path, settings).criteria


def fill_criteria(path: Path, settings: Sequence[str] = ()) -> Criteria:
    """Read a criteria file and fill in its parameters; `settings` are `NAME=VALUE`, and win over the file.

    Raises:
        InputError: not YAML, no criteria, criteria that cannot be judged, or parameters that are not
            declared, not used or not valid; all faults are reported at once.
    """
    from safe_data.core.yaml_file import read_yaml

    _, content = read_yaml(path)
    known = isinstance(content, dict) and {*content} <= {_CRITERIA, *_BESIDE}
    if not known or _CRITERIA not in content:
        beside = f"{', '.join(map(repr, _BESIDE[:-1]))} and {_BESIDE[-1]!r}"
        raise InputError(
            f"{path}: expected a list named 'criteria', and beside it only {beside}; "
            "for an example: safe-eval criteria show demo"
        )
    rows = content[_CRITERIA]
    if not isinstance(rows, list) or not rows:
        raise InputError(f"{path}: holds no criteria; a verdict on nothing would always be go")
    parameters = _parameters(path, content.get(_PARAMETERS), settings)
    parts = {key: _listed(content[key]) for key in (COVERS, LEAVES_OUT) if key in content}
    places = {f"criterion {place}": row for place, row in enumerate(rows, 1)}
    places |= {f"{key} {place}": row for key, own in parts.items() for place, row in enumerate(own, 1)}
    errors = list(_misused(path.name, places, parameters))
    raise_row_errors(errors, str(path))
    read = [parse_criterion(_filled(row, parameters)) for row in rows]
    about = {key: parse_parts(key, [_filled(row, parameters) for row in own]) for key, own in parts.items()}
    faults = [f"{path.name}: {found}" for found in about.values() if isinstance(found, str)]
    raise_row_errors([*_faults(path.name, rows, read), *faults], str(path))
    criteria = tuple(row for row in read if isinstance(row, Criterion))
    if all(row.severity == "warning" for row in criteria):
        raise InputError(f"{path}: every criterion is a warning, so nothing would decide; make one critical")
    scope = Scope(**{key: found for key, found in about.items() if not isinstance(found, str)})
    raise_row_errors(list(_judged_though_left_out(path.name, criteria, scope)), str(path))
    return Criteria(criteria, parameters, scope)


def _judged_though_left_out(file: str, criteria: Sequence[Criterion], scope: Scope) -> Iterator[str]:
    """Criteria on conditions that are left out: they could be met on a sample that somebody chose."""
    for one in criteria:
        for side in filter(None, (one.condition, one.against)):
            condition = side.rpartition("/")[2]
            if scope.names(one.dataset, condition):
                yield (
                    f"{file}: criterion {one.name!r} is on {side}, and {LEAVES_OUT} says that nothing judges "
                    f"the answers under {condition}; take one of the two out"
                )


def _listed(given: Any) -> list[Any]:
    """Parts as a list: one may stand alone."""
    return given if isinstance(given, list) else [given]


def _faults(file: str, rows: Sequence[Any], read: Sequence[Criterion | str]) -> Iterator[str]:
    names = [row.get("name") if isinstance(row, dict) else None for row in rows]
    for place, fault in enumerate(read, 1):
        if isinstance(fault, str):
            yield f"{file}: criterion {place} {names[place - 1]!r}: {fault}"
    for name in dict.fromkeys(name for name in names if isinstance(name, str)):
        if names.count(name) > 1:
            yield f"{file}: the name {name!r} is given twice; each criterion needs its own"
    for given in names:
        if isinstance(given, str) and given.startswith(UNJUDGED):
            yield f"{file}: the name {given!r} begins with {UNJUDGED!r}, as rows on unjudged answers do"
    if EXPECTED_ANSWERS in names:
        yield f"{file}: the name {EXPECTED_ANSWERS!r} is kept for the answers that a run should have given"


def _parameters(path: Path, declared: Any, settings: Sequence[str]) -> Parameters:
    """The parameters of a file, with those that were set in place of their defaults."""
    declared = {} if declared is None else declared
    if not isinstance(declared, dict):
        raise InputError(f"{path}: 'parameters' is not a mapping; write for example `model: safe` below it")
    parameters: Parameters = {}
    for name, value in declared.items():
        if not (isinstance(name, str) and _NAME.fullmatch(name)):
            raise InputError(f"{path}: {name!r} is no name of a parameter; use small letters, digits and _")
        if isinstance(value, bool) or not isinstance(value, str | int | float | None):
            raise InputError(f"{path}: parameter {name!r} is neither a text, a number nor null")
        parameters[name] = None if value is None else str(value)
    given: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not (equals and name and value):
            raise InputError(f"--set {setting}: expected NAME=VALUE, for example --set model=alpha")
        if given.setdefault(name, value) != value:
            raise InputError(f"--set {setting}: {name!r} is also set to {given[name]!r}; give one of them")
        if name not in parameters:
            there = did_you_mean(name, parameters, f"there are {', '.join(parameters) or 'none'}")
            raise InputError(f"--set {setting}: {path} has no parameter {name!r}; {there}")
        parameters[name] = None if value == _NULL else value
    return parameters


def _misused(file: str, places: Mapping[str, Any], parameters: Parameters) -> Iterator[str]:
    """Places of parameters that do not exist, and parameters that stand nowhere."""
    used = set()
    for place, row in places.items():
        for text in (row if isinstance(row, dict) else {}).values():
            for name in _PLACE.findall(text) if isinstance(text, str) else ():
                used.add(name)
                whole = text == f"${{{name}}}"
                if name not in parameters:
                    hint = did_you_mean(name, parameters, "declare it below 'parameters'")
                    yield f"{file}: {place}: there is no parameter {name!r}; {hint}"
                elif parameters[name] is None and not whole:
                    yield f"{file}: {place}: {text!r} needs a value of {name!r}, which is null"
    for name in parameters.keys() - used:
        yield f"{file}: no criterion uses the parameter {name!r}; write ${{{name}}} where it belongs"


def _filled(row: Any, parameters: Parameters) -> Any:
    """A row with values in place of `${name}`; a field that is nothing but a null parameter goes."""
    if not isinstance(row, dict):
        return row
    filled = {}
    for field, text in row.items():
        if isinstance(text, str) and (match := _PLACE.fullmatch(text)) and parameters[match[1]] is None:
            continue
        filled[field] = _fill(text, parameters) if isinstance(text, str) else text
    return filled


def _fill(text: str, parameters: Mapping[str, str | None]) -> str:
    """A text with values in place of `${name}`.

    >>> _fill("${model}/full", {"model": "alpha"})
    'alpha/full'
    """
    return _PLACE.sub(lambda found: str(parameters[found[1]]), text)

"""Suites: expectations in JSON with every bound and severity written out; find, read and check them.

A suite is Great Expectations' own JSON. Each expectation also says in `meta.data` what it looks at: the
`manifest` (one row per record) or the `facts` (one row, one column per fact).
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from safe_data.audit.rule_faults import rule_fault
from safe_data.core.byte_order import without_mark
from safe_data.core.errors import InputError, first_errors
from safe_data.core.json_document import json_fault

SUITES = ("schema", "integrity", "leakage")
MAX_SUITE_BYTES = 2**20
COLUMN_ARGUMENTS = ("column", "column_A", "column_B", "column_list", "column_set")

Severity = Literal["critical", "warning", "info"]


class Meta(msgspec.Struct, frozen=True):
    """What an expectation looks at."""

    data: Literal["manifest", "facts"]


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One expectation in Great Expectations' words."""

    type: str
    kwargs: dict[str, Any]
    severity: Severity
    description: str
    meta: Meta
    id: str | None = None
    notes: Any = None

    @property
    def columns(self) -> tuple[str, ...]:
        named = [self.kwargs.get(argument, []) for argument in COLUMN_ARGUMENTS]
        return tuple(str(name) for names in named for name in (names if isinstance(names, list) else [names]))

    @property
    def bound(self) -> str:
        """The bound in short: `≥ 0.95`, `< 5`, `all`; other arguments unchanged."""
        given = {k: v for k, v in self.kwargs.items() if k not in COLUMN_ARGUMENTS and v is not None}
        above = ">" if given.pop("strict_min", False) else "≥"
        below = "<" if given.pop("strict_max", False) else "≤"
        words = [f"{above} {given.pop('min_value')}"] if "min_value" in given else []
        words += [f"{below} {given.pop('max_value')}"] if "max_value" in given else []
        mostly = given.pop("mostly", None)
        words += [] if mostly is None else ["all" if mostly == 1 else f"≥ {mostly} of all"]
        words += [f"{name.replace('_', ' ')} {value}" for name, value in given.items()]
        return ", ".join(words)


class Suite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Expectations that are judged together."""

    name: str
    expectations: list[Expectation]
    sha256: str = ""
    meta: dict[str, Any] = {}
    id: str | None = None
    notes: Any = None


def load_suites(chosen: Sequence[str]) -> list[Suite]:
    """Read suites by name (the ones that come with SAFE) or by path (your own JSON).

    Raises:
        InputError: a suite is missing, malformed or empty, or two have the same name.
    """
    suites = [_read(_path(word)) for word in chosen]
    names = [suite.name for suite in suites]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two of the chosen suites are called {name!r}; choose one, or rename it inside")
    return suites


def _path(word: str) -> Path:
    if word.endswith(".json"):
        return Path(word)
    if word not in SUITES:
        raise InputError(f"no suite {word!r}; choose {', '.join(SUITES)}, or name a .json file of your own")
    package = Path(__file__).resolve().parents[1]
    places = [package / "expectations", package.parent / "expectations"]  # in a wheel; in the repository
    return next((place for place in places if place.is_dir()), places[0]) / f"{word}.json"


def _read(path: Path) -> Suite:
    if not path.is_file():
        raise InputError(f"{path}: no such suite")
    with path.open("rb") as file:
        data = file.read(MAX_SUITE_BYTES + 1)
    if len(data) > MAX_SUITE_BYTES:
        raise InputError(f"{path}: larger than a suite can be ({MAX_SUITE_BYTES} bytes)")
    try:
        suite = msgspec.json.decode(text := without_mark(data), type=Suite)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(
            f"{path}: not a suite: {json_fault(text, error)}; expectations/README.md shows one"
        ) from None
    if not suite.expectations:
        raise InputError(f"{path}: has no expectations; an empty suite would hold for anything")
    errors = [
        f"expectation {number} ({expectation.type}): {fault}"
        for number, expectation in enumerate(suite.expectations)
        if (fault := rule_fault(expectation.type, expectation.kwargs))
    ]
    if errors:
        count = "a rule is" if len(errors) == 1 else f"{len(errors)} rules are"
        raise InputError(f"{path}: {count} refused", *first_errors(errors))
    return msgspec.structs.replace(suite, sha256=hashlib.sha256(data).hexdigest())

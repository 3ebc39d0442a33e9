"""Suites: expectations in JSON, each with its severity; find, read, check and complete them.

A suite is Great Expectations' own JSON. Each expectation also says in `meta.data` what it looks at: the
`manifest` (one row per record) or the `facts` (one row, one column per fact). An argument that is left out
gets its default when the suite is read, so that a result states all of them.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from safe_data.audit.facts.all_facts import FACTS
from safe_data.audit.rule_faults import columns_of, rule_fault
from safe_data.audit.rule_types import COLUMN_ARGUMENTS, RULE_TYPES, completed
from safe_data.core.byte_order import without_mark
from safe_data.core.errors import InputError, did_you_mean, first_errors
from safe_data.core.json_document import json_fault

# The suites that come with SAFE, in the order in which they are judged.
SUITES = ("schema", "load", "balance", "leakage", "duplicates", "alignment", "sampling", "content")
MAX_SUITE_BYTES = 2**20
MOST_SUITES = 100  # of one folder

Severity = Literal["critical", "warning", "info"]


class Meta(msgspec.Struct, frozen=True):
    """What an expectation looks at."""

    data: Literal["manifest", "facts"]


class Expectation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One expectation in Great Expectations' words."""

    type: str
    kwargs: dict[str, Any]
    meta: Meta
    severity: Severity = "critical"
    description: str = ""
    id: str | None = None
    notes: Any = None

    @property
    def columns(self) -> tuple[str, ...]:
        return columns_of(self.kwargs)

    @property
    def about_table(self) -> bool:
        """Whether it is about the columns that there are, and not about what is in them."""
        return self.type in RULE_TYPES and RULE_TYPES[self.type].of_table

    @property
    def bound(self) -> str:
        """The bound in short: `≥ 0.95`, `< 5`, `all`; other arguments unchanged, but for defaults."""
        given = {k: v for k, v in self.kwargs.items() if k not in COLUMN_ARGUMENTS and v is not None}
        above = ">" if given.pop("strict_min", False) else "≥"
        below = "<" if given.pop("strict_max", False) else "≤"
        words = [f"{above} {given.pop('min_value')}"] if "min_value" in given else []
        words += [f"{below} {given.pop('max_value')}"] if "max_value" in given else []
        mostly = given.pop("mostly", None)
        words += [] if mostly is None else ["all" if mostly == 1 else f"≥ {mostly} of all"]
        defaults = RULE_TYPES[self.type].defaults if self.type in RULE_TYPES else {}
        words += [
            f"{name.replace('_', ' ')} {value}"
            for name, value in given.items()
            if name not in defaults or value != defaults[name]
        ]
        return ", ".join(words)


class Suite(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Expectations that are judged together."""

    name: str
    expectations: list[Expectation]
    sha256: str = ""
    meta: dict[str, Any] = {}
    id: str | None = None
    notes: Any = None


def load_suites(chosen: Sequence[str] = (), folder: Path | None = None) -> list[Suite]:
    """Read suites by name (the ones that come with SAFE) or by path (your own JSON), and those of a folder.

    Args:
        chosen: names and paths; without any, and without a folder, all that come with SAFE
        folder: directory whose .json files are suites

    Raises:
        InputError: a suite is missing, malformed or empty, or two have the same name.
    """
    paths = [_path(word) for word in chosen]
    if folder is not None:
        paths += _paths_in(folder)
    elif not chosen:
        paths = [committed_folder() / f"{name}.json" for name in SUITES]
    suites = [_read(path) for path in paths]
    names = [suite.name for suite in suites]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two of the chosen suites are called {name!r}; choose one, or rename it inside")
    return suites


def narrowed(suites: Sequence[Suite], only: Sequence[str]) -> list[Suite]:
    """Only the suites of these names, and of the others only the rules about facts or columns so named.

    Raises:
        InputError: a name is none of a suite, or of what a rule is about.
    """
    if not only:
        return list(suites)
    known = {suite.name for suite in suites}
    columns = {name for suite in suites for rule in suite.expectations for name in rule.columns}
    for name in only:
        if name not in known | columns:
            what = "has no rule in the chosen suites" if name in FACTS else "is no suite, fact or column"
            hint = did_you_mean(name, known | columns, f"suites are {', '.join(sorted(known))}")
            raise InputError(f"--only {name}: {what}; {hint}")
    kept = []
    for suite in suites:
        whole = suite.name in only
        rules = [rule for rule in suite.expectations if whole or {*only}.intersection(rule.columns)]
        if rules:
            kept.append(msgspec.structs.replace(suite, expectations=rules))
    return kept


def committed_folder() -> Path:
    """The folder of the suites that come with SAFE: in a wheel, or in the repository."""
    package = Path(__file__).resolve().parents[1]
    places = [package / "expectations", package.parent / "expectations"]
    return next((place for place in places if place.is_dir()), places[0])


def _path(word: str) -> Path:
    if word.endswith(".json"):
        return Path(word)
    if word not in SUITES:
        near = did_you_mean(word, SUITES, f"choose {', '.join(SUITES)}, or name a .json file of your own")
        raise InputError(f"no suite {word!r}; {near}")
    return committed_folder() / f"{word}.json"


def _paths_in(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of suites")
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise InputError(f"{folder}: has no .json file, so there is no suite to judge by")
    if len(paths) > MOST_SUITES:
        raise InputError(f"{folder}: has {len(paths)} .json files; {MOST_SUITES} suites are the most")
    return paths


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
        if (fault := rule_fault(expectation.type, expectation.kwargs, expectation.meta.data, FACTS))
    ]
    if errors:
        count = "a rule is" if len(errors) == 1 else f"{len(errors)} rules are"
        raise InputError(f"{path}: {count} refused", *first_errors(errors))
    return msgspec.structs.replace(
        suite,
        sha256=hashlib.sha256(data).hexdigest(),
        expectations=[_completed(rule) for rule in suite.expectations],
    )


def _completed(rule: Expectation) -> Expectation:
    kwargs = completed(rule.type, rule.kwargs)
    return msgspec.structs.replace(
        rule, kwargs=kwargs, description=rule.description or f"{rule.type} of {', '.join(columns_of(kwargs))}"
    )

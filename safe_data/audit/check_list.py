"""Check list: what a rule may be about, and the suites that there are, for a user who writes a suite."""

from collections.abc import Iterator
from textwrap import wrap

import msgspec

from safe_data.audit.facts.all_facts import FACTS
from safe_data.audit.rule_types import RULE_TYPES
from safe_data.audit.suites import load_suites
from safe_data.core.table import COLUMNS
from safe_data.shards import manifest

_INDENT = 30  # columns before what a name means


class ListedRule(msgspec.Struct, frozen=True):
    """A rule of a committed suite."""

    about: str
    bound: str
    severity: str
    description: str


class CheckList(msgspec.Struct, frozen=True):
    """Facts with what each says, columns of the manifest with their types, types of rules, and suites."""

    facts: dict[str, str]
    columns: dict[str, str]
    types: dict[str, list[str]]
    suites: dict[str, list[ListedRule]]

    def json_lines(self) -> list[str]:
        """The list as lines of JSON."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1).decode().split("\n")


def check_list() -> CheckList:
    """Read the committed suites and list what there is; Great Expectations is not loaded."""
    return CheckList(
        facts={name: kind.about for name, kind in FACTS.items()},
        columns={field.name: str(field.type) for field in manifest.SCHEMA},
        types={name: list(of.arguments) for name, of in RULE_TYPES.items()},
        suites={
            suite.name: [
                ListedRule(", ".join(rule.columns), rule.bound, rule.severity, rule.description)
                for rule in suite.expectations
            ]
            for suite in load_suites()
        },
    )


def check_list_lines(found: CheckList) -> Iterator[str]:
    """The list in at most 80 columns."""
    yield 'Facts, for rules whose meta.data is "facts":'
    for name, about in found.facts.items():
        yield from _lines(name, about)
    yield from ("", 'Columns of the manifest, for rules whose meta.data is "manifest":')
    for name, kind in found.columns.items():
        yield from _lines(name, kind)
    yield from ("", "Types of rules, each with its arguments:")
    for name, arguments in found.types.items():
        yield f"  {name}"
        yield from wrap(", ".join(arguments), COLUMNS, initial_indent="    ", subsequent_indent="    ")
    for suite, rules in found.suites.items():
        yield from ("", f"Suite {suite}:")
        for rule in rules:
            severity = "" if rule.severity == "critical" else f" ({rule.severity})"
            yield from _lines(rule.about, f"{rule.bound}{severity}")


def _lines(name: str, about: str) -> Iterator[str]:
    head = f"  {name} ".ljust(_INDENT)
    if len(head) > _INDENT:
        yield f"  {name}"
        head = " " * _INDENT
    yield from wrap(about, COLUMNS, initial_indent=head, subsequent_indent=" " * _INDENT) or [head.rstrip()]

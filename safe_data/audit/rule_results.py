"""Rule results: what came of each rule; from them the exit code, a one-line verdict and a table."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from safe_data.audit.facts.fact import Offender
from safe_data.audit.suites import Severity
from safe_data.core.command import DOES_NOT_HOLD, HOLDS, NOT_JUDGED
from safe_data.core.numerals import counted
from safe_data.core.terminal import printable

REASONS_PRINTED = 5
REASON_WIDTH, SEEN_WIDTH = 200, 40
VERDICTS = {HOLDS: "holds", DOES_NOT_HOLD: "does not hold", NOT_JUDGED: "could not be judged"}
LABELS: dict[Severity, str] = {"critical": "FAIL", "warning": "warn", "info": "info"}
OUTSTANDING = (*LABELS.values(), "not judged", "n/a")  # the labels that a summary counts


@dataclass(frozen=True)
class RuleResult:
    """What came of one rule: what it asks, what was observed, and whether it holds (None: not judged).

    Where `applies` is False, the dataset has nothing that the rule is about, and `exception` says what.
    `arguments` are all that Great Expectations was given, defaults too.
    """

    suite: str
    expectation: str
    columns: tuple[str, ...]
    description: str
    severity: Severity
    bound: str
    success: bool | None
    observed: Any = None
    among: int | None = None
    offenders: tuple[Offender, ...] = ()
    exception: str | None = None
    detail: str = ""
    applies: bool = True
    data: str = "facts"
    arguments: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        """What it is about, and of a rule about the manifest also how: `id values to not be null`."""
        columns = ", ".join(self.columns)
        if self.data == "facts":
            return columns
        kind = self.expectation.removeprefix("expect_").removeprefix("column_").replace("_", " ")
        return f"{columns} {kind}".strip()

    @property
    def label(self) -> str:
        if self.success is None:
            return "not judged" if self.applies else "n/a"
        return "ok" if self.success else LABELS[self.severity]

    @property
    def seen(self) -> str:
        if self.observed is None:
            return "-"
        number = f"{self.observed:.6g}" if isinstance(self.observed, float) else str(self.observed)
        return number[:SEEN_WIDTH] if self.among is None else f"{number} of {self.among}"

    @property
    def reasons(self) -> list[str]:
        """What it protects and the first offenders, or the reason that it could not be judged."""
        if self.success:
            return []
        lines = [self.exception.partition("\n")[0]] if self.exception else [self.description]
        lines += [self.detail] if self.detail else []
        lines += [": ".join(filter(None, (o.what, " = ".join(o.records)))) for o in self.offenders]
        hidden = len(lines) - REASONS_PRINTED
        shown = [printable(line)[:REASON_WIDTH] for line in lines[:REASONS_PRINTED]]
        return [*shown, f"… and {hidden} more in results.json"] if hidden > 0 else shown

    def is_of(self, name: str) -> bool:
        """Whether a user who names a suite, a fact or a column means this rule."""
        return name == self.suite or name in self.columns


def exit_code(results: Sequence[RuleResult], asked: Sequence[str] = ()) -> int:
    """2 if any rule could not be judged, or nothing was; else 1 if a critical one does not hold, or 0.

    Args:
        results: of all rules
        asked: names of suites, facts or columns that a user chose; of each, something must apply
    """
    if any(result.label == "not judged" for result in results) or unjudged(results, asked):
        return NOT_JUDGED
    if any(result.label == "FAIL" for result in results):
        return DOES_NOT_HOLD
    return HOLDS


def unjudged(results: Sequence[RuleResult], asked: Sequence[str] = ()) -> list[str]:
    """What was to be judged and has nothing to be judged by, in words: a chosen name, or the whole."""
    if not results or not any(result.applies for result in results):
        return ["nothing was judged, so nothing holds"]
    lines = []
    for name in asked:
        meant = [result for result in results if result.is_of(name)]
        if not any(result.applies for result in meant):
            why = f": {meant[0].exception}" if meant else ""
            lines.append(f"{name} was asked for, and nothing of it applies{why}")
    return lines


def summary(results: Sequence[RuleResult]) -> str:
    """How many rules there are, and how many stand out: `14 rules, 1 FAIL, 2 warn`."""
    labels = [result.label for result in results]
    counts = [f"{labels.count(label)} {label}" for label in OUTSTANDING if label in labels]
    return ", ".join([counted(len(results), "rule"), *counts])


def table(results: Sequence[RuleResult]) -> list[str]:
    """One line per rule under the name of its suite, with its reasons below."""
    words = max((len(result.name) for result in results if result.applies), default=0)
    numbers = max((len(result.seen) for result in results), default=0)
    lines: list[str] = []
    for suite, group in groupby(results, attrgetter("suite")):
        of_suite = list(group)
        lines += ["", printable(suite)]
        for result in of_suite:
            if result.applies:
                asked = f"{result.label:<10}  {result.name:<{words}}"
                lines.append(f"  {asked}  {result.seen:>{numbers}}  {result.bound}")
                lines += [f"{'':14}{reason}" for reason in result.reasons]
        lines += _not_applicable(of_suite)
    return lines


def _not_applicable(of_suite: Sequence[RuleResult]) -> Iterator[str]:
    """One line per reason for which rules of a suite do not apply: `n/a  3 rules: no --sampling FILE`."""
    reasons = [result.reasons[0] if result.reasons else "" for result in of_suite if not result.applies]
    for reason in dict.fromkeys(reasons):
        yield f"  {'n/a':<10}  {counted(reasons.count(reason), 'rule')}: {reason}"

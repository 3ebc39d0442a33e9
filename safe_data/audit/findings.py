"""Findings: the result of each expectation; from them the exit code, a one-line verdict and a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from safe_data.audit.facts.fact import Offender
from safe_data.audit.suites import Severity
from safe_data.core.command import DOES_NOT_HOLD, HOLDS, NOT_JUDGED
from safe_data.core.terminal import printable

REASONS_PRINTED = 4
REASON_WIDTH, SEEN_WIDTH = 200, 40
VERDICTS = {HOLDS: "holds", DOES_NOT_HOLD: "does not hold", NOT_JUDGED: "could not be judged"}
LABELS: dict[Severity, str] = {"critical": "FAIL", "warning": "warn", "info": "info"}


@dataclass(frozen=True)
class Finding:
    """One expectation: what it asks, what was observed, and whether it holds (None: could not be judged)."""

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

    @property
    def label(self) -> str:
        if self.success is None:
            return "not judged"
        return "ok" if self.success else LABELS[self.severity]

    @property
    def seen(self) -> str:
        if self.observed is None:
            return "-"
        number = f"{self.observed:.6g}" if isinstance(self.observed, float) else str(self.observed)
        return number[:SEEN_WIDTH] if self.among is None else f"{number} of {self.among}"

    @property
    def reasons(self) -> list[str]:
        """Why it does not hold: the first offenders, or the reason that it could not be judged."""
        if self.success:
            return []
        lines = [self.exception.partition("\n")[0]] if self.exception else []
        lines += [self.detail] if self.detail else []
        lines += [": ".join(filter(None, (o.what, " = ".join(o.records)))) for o in self.offenders]
        hidden = len(lines) - REASONS_PRINTED
        shown = [printable(line)[:REASON_WIDTH] for line in lines[:REASONS_PRINTED]]
        return [*shown, f"… and {hidden} more in results.json"] if hidden > 0 else shown


def exit_code(findings: Sequence[Finding]) -> int:
    """2 if there are no findings or any could not be judged; otherwise 1 if a critical one failed, or 0."""
    if not findings or any(finding.success is None for finding in findings):
        return NOT_JUDGED
    if any(not finding.success and finding.severity == "critical" for finding in findings):
        return DOES_NOT_HOLD
    return HOLDS


def summary(findings: Sequence[Finding]) -> str:
    """The verdict in one line: `does not hold: 14 expectations, 1 FAIL, 2 warn`."""
    labels = [finding.label for finding in findings]
    known = (*LABELS.values(), "not judged")
    counts = [f"{labels.count(label)} {label}" for label in known if label in labels]
    return ", ".join([f"{VERDICTS[exit_code(findings)]}: {len(findings)} expectations", *counts])


def table(findings: Sequence[Finding]) -> list[str]:
    """One line per expectation under the name of its suite, with its reasons below."""
    lines: list[str] = []
    suite = None
    words = max((len(finding.description) for finding in findings), default=0)
    numbers = max((len(finding.seen) for finding in findings), default=0)
    for finding in findings:
        if finding.suite != suite:
            suite = finding.suite
            lines += ["", suite]
        asked = f"{finding.label:<10}  {finding.description:<{words}}"
        lines.append(f"  {asked}  {finding.seen:>{numbers}}  {finding.bound}")
        lines += [f"{'':14}{reason}" for reason in finding.reasons]
    return lines

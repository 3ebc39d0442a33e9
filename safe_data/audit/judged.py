"""Judged: datasets with what came of every rule, and the verdict; what the printed and written forms show."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from safe_data.audit.facts.fact import Fact
from safe_data.audit.rule_results import VERDICTS, RuleResult, exit_code, summary, table, unjudged
from safe_data.core.command import DOES_NOT_HOLD, NOT_JUDGED
from safe_data.sampling.outlook import Outlook, outlook_lines

# What a reader should see first: what fails, then what nobody knows, then the rest.
URGENCY = ("FAIL", "not judged", "warn", "info", "ok", "n/a")


@dataclass(frozen=True)
class Judged:
    """What came of a check: its rules, the facts behind them, and all that they depend on.

    `asked` are the names of suites, facts and columns that a user chose. `about` says which datasets, suites
    and versions were used. `outlook` is what a given curriculum will draw.
    """

    title: str
    records: int
    results: Sequence[RuleResult]
    facts: Mapping[str, Fact]
    asked: tuple[str, ...] = ()
    about: Mapping[str, Any] = field(default_factory=dict)
    outlook: Outlook | None = None

    @property
    def exit_code(self) -> int:
        """Of the rules; a curriculum that cannot be drawn does not hold whatever the suites ask."""
        of_rules = exit_code(self.results, self.asked)
        if self.outlook is not None and self.outlook.faults and of_rules != NOT_JUDGED:
            return DOES_NOT_HOLD
        return of_rules

    @property
    def verdict(self) -> str:
        return VERDICTS[self.exit_code]

    @property
    def summary(self) -> str:
        """The verdict in one line, with how many rules do not hold, warn, or were not judged."""
        return f"{self.verdict}: {summary(self.results)}"

    @property
    def unjudged(self) -> list[str]:
        """What was to be judged and could not be, as sentences."""
        return unjudged(self.results, self.asked)

    def with_label(self, *labels: str) -> list[RuleResult]:
        """The results that have one of these labels, in the order of the suites."""
        return [result for result in self.results if result.label in labels]

    def lines(self) -> list[str]:
        """What is printed: the outlook, every rule under its suite, and the verdict."""
        ahead = [] if self.outlook is None else [*outlook_lines(self.outlook), ""]
        head = f"{self.title}: {self.records} records"
        return [*ahead, head, *table(self.results), "", *self.unjudged, self.summary]

    def document(self) -> dict[str, Any]:
        """What results.json holds."""
        code = {"exit_code": self.exit_code, "verdict": self.verdict, "unjudged": self.unjudged}
        results = [{"label": result.label, **asdict(result)} for result in self.results]
        ahead = {} if self.outlook is None else {"outlook": self.outlook}
        return {**self.about, **code, "results": results, **ahead}

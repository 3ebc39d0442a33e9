"""A verdict in any format: each criterion with its number and its evidence."""

import textwrap
from collections.abc import Iterator

from safe_data.core import numerals
from safe_data.core.table import COLUMNS, Table
from safe_eval.judging.judged import Judged
from safe_eval.judging.sampled import sampled_text
from safe_eval.judging.verdict import Verdict

_DECISION = 14  # columns of "not measured" and the space after it
_ASKED = {
    "value": "",
    "ci_low": "the low end ",
    "ci_high": "the high end ",
    "limit": "the one-sided limit ",
    "equivalence": "the equivalence interval ",
    "non_inferiority": "the worse end of the one-sided tests ",
}


VERDICT_TABLES = ("criteria",)  # their names


def verdict_tables(verdict: Verdict) -> list[Table]:
    """One table, with a row for each criterion."""
    columns = ("criterion", "decision", "value", "ci_low", "ci_high", "use", "bound", "severity", "evidence")
    rows = [
        (c.name, c.decision, c.value, c.ci_low, c.ci_high, c.use, c.bound, c.severity, c.evidence)
        for c in verdict.criteria
    ]
    return [Table(f"verdict: {verdict.decision}", columns, rows, name=VERDICT_TABLES[0])]


def verdict_table(verdict: Verdict) -> Iterator[str]:
    """Each criterion with its number, bound and evidence, then what they leave out; the verdict last."""
    for row in verdict.criteria:
        warning = " (a warning: decides nothing)" if row.severity == "warning" else ""
        yield f"{row.decision:<{_DECISION}}{row.name}{warning}"
        indent = " " * _DECISION
        for text in (f"{_found(row)}; asked for {_ASKED[row.use]}{row.bound}", row.evidence):
            yield from textwrap.wrap(text, COLUMNS, initial_indent=indent, subsequent_indent=indent)
    yield ""
    for text in _beside(verdict):
        yield from textwrap.wrap(text, COLUMNS, subsequent_indent="  ")
    yield f"verdict: {verdict.decision} ({verdict.tally})"


def _beside(verdict: Verdict) -> Iterator[str]:
    """What the criteria do not say: what they leave out, missing answers, answers nobody looks at, notes."""
    if sum(criterion.severity == "critical" for criterion in verdict.asked) > 1:
        yield "every criterion must hold, so go needs no adjustment for how many there are"
    if verdict.left_out:
        parts = "; ".join(part.text for part in verdict.left_out)
        yield f"left out on purpose, how well they are answered: {parts}"
    if verdict.sampled:
        yield f"left out on purpose, by their condition: {sampled_text(verdict.sampled)}"
    if verdict.expected is not None:
        yield from (f"missing: {name}" for name in verdict.expected.named)
    if verdict.overlooked is not None:
        yield verdict.overlooked.text
    yield from (f"note: {note}" for note in verdict.notes)


def _found(row: Judged) -> str:
    """The value with the interval that decides; counts and shares without an interval stand alone."""
    if row.value is None:
        return "not measured"
    low, high = row.ends
    if low is None and high is None and row.value.is_integer():
        return f"{row.value:.0f}"
    value = f"{row.value:.4f}".replace("-", "−")
    if low is None and high is not None:
        return f"{value}, at most {numerals.fraction(high)}"
    if high is None and low is not None:
        return f"{value}, at least {numerals.fraction(low)}"
    return value if low is None else f"{value} {numerals.interval(low, high)}"

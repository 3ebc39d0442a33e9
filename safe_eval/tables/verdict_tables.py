"""Verdict tables: each criterion with its number and its evidence, in any format."""

from safe_eval.judging.verdict import Verdict
from safe_eval.tables.formats import Format, Table, render
from safe_eval.tables.text import verdict_table


def verdict_lines(verdict: Verdict, format: Format) -> list[str]:
    """The lines of a verdict: the text design, the document as JSON, or a table."""
    columns = ("criterion", "decision", "value", "ci_low", "ci_high", "use", "bound", "severity", "evidence")
    rows = [
        (c.name, c.decision, c.value, c.ci_low, c.ci_high, c.use, c.bound, c.severity, c.evidence)
        for c in verdict.criteria
    ]
    table = Table(f"verdict: {verdict.decision}", columns, rows)
    return render([table], format, verdict, verdict_table(verdict))

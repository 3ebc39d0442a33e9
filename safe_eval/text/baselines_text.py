"""Baselines in any format: a table for each type of question, and what its last column means."""

import textwrap
from collections.abc import Iterator

from safe_data.core import numerals
from safe_data.core.table import COLUMNS, Table, render
from safe_eval.baselines.accuracies import Accuracy
from safe_eval.baselines.baselines import Baselines
from safe_eval.comparison.comparison_file import POWER

BASELINES_TABLES = ("accuracies",)  # their names


def baselines_tables(found: Baselines) -> list[Table]:
    """A table for each dataset, metric and type of question."""
    by_type: dict[tuple[str | None, str, str | None], list[Accuracy]] = {}
    for row in found.accuracies:
        by_type.setdefault((row.dataset, row.metric, row.question_type), []).append(row)
    return [_table(rows) for rows in by_type.values()]


def baselines_lines(found: Baselines) -> Iterator[str]:
    """The tables as text for people, what they rest on, and what was left out."""
    yield from render(baselines_tables(found), "text")
    yield ""
    confidence = numerals.percent(next((row.confidence for row in found.accuracies), 0.95))
    yield from _wrapped(
        f"interval: {confidence}, by group. detects: the smallest true difference from majority that a "
        f"two-sided test at {confidence} finds in {numerals.percent(POWER)} of such samples, if scores "
        "differ in as many questions as here; a smaller difference may be there and not show."
    )
    for one in found.fitted:
        named = ", ".join(f"{name} {strength:g}" for name, strength in one.strengths.items())
        size = f"{numerals.counted(one.n, 'question')} in {numerals.counted(one.groups, 'group')}"
        yield from _wrapped(f"type {one.question_type} is fitted on {size}{named and '; C of '}{named}")


def note_lines(found: Baselines) -> list[str]:
    """What was left out, and why."""
    return [f"note: {note}" for note in found.notes]


def _table(rows: list[Accuracy]) -> Table:
    first = rows[0]
    columns = ("model", "accuracy", "interval", "detects", "n", "groups")
    kind = "" if first.question_type is None else f", type {first.question_type}"
    return Table(
        f"{first.metric} on {first.dataset}{kind}: {numerals.counted(first.classes, 'answer')} in training",
        columns,
        [
            (
                row.model,
                row.value,
                numerals.interval(row.ci_low, row.ci_high),
                row.detectable,
                row.n,
                numerals.clusters(row.clusters, row.effective_clusters),
            )
            for row in rows
        ],
        about={
            "metric": first.metric,
            "dataset": first.dataset,
            "question type": first.question_type,
            "classes": first.classes,
        },
        name=BASELINES_TABLES[0],
    )


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, COLUMNS, subsequent_indent="  ")

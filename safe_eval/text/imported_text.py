"""An import in any format: what was read of each log, its own numbers, and what was left out."""

import textwrap
from collections.abc import Iterator

from safe_data.core.numerals import cut
from safe_data.core.table import COLUMNS, Table, render
from safe_eval.logs.own_numbers import Reproduced
from safe_eval.scoring.imported import Imported, ImportedLog

IMPORTED_TABLES = ("logs", "numbers", "scores", "left_out")  # their names
_NAME = 40  # characters of a log's name in a title


def imported_lines(found: Imported) -> list[str]:
    """An import as text for people."""
    text = []
    for table in imported_tables(found):
        text += [*render([table], "text"), ""]
    for log in found.logs:
        for note in log.notes:
            text += textwrap.wrap(f"note: {log.log}: {note}", COLUMNS, subsequent_indent="      ")
    return [*text, ""] if any(log.notes for log in found.logs) else text


def imported_tables(found: Imported) -> Iterator[Table]:
    """A row for each log, number that it states, score of its rows, and reason to leave rows out."""
    total = f"{found.rows} rows of {len(found.logs)} log{'s' if len(found.logs) > 1 else ''}"
    columns = ("log", "harness", "version", "task", "model", "rows", "errors", "left out", "follow")
    rows = [
        (
            *(log.log, log.harness, log.version, log.task, log.model),
            *(log.rows, log.errors, _left_out(log), _follow(log)),
        )
        for log in found.logs
    ]
    yield Table(total, columns, rows, name=IMPORTED_TABLES[0])
    for log in found.logs:
        yield from _of_log(log)


def _of_log(log: ImportedLog) -> Iterator[Table]:
    about, name = {"log": log.log}, cut(log.log, _NAME)
    if log.own:
        title = f"{name}: numbers that it states, and from its rows"
        heads = ("number", "stated", "found", "follows", "from")
        numbers = [
            (one.name, one.stated, one.found, _verdict(one.agrees), one.why_not or _source(one))
            for one in log.own
        ]
        yield Table(title, heads, numbers, about=about, name=IMPORTED_TABLES[1])
    if log.means:
        title = f"{name}: the harness's scores"
        scores = [(name, mean, log.means_with_errors.get(name)) for name, mean in log.means.items()]
        columns = ("score", "mean", "with errors as 0")
        yield Table(title, columns, scores, about=about, name=IMPORTED_TABLES[2])
    if log.left_out:
        reasons = [(one.rows, one.first, one.why) for one in log.left_out]
        title = f"{name}: left out"
        yield Table(title, ("rows", "first", "why"), reasons, about=about, name=IMPORTED_TABLES[3])


def _left_out(log: ImportedLog) -> int:
    return sum(one.rows for one in log.left_out)


def _follow(log: ImportedLog) -> str:
    """How many of its own numbers follow, of those that could be compared."""
    judged = [one.agrees for one in log.own if one.agrees is not None]
    if not log.own:
        return "none stated"
    return f"{sum(judged)} of {len(judged)}" if judged else "not compared"


def _verdict(agrees: bool | None) -> str:
    return "not compared" if agrees is None else "yes" if agrees else "no"


def _source(one: Reproduced) -> str:
    return f"{one.rows} rows, {one.by}"

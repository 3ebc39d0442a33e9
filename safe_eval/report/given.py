"""Given scores on the page: what other harnesses scored the same answers, beside the scores here."""

from collections.abc import Sequence

from safe_eval.report import numbers
from safe_eval.report.labels import Models, arm_key, set_title
from safe_eval.report.table import Cell, Column, Row, Table
from safe_eval.report.units import PLAIN, Unit
from safe_eval.results.given_scores import GivenRow
from safe_eval.scoring.scores import Scores

_SHARE = Unit(is_share=True)


def given_tables(scores: Scores, models: Models) -> list[Table]:
    """A table per given score, metric here, dataset and seed: a column per arm."""
    keys = dict.fromkeys((row.metric, row.beside, row.dataset, row.seed) for row in scores.given_scores)
    return [_table(key, [row for row in scores.given_scores if _key(row) == key], models) for key in keys]


def _key(row: GivenRow) -> tuple[str, str | None, str | None, int]:
    return row.metric, row.beside, row.dataset, row.seed


def _table(key: tuple[str, str | None, str | None, int], rows: Sequence[GivenRow], models: Models) -> Table:
    metric, beside, dataset, seed = key
    what = f"{metric} beside {beside or 'no metric here'}"
    level = numbers.percent(rows[0].confidence, 0)
    lines = [
        Row("Given, mean", tuple(_mean(row) for row in rows), detail="failures without a score count as 0"),
        Row("Given, without failures", tuple(_alone(row) for row in rows)),
    ]
    if beside is not None:
        lines += [
            Row("Given, on the answers that both score", tuple(_of(row, row.given_value) for row in rows)),
            Row(f"{beside}, on the same answers", tuple(_of(row, row.own_value) for row in rows)),
            Row("Scored the same", tuple(map(_agreement, rows)), detail="up to rounding"),
        ]
    return Table(
        caption=set_title(what, dataset, seed),
        note=f"as the harness states it, on its own scale; in brackets, the {level} % interval",
        first="Score",
        columns=tuple(
            Column(models.title(row.model, row.condition), arm_key(row.model, row.condition)) for row in rows
        ),
        rows=tuple(line for line in lines if any(line.cells)),
    )


def _mean(row: GivenRow) -> Cell:
    failed = f"{numbers.count(row.failed)} failed" if row.failed else ""
    warning = f"{numbers.count(row.unscored, 'answer')} without a score" if row.unscored else ""
    lines = tuple(filter(None, (numbers.count(row.n, "item"), failed)))
    return Cell(PLAIN.write(row.value), lines=lines, warning=warning)


def _alone(row: GivenRow) -> Cell | None:
    if row.scored_value is None:
        return None
    return Cell(PLAIN.write(row.scored_value), lines=(numbers.count(row.scored, "item"),))


def _of(row: GivenRow, value: float | None) -> Cell | None:
    return None if value is None else Cell(PLAIN.write(value), lines=(numbers.count(row.compared, "item"),))


def _agreement(row: GivenRow) -> Cell | None:
    if row.agreement is None:
        return None
    why = tuple(f"{numbers.count(count)} {reason}" for reason, count in (row.why or {}).items())
    return Cell(_SHARE.write(row.agreement), _SHARE.interval(row.ci_low, row.ci_high), why)

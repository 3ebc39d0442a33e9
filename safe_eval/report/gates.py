"""When it listens: the table of gates on the page, a row per measure and a column per model."""

from collections.abc import Sequence

from safe_data.core import numerals
from safe_eval.arms.consultation import SKIPPED
from safe_eval.report import numbers
from safe_eval.report.labels import Models, arm_key, condition_title, set_title, slice_title
from safe_eval.report.table import Cell, Column, Row, Table
from safe_eval.report.units import Unit, is_share
from safe_eval.results.gate_row import (
    AT_LEAST,
    DROP,
    HARMED,
    HELPED,
    INFLUENCED,
    TOKENS,
    GateRow,
    rows_to_show,
)
from safe_eval.results.gate_times import BREAK_EVEN, GATE_MS, GATE_TIMES
from safe_eval.results.gates import BY_ANSWER, BY_KL, GATE_MEASURES, INFLUENCE_NATS
from safe_eval.results.irrelevance import FALSE_CONSULTATION
from safe_eval.scoring.scores import Scores

TITLES = {
    SKIPPED: "Sound skipped",
    FALSE_CONSULTATION: "Sound consulted though none is asked about",
    DROP: "Drop against always on",
    HELPED: "Helped by the sound",
    HARMED: "Harmed by the sound",
    INFLUENCED: "Influenced by the sound",
    TOKENS: "Audio tokens per answer",
    GATE_MS: "Gate, median in ms",
    "latency_p50": "Latency, median in ms",
    "latency_p95": "Latency, 95th percentile in ms",
    "latency_p50_ratio": "Median, in proportion to the baseline",
    "latency_p95_ratio": "95th percentile, in proportion to the baseline",
    BREAK_EVEN: "Skips from which on the gate saves time",
}

MAIN = (SKIPPED, FALSE_CONSULTATION, DROP, "latency_p50", "latency_p95")  # of the summary
BY = {BY_KL: f"KL above {INFLUENCE_NATS} nat", BY_ANSWER: "answers that silence changes"}


def gate_tables(scores: Scores, models: Models, *, short: bool = False) -> list[Table]:
    """A table per dataset and seed, or over seeds where they answered the same; `short` has the main rows."""
    shown = [row for row in scores.gates if not short or (row.measure in MAIN and row.condition == "full")]
    return [_table(key, rows, models) for key, rows in rows_to_show(shown).items()]


def _table(key: tuple[str | None, int | None], rows: Sequence[GateRow], models: Models) -> Table:
    names = list(dict.fromkeys(row.model for row in rows))
    found = {(_line(row), row.model): row for row in rows}
    lines = sorted(dict.fromkeys(map(_line, rows)), key=_order)
    level = numbers.percent(rows[0].confidence, 0)
    over = f" · over seeds {', '.join(map(str, rows[0].seeds))}" if key[1] is None else ""
    return Table(
        caption=set_title("When it listens", *key) + over,
        note=f"in brackets, the {level} % interval; at least, at most: one-sided limits",
        first="Measure",
        columns=tuple(Column(models.title(name, "full"), arm_key(name, "full")) for name in names),
        rows=tuple(
            Row(
                _label(line),
                tuple(_cell(found.get((line, name))) for name in names),
                group="Time" if line[0] in GATE_TIMES else TITLES[line[0]] + (line[1] and f", by {line[1]}"),
            )
            for line in lines
        ),
        empty="–",
    )


def _line(row: GateRow) -> tuple[str, str, str, str]:
    """What one row of the table is about: measure, metric, slice and condition."""
    return row.measure, row.metric or "", "" if row.measure in GATE_TIMES else row.slice, row.condition


def _order(line: tuple[str, str, str, str]) -> tuple[object, ...]:
    measure, metric, name, condition = line
    return GATE_MEASURES.index(measure), metric, name, condition != "full", condition


def _label(line: tuple[str, str, str, str]) -> str:
    """The questions and, if it is not the untouched input, the condition; of a time, what it is."""
    measure, _, name, condition = line
    if measure in GATE_TIMES:
        return TITLES[measure]
    return slice_title(name) + ("" if condition == "full" else f", {condition_title(condition)}")


def _cell(row: GateRow | None) -> Cell | None:
    if row is None:
        return None
    if row.value is None:
        return Cell("not measured", lines=(row.why_not or "",))
    unit = Unit(is_share(row.measure), is_difference=row.measure == DROP)
    write = unit.write if unit.is_share else numerals.fraction
    side = "at least" if row.measure in AT_LEAST else "at most"
    lines = [
        "" if row.limit is None else f"{side} {write(row.limit)}",
        f"beside {row.against}" if row.measure in (HELPED, HARMED) else "",
        f"by {BY[row.by]}" if row.by else "",
        "of batches, which show no skip" if row.one_by_one is False else "",
    ]
    missing = row.unsaid + row.only_one
    warning = f"without {numbers.count(missing, 'answer')}" if missing else ""
    return Cell(write(row.value), unit.interval(row.ci_low, row.ci_high), tuple(filter(None, lines)), warning)

"""Score tables of the page: metrics that are no accuracy, everything over seeds, and comparisons."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from safe_data.core import numerals
from safe_eval.report import numbers
from safe_eval.report.accuracy import (
    SLICES,
    Column,
    is_accuracy,
    noun_of,
    set_title,
    slice_title,
    slices_in_order,
)
from safe_eval.results.comparisons import Comparison
from safe_eval.results.metrics import Metric, without_repeats
from safe_eval.results.seeds import SeedComparison, SeedRow
from safe_eval.scoring.scores import Scores
from safe_eval.text.scores_text import GROUPED

Row = TypeVar("Row", Metric, SeedRow, SeedComparison)
Shown = dict[str, str]
Title = tuple[str, str]  # of a column: its text, and the arm as comparisons and criteria name it


def other_tables(scores: Scores) -> list[dict[str, Any]]:
    """Metrics that are no accuracy: a table per dataset and seed, with a row per metric and slice."""
    other = [m for m in scores.metrics if not is_accuracy(m.metric) and m.slice in SLICES]
    groups: dict[tuple[str | None, int], list[Metric]] = {}
    column = partial(_column, scores.provenance.baseline)
    for metric in without_repeats(other, ("metric", "dataset", "seed", "model", "condition")):
        groups.setdefault((metric.dataset, metric.seed), []).append(metric)
    return [_table(set_title("", *key), metrics, column, _metric) for key, metrics in groups.items()]


def seed_tables(scores: Scores) -> list[dict[str, Any]]:
    """Means and differences over seeds: two tables per dataset, with a row per metric and slice."""
    means = without_repeats(scores.seeds, ("metric", "dataset", "model", "condition"))
    comparisons = without_repeats(scores.seed_comparisons, ("metric", "dataset", "a", "b"))
    column = partial(_column, scores.provenance.baseline)
    tables = []
    for dataset in dict.fromkeys(row.dataset for row in means):
        own = [row for row in means if row.dataset == dataset]
        tables.append(_table(_title("mean ± std", dataset), own, column, _mean))
        differences = [row for row in comparisons if row.dataset == dataset]
        if differences:
            tables.append(_table(_title("differences", dataset), differences, _sides, _difference))
    return tables


def _title(what: str, dataset: str | None) -> str:
    return f"Over seeds, {what}" + ("" if dataset is None else f" · {dataset}")


def _table(
    title: str, rows: Sequence[Row], column: Callable[[Row], Title], cell: Callable[[Row], Shown]
) -> dict[str, Any]:
    columns = list(dict.fromkeys(column(row) for row in rows))
    by_place: Mapping[tuple[str, str, Title], Row] = {(r.metric, r.slice, column(r)): r for r in rows}
    return {
        "title": title,
        "note": f"in brackets, the {numbers.percent(rows[0].confidence, 0)} % interval",
        "columns": [{"title": name, "key": key} for name, key in columns],
        "rows": [
            {
                "metric": metric,
                "slice": slice_title(name, noun_of(metric)),
                "cells": [
                    cell(by_place[metric, name, c]) if (metric, name, c) in by_place else None
                    for c in columns
                ],
            }
            for metric, name in dict.fromkeys((row.metric, row.slice) for row in rows)
        ],
    }


def _column(baseline: str | None, row: Metric | SeedRow) -> Title:
    column = Column(row.model, row.condition, row.model == baseline)
    return column.title, column.key


def _sides(row: SeedComparison) -> Title:
    return f"{row.a} − {row.b}", ""


def _metric(row: Metric) -> Shown:
    interval = numbers.interval(numbers.plain(row.ci_low), numbers.plain(row.ci_high))
    return {"value": numbers.plain(row.value), "interval": interval, "detail": numbers.count(row.n, "item")}


def _mean(row: SeedRow) -> Shown:
    return {
        "value": f"{numerals.fraction(row.mean)} ± {numerals.fraction(row.std)}",
        "interval": numbers.interval(numerals.fraction(row.ci_low), numerals.fraction(row.ci_high)),
        "detail": f"seeds {', '.join(map(str, row.seeds))}",
    }


def _difference(row: SeedComparison) -> Shown:
    return {
        "value": f"{numerals.difference(row.mean)} ± {numerals.fraction(row.std)}",
        "interval": numbers.interval(numerals.difference(row.ci_low), numerals.difference(row.ci_high)),
        "detail": f"p {numerals.p_value(row.p_value)}",
    }


def comparison_tables(scores: Scores) -> list[dict[str, Any]]:
    """One table per main metric, dataset and seed; the comparisons by other metrics are in scores.json."""
    groups: dict[tuple[str, str | None, int], list[Comparison]] = {}
    main = [comparison for comparison in scores.comparisons if comparison.metric not in GROUPED]
    for comparison in without_repeats(main, ("metric", "dataset", "seed", "a", "b")):
        groups.setdefault((comparison.metric, comparison.dataset, comparison.seed), []).append(comparison)
    return [_comparison_table(set_title(*key), comparisons) for key, comparisons in groups.items()]


def _comparison_table(title: str, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    tests = list(dict.fromkeys(c.test for c in comparisons if c.test))
    slices = slices_in_order(c.slice for c in comparisons)
    by_place = {(c.a, c.b, c.slice): c for c in comparisons}
    metric, confidence = comparisons[0].metric, numbers.percent(comparisons[0].confidence, 0)
    unit = "percentage points, " if is_accuracy(metric) else ""
    return {
        "title": title,
        "note": f"{unit}in brackets, the {confidence} % interval"
        + (f"; p by {tests[0]}" if len(tests) == 1 else ""),
        "slices": [slice_title(name, noun_of(metric)) for name in slices],
        "rows": [
            {
                "a": a,
                "b": b,
                "cells": [_comparison_cell(by_place.get((a, b, name)), tests) for name in slices],
            }
            for a, b in dict.fromkeys((c.a, c.b) for c in comparisons)
        ],
    }


def _comparison_cell(found: Comparison | None, tests: Sequence[str]) -> dict[str, str] | None:
    if found is None or found.difference is None:
        return None
    show = numbers.points if is_accuracy(found.metric) else numbers.plain
    p_value = numerals.p_value(found.p_value)
    tested = f"p {p_value}" if p_value.startswith("<") else f"p = {p_value}"
    if len(tests) > 1:
        tested += f" ({found.test})"
    unmatched = found.only_a + found.only_b
    return {
        "difference": show(found.difference),
        "interval": numbers.interval(show(found.ci_low), show(found.ci_high)),
        "tested": tested if found.p_value is not None else "p not measured",
        "moved": f"{numbers.count(found.gained)} gained, {numbers.count(found.lost)} lost",
        "unmatched": f"{numbers.count(unmatched, 'item')} answered on one side only" if unmatched else "",
    }

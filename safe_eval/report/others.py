"""The other metrics of the page, on their own scales, and all of them over seeds."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from safe_eval.report import numbers
from safe_eval.report.accuracy import SLICES, Column, is_accuracy, noun_of, set_title, slice_title
from safe_eval.scoring.metric import Metric
from safe_eval.scoring.over_seeds import SeedComparison, SeedRow
from safe_eval.scoring.score import Scores
from safe_eval.scoring.slices import without_repeats
from safe_eval.tables import numerals

Row = TypeVar("Row", Metric, SeedRow, SeedComparison)
Shown = dict[str, str]
Title = tuple[str, str]  # of a column, and as comparisons and criteria write it


def other_tables(scores: Scores) -> list[dict[str, Any]]:
    """What is no accuracy: a table for each dataset and seed, with a row a metric and slice."""
    others = [m for m in scores.metrics if not is_accuracy(m.metric) and m.slice in SLICES]
    groups: dict[tuple[str | None, int], list[Metric]] = {}
    for metric in without_repeats(others, ("metric", "dataset", "seed", "model", "condition")):
        groups.setdefault((metric.dataset, metric.seed), []).append(metric)
    return [_table(set_title("", *key), metrics, _column, _metric) for key, metrics in groups.items()]


def seed_tables(scores: Scores) -> list[dict[str, Any]]:
    """Means and differences over seeds: two tables for each dataset, with a row a metric and slice."""
    means = without_repeats(scores.seeds, ("metric", "dataset", "model", "condition"))
    pairs = without_repeats(scores.seed_comparisons, ("metric", "dataset", "a", "b"))
    tables = []
    for dataset in dict.fromkeys(row.dataset for row in means):
        own = [row for row in means if row.dataset == dataset]
        tables.append(_table(_title("mean ± std", dataset), own, _column, _mean))
        compared = [row for row in pairs if row.dataset == dataset]
        if compared:
            tables.append(_table(_title("differences", dataset), compared, _pair, _difference))
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
        "note": f"in brackets the {numbers.percent(rows[0].confidence, 0)} % interval",
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


def _column(row: Metric | SeedRow) -> Title:
    column = Column(row.model, row.condition)
    return column.title, column.key


def _pair(row: SeedComparison) -> Title:
    return f"{row.a} − {row.b}", ""


def _metric(row: Metric) -> Shown:
    interval = numbers.interval(numbers.plain(row.ci_low), numbers.plain(row.ci_high))
    return {"value": numbers.plain(row.value), "interval": interval, "beside": numbers.count(row.n, "item")}


def _mean(row: SeedRow) -> Shown:
    return {
        "value": f"{numerals.fraction(row.mean)} ± {numerals.fraction(row.std)}",
        "interval": numbers.interval(numerals.fraction(row.ci_low), numerals.fraction(row.ci_high)),
        "beside": f"seeds {', '.join(map(str, row.seeds))}",
    }


def _difference(row: SeedComparison) -> Shown:
    return {
        "value": f"{numerals.difference(row.mean)} ± {numerals.fraction(row.std)}",
        "interval": numbers.interval(numerals.difference(row.ci_low), numerals.difference(row.ci_high)),
        "beside": f"p {numerals.p_value(row.p_value)}",
    }

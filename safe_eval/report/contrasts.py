"""Comparisons as tables: a row for each pair of conditions, a column for each slice."""

from collections.abc import Sequence
from typing import Any

from safe_eval.report import numbers
from safe_eval.report.accuracy import is_accuracy, noun_of, set_title, slice_title, slices_in_order
from safe_eval.scoring.comparisons import Comparison
from safe_eval.scoring.score import Scores
from safe_eval.scoring.slices import without_repeats
from safe_eval.tables import numerals
from safe_eval.tables.overview import BESIDE


def comparison_tables(scores: Scores) -> list[dict[str, Any]]:
    """One table for each main metric, dataset and seed; those of the others are in scores.json."""
    groups: dict[tuple[str, str | None, int], list[Comparison]] = {}
    main = [comparison for comparison in scores.comparisons if comparison.metric not in BESIDE]
    for comparison in without_repeats(main, ("metric", "dataset", "seed", "a", "b")):
        groups.setdefault((comparison.metric, comparison.dataset, comparison.seed), []).append(comparison)
    return [_table(set_title(*key), comparisons) for key, comparisons in groups.items()]


def _table(title: str, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    tests = list(dict.fromkeys(c.test for c in comparisons if c.test))
    slices = slices_in_order(c.slice for c in comparisons)
    by_place = {(c.a, c.b, c.slice): c for c in comparisons}
    metric, confidence = comparisons[0].metric, numbers.percent(comparisons[0].confidence, 0)
    unit = "percentage points, " if is_accuracy(metric) else ""
    return {
        "title": title,
        "note": f"{unit}in brackets the {confidence} % interval"
        + (f"; p by {tests[0]}" if len(tests) == 1 else ""),
        "slices": [slice_title(name, noun_of(metric)) for name in slices],
        "rows": [
            {"a": a, "b": b, "cells": [_cell(by_place.get((a, b, name)), tests) for name in slices]}
            for a, b in dict.fromkeys((c.a, c.b) for c in comparisons)
        ],
    }


def _cell(found: Comparison | None, tests: Sequence[str]) -> dict[str, str] | None:
    if found is None or found.difference is None:
        return None
    show = numbers.points if is_accuracy(found.metric) else numbers.plain
    p_value = numerals.p_value(found.p_value)
    tested = f"p {p_value}" if p_value.startswith("<") else f"p = {p_value}"
    if len(tests) > 1:
        tested += f" ({found.test})"
    unpaired = found.only_a + found.only_b
    return {
        "difference": show(found.difference),
        "interval": numbers.interval(show(found.ci_low), show(found.ci_high)),
        "tested": tested if found.p_value is not None else "p not measured",
        "moved": f"{numbers.count(found.gained)} gained, {numbers.count(found.lost)} lost",
        "gap": f"{numbers.count(unpaired, 'item')} without a partner" if unpaired else "",
    }

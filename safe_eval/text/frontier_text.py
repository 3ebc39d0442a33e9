"""Frontiers as text: each point with its accuracy, its cost, and whether another point makes it needless."""

import textwrap
from collections.abc import Iterator, Sequence

from safe_data.core import numerals
from safe_data.core.table import COLUMNS
from safe_eval.arms.consultation import CONSULTED
from safe_eval.results.frontiers import DOMINATED, ON_FRONTIER, FrontierRow
from safe_eval.results.metrics import without_repeats
from safe_eval.scoring.scores import Scores

_NAME, _COST, _BETTER = 16, 13, 8
_EVERY = 4  # of the thresholds of a curve

_LEGEND = (
    "yes: no other point scores as much for as little; no: one does, and intervals show it; open: one does, "
    "in this sample; in brackets, the share of resamples with the point on the frontier"
)


def frontier_lines(scores: Scores) -> Iterator[str]:
    """A table per frontier, cheapest point first, and one per curve of a gate."""
    points = [row for row in scores.frontiers if row.threshold is None]
    for key in dict.fromkeys(map(_key, points)):
        own = [row for row in points if _key(row) == key]
        yield ""
        yield from _wrapped(f"{_title(own[0])}: frontier of models")
        yield f"    {'':<{_NAME}}    mean  interval      {own[0].cost:>{_COST}}  frontier"
        yield from _points(without_repeats(own, ("model",)))
        yield from _wrapped(_together(own[0]), "  ")
    if points:
        yield from _wrapped(_LEGEND, "  ")
    curves = [row for row in scores.frontiers if row.threshold is not None]
    for key, model in dict.fromkeys((_key(row), row.model) for row in curves):
        own = [row for row in curves if (_key(row), row.model) == (key, model)]
        yield ""
        yield from _wrapped(f"{_title(own[0])}: {model} by the threshold of its gate")
        yield f"    {'gate_score from':<{_NAME}}    mean  interval      {own[0].cost:>{_COST}}"
        yield from _curve(without_repeats(own, ("threshold",)))
        yield from _wrapped(f"{_together(own[0])}; all thresholds are in scores.json", "  ")


def written_cost(cost: str, value: float | None) -> str:
    """A cost as tables write it: a share as a fraction, tokens and milliseconds with four digits.

    >>> written_cost("consulted", 0.4567), written_cost("latency_ms", 103.456)
    ('0.457', '103.5')
    """
    if value is None:
        return numerals.MISSING
    return numerals.fraction(value) if cost == CONSULTED else f"{value:.4g}"


def _key(row: FrontierRow) -> tuple[str, str | None, int, str]:
    return row.metric, row.dataset, row.seed, row.cost


def _title(row: FrontierRow) -> str:
    on = "" if row.dataset is None else f" on {row.dataset}"
    batched = " (of batches)" if row.one_by_one is False else ""
    return f"{row.metric}{on} against {row.cost}{batched}, seed {row.seed}"


def _together(row: FrontierRow) -> str:
    left_out = f"; {row.left_out} examples were not answered by all" if row.left_out else ""
    return f"all intervals of a slice hold at once ({numerals.percent(row.confidence)}){left_out}"


def _slice(row: FrontierRow) -> str:
    clusters = numerals.counted_clusters(row.clusters, row.effective_clusters)
    return f"  {row.slice}: {row.n} examples in {clusters}"


def _points(rows: Sequence[FrontierRow]) -> Iterator[str]:
    for slice_name in dict.fromkeys(row.slice for row in rows):
        own = [row for row in rows if row.slice == slice_name]
        yield _slice(own[0])
        for row in sorted(own, key=lambda row: (row.mean_cost, -row.value)):
            yield f"    {numerals.cut(row.model, _NAME):<{_NAME}}{_numbers(row)}  {_standing(row)}"


def _numbers(row: FrontierRow) -> str:
    interval = numerals.interval(row.ci_low, row.ci_high)
    cost = written_cost(row.cost, row.mean_cost)
    return f" {numerals.fraction(row.value):>7}  {interval:<14}{cost:>{_COST}}"


def _standing(row: FrontierRow) -> str:
    if row.status is None:
        return "not measured"
    share = numerals.percent(round(row.share_on_frontier or 0.0, 2))
    if row.status == ON_FRONTIER:
        return f"yes ({share})"
    better = numerals.cut(row.dominated_by or "", _BETTER)
    return f"no: {better}" if row.status == DOMINATED else f"open: {better} ({share})"


def _curve(rows: Sequence[FrontierRow]) -> Iterator[str]:
    last = max(row.threshold or 0.0 for row in rows)  # above every score
    for slice_name in dict.fromkeys(row.slice for row in rows):
        own = sorted((row for row in rows if row.slice == slice_name), key=lambda row: row.threshold or 0.0)
        yield _slice(own[0])
        for row in [*own[:-1][::_EVERY], own[-1]]:
            at = "never" if row.threshold == last else numerals.fraction(row.threshold)
            yield f"    {at:<{_NAME}}{_numbers(row)}"


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(text, COLUMNS, initial_indent=indent, subsequent_indent=indent or "  ")

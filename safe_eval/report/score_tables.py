"""Score tables of the page: metrics that are no accuracy, and everything over seeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from safe_data.core import numerals
from safe_eval.report import numbers
from safe_eval.report.accuracy import is_accuracy
from safe_eval.report.labels import SLICES, Models, arm_key, noun_of, set_title, slice_title
from safe_eval.report.table import Cell, Column, Row, Table
from safe_eval.report.units import PLAIN, is_share, unit_of
from safe_eval.results.aggregates import OWN_AGGREGATES, AggregateRow
from safe_eval.results.deferral import DEFERRAL_METRICS, DeferralRow
from safe_eval.results.metrics import Metric, without_repeats
from safe_eval.results.prompts import PromptRow
from safe_eval.results.seeds import SeedComparison, SeedRow
from safe_eval.scoring.scores import Scores

Found = TypeVar("Found", Metric, SeedRow, SeedComparison, PromptRow)


def other_tables(scores: Scores, models: Models, *, conditions: Sequence[str] = ()) -> list[Table]:
    """Metrics that are no accuracy, shares apart from all others: a row per metric and slice.

    `conditions` are those to show (default: all).
    """
    other = [
        m
        for m in scores.metrics
        if not is_accuracy(m.metric) and m.slice in SLICES and (not conditions or m.condition in conditions)
    ]
    groups: dict[tuple[str, str | None, int], list[Metric]] = {}
    for metric in without_repeats(other, ("metric", "dataset", "seed", "model", "condition")):
        title = "Shares" if is_share(metric.metric) else "Other scores"
        groups.setdefault((title, metric.dataset, metric.seed), []).append(metric)
    return [_table(set_title(*key), own, _arm_column(models), _metric) for key, own in groups.items()]


def seed_tables(scores: Scores, models: Models) -> list[Table]:
    """Means and differences over seeds, shares apart from all others, with a row per metric and slice."""
    means = without_repeats(scores.seeds, ("metric", "dataset", "model", "condition"))
    comparisons = without_repeats(scores.seed_comparisons, ("metric", "dataset", "a", "b"))
    tables = []
    for share, dataset in dict.fromkeys((is_share(row.metric), row.dataset) for row in means):
        own = [r for r in means if (is_share(r.metric), r.dataset) == (share, dataset)]
        tables.append(_table(_title("mean ± std", dataset), own, _arm_column(models), _mean))
        of_both = [r for r in comparisons if (is_share(r.metric), r.dataset) == (share, dataset)]
        if of_both:
            tables.append(_table(_title("differences", dataset), of_both, _sides, _difference))
    return tables


def prompt_tables(scores: Scores, models: Models) -> list[Table]:
    """Means over wordings of the questions, shares apart from all others."""
    groups: dict[tuple[bool, str | None, int], list[PromptRow]] = {}
    for row in without_repeats(scores.prompts, ("metric", "dataset", "seed", "model", "condition")):
        groups.setdefault((is_share(row.metric), row.dataset, row.seed), []).append(row)
    return [
        _table(set_title("Over wordings, mean ± std", dataset, seed), own, _arm_column(models), _worded)
        for (_, dataset, seed), own in groups.items()
    ]


def aggregate_tables(scores: Scores, models: Models) -> list[Table]:
    """Numbers about many answers at once, such as F1 or consistency: a row each, and a column per arm."""
    rows = [row for row in scores.aggregates if row.name in OWN_AGGREGATES]
    groups: dict[tuple[str, str | None, int], list[AggregateRow]] = {}
    for row in rows:
        title = "Aggregates" if is_share(row.name) else "Aggregates on their own scale"
        groups.setdefault((title, row.dataset, row.seed), []).append(row)
    return [_aggregate_table(set_title(*key), own, models) for key, own in groups.items()]


def deferral_tables(scores: Scores, models: Models, *, conditions: Sequence[str] = ()) -> list[Table]:
    """AURC and the AUROCs of confidence and gate: a row each, and a column per arm.

    `conditions` are those to show (default: all).
    """
    rows = [
        r for r in scores.deferral if r.value is not None and (not conditions or r.condition in conditions)
    ]
    tables = []
    for dataset, seed in dict.fromkeys((row.dataset, row.seed) for row in rows):
        own = [row for row in rows if (row.dataset, row.seed) == (dataset, seed)]
        arms = list(dict.fromkeys((row.model, row.condition) for row in own))
        by_place = {(row.metric, (row.model, row.condition)): row for row in own}
        level = numbers.percent(own[0].confidence, 0)
        tables.append(
            Table(
                caption=set_title("Deferral", dataset, seed),
                note=f"AURC: lower is better, AUROC: 0.5 is chance; in brackets, the {level} % interval",
                first="Metric",
                columns=tuple(Column(models.title(*arm), arm_key(*arm)) for arm in arms),
                rows=tuple(
                    Row(metric, tuple(_deferral(by_place.get((metric, arm))) for arm in arms))
                    for metric in DEFERRAL_METRICS
                    if any(row.metric == metric for row in own)
                ),
            )
        )
    return tables


def _deferral(row: DeferralRow | None) -> Cell | None:
    if row is None:
        return None
    return Cell(
        PLAIN.write(row.value), PLAIN.interval(row.ci_low, row.ci_high), (numbers.count(row.n, "item"),)
    )


def _aggregate_table(title: str, rows: Sequence[AggregateRow], models: Models) -> Table:
    arms = list(dict.fromkeys((row.model, row.condition) for row in rows))
    by_place = {(row.name, (row.model, row.condition)): row for row in rows}
    level = next((numbers.percent(row.confidence, 0) for row in rows if row.confidence), None)
    unit = "in percent" if is_share(rows[0].name) else "each on its own scale"
    return Table(
        caption=title,
        note=unit + (f"; in brackets, the {level} % interval" if level else ""),
        first="Aggregate",
        columns=tuple(Column(models.title(*arm), arm_key(*arm)) for arm in arms),
        rows=tuple(
            Row(name, tuple(_aggregate(by_place.get((name, arm))) for arm in arms))
            for name in dict.fromkeys(row.name for row in rows)
        ),
    )


def _aggregate(row: AggregateRow | None) -> Cell | None:
    if row is None or row.value is None:
        return None
    unit = unit_of(row.name)
    value = unit.write(row.value) if unit.is_share else numbers.plain(row.value)
    return Cell(value, unit.interval(row.ci_low, row.ci_high), (numbers.count(row.n, "item"),))


def _title(what: str, dataset: str | None) -> str:
    return f"Over seeds, {what}" + ("" if dataset is None else f" · {dataset}")


def _table(
    title: str, rows: Sequence[Found], column: Callable[[Found], Column], cell: Callable[[Found], Cell]
) -> Table:
    columns = list(dict.fromkeys(column(row) for row in rows))
    by_place: Mapping[tuple[str, str, Column], Found] = {(r.metric, r.slice, column(r)): r for r in rows}
    unit = unit_of(rows[0].metric, difference=isinstance(rows[0], SeedComparison))
    level = numbers.percent(rows[0].confidence, 0)
    scale = unit.name if unit.is_share else "each on its own scale"
    over = "" if isinstance(rows[0], Metric) else ", over clusters and seeds at once"
    over = ", over clusters and wordings at once" if isinstance(rows[0], PromptRow) else over
    return Table(
        caption=title,
        note=f"{scale}; in brackets, the {level} % interval{over}",
        first="Metric",
        columns=tuple(columns),
        rows=tuple(
            _row(metric, name, [by_place.get((metric, name, c)) for c in columns], cell)
            for metric, name in dict.fromkeys((row.metric, row.slice) for row in rows)
        ),
    )


def _row(metric: str, name: str, found: Sequence[Found | None], cell: Callable[[Found], Cell]) -> Row:
    """A row with the number of its items, or where they differ, with the number in each cell."""
    sizes = {numbers.count(one.n, "item") for one in found if one}
    detail = slice_title(name, noun_of(metric))
    same = sizes.pop() if len(sizes) == 1 else ""
    cells = (None if one is None else cell(one) if same else _with_size(cell(one), one.n) for one in found)
    return Row(metric, tuple(cells), f"{detail} · {same}" if same else detail)


def _with_size(cell: Cell, n: int) -> Cell:
    return replace(cell, lines=(*cell.lines, numbers.count(n, "item")))


def _arm_column(models: Models) -> Callable[[Metric | SeedRow | PromptRow], Column]:
    def column(row: Metric | SeedRow | PromptRow) -> Column:
        return Column(models.title(row.model, row.condition), arm_key(row.model, row.condition))

    return column


def _sides(row: SeedComparison) -> Column:
    return Column(f"{row.a} − {row.b}")


def _metric(row: Metric) -> Cell:
    unit = unit_of(row.metric)
    return Cell(unit.write(row.value), unit.interval(row.ci_low, row.ci_high))


def _mean(row: SeedRow) -> Cell:
    unit = unit_of(row.metric)
    spread = numbers.percent(row.std) if unit.is_share else numerals.fraction(row.std)
    value = f"{unit.write(row.mean).removesuffix(' %')} ± {spread}{' %' if unit.is_share else ''}"
    lines = [f"seeds {', '.join(map(str, row.seeds))}"]
    if row.seed_std is not None and row.seed_std_high is not None:
        write = numbers.percent if unit.is_share else numerals.fraction
        lines.append(f"seed std {write(row.seed_std)}, at most {write(row.seed_std_high)}")
    return Cell(value, unit.interval(row.ci_low, row.ci_high), tuple(lines))


def _worded(row: PromptRow) -> Cell:
    unit = unit_of(row.metric)
    write = numbers.percent if unit.is_share else numerals.fraction
    value = f"{unit.write(row.mean).removesuffix(' %')} ± {write(row.std)}{' %' if unit.is_share else ''}"
    each = ", ".join(f"{name} {write(mean)}" for name, mean in zip(row.prompts, row.means, strict=True))
    lines = [each, f"wording std {write(row.prompt_std)}, at most {write(row.prompt_std_high)}"]
    return Cell(value, unit.interval(row.ci_low, row.ci_high), tuple(lines))


def _difference(row: SeedComparison) -> Cell:
    unit = unit_of(row.metric, difference=True)
    spread = numbers.percent(row.std) if unit.is_share else numerals.fraction(row.std)
    value = f"{unit.write(row.mean).removesuffix(' pp')} ± {spread}{' pp' if unit.is_share else ''}"
    named = "" if row.test is None else f" by {row.test}"
    tested = (f"p {numerals.p_value(row.p_value)}{named}", f"Holm {numerals.p_value(row.holm_p)}")
    return Cell(value, unit.interval(row.ci_low, row.ci_high), tested)

"""Comparison tables of the page: one arm minus another, and whether two models are equivalent."""

from collections.abc import Sequence

from safe_data.core import numerals
from safe_eval.report import numbers
from safe_eval.report.accuracy import is_accuracy
from safe_eval.report.labels import noun_of, set_title, slice_title, slices_in_order
from safe_eval.report.table import Cell, Column, Row, Table
from safe_eval.report.units import unit_of
from safe_eval.results.comparisons import Comparison
from safe_eval.results.metrics import without_repeats
from safe_eval.results.retention import RETENTION_MARGIN, RetentionRow
from safe_eval.statistics.intervals import Interval
from safe_eval.statistics.paired import equivalence_verdict
from safe_eval.text.scores_text import GROUPED

_ABOUT = ("metric", "dataset", "seed", "a", "b")


def comparison_tables(comparisons: Sequence[Comparison]) -> list[Table]:
    """One table per main metric, dataset and seed; the comparisons by other metrics are in scores.json."""
    groups: dict[tuple[str, str | None, int], list[Comparison]] = {}
    for row in without_repeats([row for row in comparisons if row.metric not in GROUPED], _ABOUT):
        groups.setdefault((row.metric, row.dataset, row.seed), []).append(row)
    return [_comparison_table(set_title(*key), own) for key, own in groups.items()]


def equivalence_tables(comparisons: Sequence[Comparison]) -> list[Table]:
    """Whether each model is equivalent to another within half a point of accuracy: a row per pair of arms."""
    groups: dict[tuple[str, str | None, int], list[Comparison]] = {}
    for row in without_repeats([row for row in comparisons if _of_two_models(row)], _ABOUT):
        groups.setdefault((row.metric, row.dataset, row.seed), []).append(row)
    return [_equivalence_table(set_title(*key), own) for key, own in groups.items()]


def drift_tables(retention: Sequence[RetentionRow]) -> list[Table]:
    """How far the probabilities of the choices moved from the baseline's, where both models give them."""
    groups: dict[tuple[str | None, int], list[RetentionRow]] = {}
    for row in retention:
        if row.kl_nats is not None:
            groups.setdefault((row.dataset, row.seed), []).append(row)
    return [_drift_table(set_title("", *key), own) for key, own in groups.items()]


def _of_two_models(row: Comparison) -> bool:
    one, other = row.a.rpartition("/")[0], row.b.rpartition("/")[0]
    return one != other and is_accuracy(row.metric) and row.difference is not None


def _comparison_table(title: str, comparisons: Sequence[Comparison]) -> Table:
    tests = list(dict.fromkeys(c.test for c in comparisons if c.test))
    slices = slices_in_order(c.slice for c in comparisons)
    by_place = {(c.a, c.b, c.slice): c for c in comparisons}
    metric, level = comparisons[0].metric, numbers.percent(comparisons[0].confidence, 0)
    return Table(
        caption=title,
        note=f"{unit_of(metric, difference=True).name}; in brackets, the {level} % interval"
        + (f"; p by {tests[0]}" if len(tests) == 1 else "")
        + _family(comparisons),
        first="First − second",
        columns=tuple(Column(slice_title(name, noun_of(metric))) for name in slices),
        rows=tuple(
            Row(
                label=a,
                less=b,
                cells=tuple(_comparison_cell(by_place.get((a, b, name)), tests) for name in slices),
                is_key=True,
            )
            for a, b in dict.fromkeys((c.a, c.b) for c in comparisons)
        ),
    )


def _family(comparisons: Sequence[Comparison]) -> str:
    """What p is adjusted for; rows that repeat another are not shown."""
    family = next((row.family for row in comparisons if row.holm_p is not None), 0)
    return f"; Holm: p adjusted over the {family} tests of this table, repeats once" if family > 1 else ""


def _comparison_cell(found: Comparison | None, tests: Sequence[str]) -> Cell | None:
    if found is None or found.difference is None:
        return None
    unit = unit_of(found.metric, difference=True)
    p_value = numerals.p_value(found.p_value)
    tested = f"p {p_value}" if p_value.startswith("<") else f"p = {p_value}"
    if len(tests) > 1:
        tested += f" ({found.test})"
    unmatched = found.only_a + found.only_b
    return Cell(
        value=unit.write(found.difference),
        interval=unit.interval(found.ci_low, found.ci_high),
        lines=(
            tested if found.p_value is not None else "p not measured",
            *([f"Holm {numerals.p_value(found.holm_p)}"] if found.holm_p is not None else []),
            f"{numbers.count(found.gained)} gained, {numbers.count(found.lost)} lost",
        ),
        warning=f"{numbers.count(unmatched, 'item')} answered on one side only" if unmatched else "",
    )


def _equivalence_table(title: str, comparisons: Sequence[Comparison]) -> Table:
    slices = slices_in_order(c.slice for c in comparisons)
    by_place = {(c.a, c.b, c.slice): c for c in comparisons}
    margin = numbers.share_points(RETENTION_MARGIN).removeprefix("+")
    level = numbers.percent(2 * comparisons[0].confidence - 1, 0)
    return Table(
        caption=f"Equivalence · {title}",
        note=f"equivalent: the {level} % interval of the difference, in percentage points (pp), lies within "
        f"±{margin}; different: outside; undecided: across an end",
        first="First − second",
        columns=tuple(Column(slice_title(name)) for name in slices),
        rows=tuple(
            Row(
                label=a,
                less=b,
                cells=tuple(_equivalence_cell(by_place.get((a, b, name))) for name in slices),
                is_key=True,
            )
            for a, b in dict.fromkeys((c.a, c.b) for c in comparisons)
        ),
    )


def _equivalence_cell(found: Comparison | None) -> Cell | None:
    if found is None or found.equivalence_low is None or found.equivalence_high is None:
        return None
    unit = unit_of(found.metric, difference=True)
    interval = Interval(found.equivalence_low, found.equivalence_high)
    return Cell(
        value=equivalence_verdict(interval, RETENTION_MARGIN),
        interval=unit.interval(found.equivalence_low, found.equivalence_high),
        lines=(numbers.count(found.n, "item"),),
    )


def _drift_table(title: str, rows: Sequence[RetentionRow]) -> Table:
    level = numbers.percent(rows[0].confidence, 0)
    return Table(
        caption=f"Probabilities of the choices · {title}",
        note="KL(second ‖ first) in nats, total variation in [0, 1], and how often the likeliest choice is "
        f"the same; in brackets, the {level} % interval",
        first="First against second",
        columns=(Column("KL"), Column("Total variation"), Column("Same choice")),
        rows=tuple(
            Row(
                label=f"{row.model}/{row.condition} against {row.against}",
                detail=f"{slice_title(row.slice)}, {numbers.count(row.drift_n, 'item')}",
                cells=(
                    _drifted(row.kl_nats, row.kl_low, row.kl_high),
                    _drifted(row.total_variation, row.total_variation_low, row.total_variation_high),
                    Cell(numbers.share(row.same_choice)),
                ),
                is_key=True,
            )
            for row in rows
        ),
    )


def _drifted(value: float | None, low: float | None, high: float | None) -> Cell:
    unit = unit_of("kl_nats")
    return Cell(unit.write(value), unit.interval(low, high))

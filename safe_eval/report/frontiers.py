"""The frontiers of the page: which models cost least for what they score, as a table and as data to draw."""

from collections.abc import Sequence
from dataclasses import dataclass

from safe_data.core.numerals import MISSING
from safe_eval.arms.consultation import CONSULTED
from safe_eval.report import numbers
from safe_eval.report.labels import SLICES, Models, noun_of, set_title, slice_title
from safe_eval.report.table import Cell, Column, Row, Table
from safe_eval.report.units import Unit, unit_of
from safe_eval.results.frontiers import AUDIO_TOKENS, DOMINATED, ON_FRONTIER, FrontierRow
from safe_eval.results.latency import LATENCY_MS
from safe_eval.results.metrics import without_repeats
from safe_eval.scoring.scores import Scores

COST_TITLES = {
    LATENCY_MS: "latency in ms",
    AUDIO_TOKENS: "audio tokens per answer",
    CONSULTED: "answers that used the sound, in percent",
}


@dataclass(frozen=True)
class FrontierPanel:
    """The points of one frontier, and the curve of each gate over the same cost, slice by slice."""

    name: str  # metric, dataset and seed
    cost: str
    metric: str
    models: Models
    points: tuple[FrontierRow, ...]
    curves: tuple[FrontierRow, ...]

    @property
    def title(self) -> str:
        """What stands above the chart."""
        return f"Accuracy against {COST_TITLES[self.cost].partition(',')[0]}"

    @property
    def slices(self) -> tuple[str, ...]:
        """The slices VL, audio and all, as far as they differ."""
        found = {row.slice for row in (*self.points, *self.curves)}
        return tuple(name for name in SLICES if name in found)

    @property
    def unit(self) -> Unit:
        """Of the accuracy."""
        return unit_of(self.metric)

    @property
    def sentence(self) -> str:
        """What the chart shows, and how sure it is."""
        row = (*self.points, *self.curves)[0]
        batched = " Latencies are of batches." if row.one_by_one is False else ""
        curve = " The shaded curve is a gate at every threshold." if self.curves else ""
        return (
            f"{self.name}. Filled points are on the frontier, hollow ones are not in this sample. The "
            "crosses are intervals that hold for all points of a slice at once "
            f"({numbers.percent(row.confidence, 0)} %).{curve}{batched}"
        )


def frontier_panels(scores: Scores, models: Models) -> tuple[FrontierPanel, ...]:
    """One panel per metric, dataset, seed and cost."""
    rows = without_repeats(scores.frontiers, ("metric", "dataset", "seed", "cost", "model", "threshold"))
    return tuple(
        FrontierPanel(
            name=set_title(metric, dataset, seed),
            cost=cost,
            metric=metric,
            models=models,
            points=tuple(row for row in own if row.threshold is None),
            curves=tuple(row for row in own if row.threshold is not None),
        )
        for metric, dataset, seed, cost in dict.fromkeys(map(_key, rows))
        for own in [[row for row in rows if _key(row) == (metric, dataset, seed, cost)]]
    )


def frontier_table(panel: FrontierPanel) -> Table:
    """A row per point, cheapest first, slice by slice; a curve by some of its thresholds."""
    level = numbers.percent((*panel.points, *panel.curves)[0].confidence, 0)
    rows = [row for name in panel.slices for row in _rows(panel, name)]
    return Table(
        caption=f"{panel.name} · {COST_TITLES[panel.cost]}",
        note=f"in brackets, intervals that hold for all points of a slice at once ({level} %)",
        first="Model",
        columns=(
            Column("Accuracy" if panel.unit.is_share else "Score"),
            Column("Cost"),
            Column("On the frontier"),
        ),
        rows=tuple(rows),
        empty=MISSING,
    )


def written_cost(panel: FrontierPanel, value: float | None) -> str:
    """A cost in the unit of its column."""
    if value is None:
        return MISSING
    return numbers.percent(value) if panel.cost == CONSULTED else f"{value:.4g}"


def _rows(panel: FrontierPanel, slice_name: str) -> list[Row]:
    group = slice_title(slice_name, noun_of(panel.metric))
    points = sorted((r for r in panel.points if r.slice == slice_name), key=lambda r: (r.mean_cost, -r.value))
    made = [_row(panel, row, row.model, group) for row in points]
    curve = [row for row in panel.curves if row.slice == slice_name]
    for model in dict.fromkeys(row.model for row in curve):
        own = [row for row in curve if row.model == model]
        for row in [*own[:-1][::5], own[-1]]:
            made.append(_row(panel, row, f"{model}, gate_score from {row.threshold:.3f}", group))
    return made


def _row(panel: FrontierPanel, row: FrontierRow, label: str, group: str) -> Row:
    costs = numbers.interval(written_cost(panel, row.cost_low), written_cost(panel, row.cost_high))
    cells = (
        Cell(panel.unit.write(row.value), panel.unit.interval(row.ci_low, row.ci_high)),
        Cell(written_cost(panel, row.mean_cost), costs),
        _standing(row),
    )
    return Row(label, cells, detail=_size(row), group=group)


def _size(row: FrontierRow) -> str:
    return f"{numbers.count(row.n, 'item')} in {numbers.count(row.clusters, 'cluster')}"


def _standing(row: FrontierRow) -> Cell | None:
    if row.status is None:
        return None
    often = f"{numbers.percent(row.share_on_frontier, 0)} % of resamples"
    if row.status == ON_FRONTIER:
        return Cell("yes", lines=(often,))
    if row.status == DOMINATED:
        return Cell("no", lines=(f"{row.dominated_by} dominates it, as the intervals show", often))
    return Cell("open", lines=(f"{row.dominated_by} dominates it in this sample only", often))


def _key(row: FrontierRow) -> tuple[str, str | None, int, str]:
    return row.metric, row.dataset, row.seed, row.cost


def on_frontier(rows: Sequence[FrontierRow]) -> list[FrontierRow]:
    """The points that no other dominates in this sample, cheapest first."""
    return sorted((r for r in rows if r.status == ON_FRONTIER), key=lambda r: (r.mean_cost, r.value))

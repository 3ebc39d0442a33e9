"""Accuracy charts: by arm and slice, beside the bounds of the criteria, over seeds, and against its cost."""

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

from safe_eval.judging.judged import Judged
from safe_eval.judging.verdict import Verdict
from safe_eval.report import accuracy
from safe_eval.report.chart_links import Link
from safe_eval.report.charts import accuracy_chart, bounds_chart
from safe_eval.report.frontier_chart import frontier_chart
from safe_eval.report.frontiers import frontier_panels, frontier_table
from safe_eval.report.labels import set_title
from safe_eval.report.table import Cell, Column, Row, Table, in_parts
from safe_eval.report.verdict_words import criterion_words
from safe_eval.results.frontiers import FrontierRow
from safe_eval.results.metrics import Metric
from safe_eval.viewer.chart import MOST, Chart, rows_csv
from safe_eval.viewer.links import FULL, About, Place
from safe_eval.viewer.seed_chart import FIELDS as SEED_FIELDS
from safe_eval.viewer.seed_chart import seed_chart, seed_sets, seed_table
from safe_eval.viewer.told import Told

_PLACE = ("metric", "dataset", "seed", "slice", "model", "condition")
_METRIC = (*_PLACE, "value", "ci_low", "ci_high", "confidence", "n", "clusters")
_FRONTIER = (
    *("metric", "dataset", "seed", "slice", "cost", "model", "threshold", "value", "ci_low", "ci_high"),
    *("mean_cost", "cost_low", "cost_high", "status", "n"),
)


def accuracy_charts(told: Told) -> Iterator[Chart]:
    """Accuracy by arm and slice, one chart per metric, dataset and seed."""
    links = told.links

    def link(row: Metric) -> Link | None:
        about = About(row.slice, row.metric, row.dataset)
        return links.wrong(Place(row.model, row.condition, row.seed), about)

    for number, panel in enumerate(islice(accuracy.panels(told.scores, told.models), MOST), 1):
        rows = [
            panel.found[name, arm]
            for name in panel.main_slices
            for arm in panel.arms
            if (name, arm) in panel.found
        ]
        yield Chart(
            name=f"accuracy-{number}",
            title=f"Accuracy by condition · {panel.title}",
            caption="The lines are the intervals of the table.",
            not_shown="A right answer in other words may count as wrong, and a lucky guess as right.",
            tables=tuple(in_parts(accuracy.main_table(panel))),
            csv=rows_csv(rows, _METRIC),
            draw=partial(accuracy_chart, panel, link),
            leads="Choose a point to see the answers that are not right.",
        )


def bounds_charts(told: Told) -> Iterator[Chart]:
    """The criteria of each run beside their bounds."""
    for number, run in enumerate((run for run in told.runs if run.verdict is not None), 1):
        verdict = run.verdict
        if verdict is None or not any(
            judged.value is not None and None not in judged.ends for judged in verdict.criteria
        ):
            continue
        of_run = "" if told.is_one else f", {run.name}"
        yield Chart(
            name=f"criteria-{number}",
            title=f"Criteria and their bounds{of_run}",
            caption="Values in the shaded part meet the bound. Each criterion has its own scale.",
            not_shown="A criterion without an interval is in the table above only.",
            tables=(_bounds_table(verdict, of_run),),
            csv=rows_csv(
                verdict.criteria, ("name", "metric", "value", "ci_low", "ci_high", "bound", "decision", "n")
            ),
            draw=partial(bounds_chart, verdict.criteria, _judged_link(told, run.name, verdict)),
            leads="Choose a point to see the items behind it, where a filter shows them.",
        )


def _bounds_table(verdict: Verdict, of_run: str) -> Table:
    words = [criterion_words(judged) for judged in verdict.criteria]
    return Table(
        caption=f"Criteria and their bounds{of_run}",
        note="shares in percent, their differences in percentage points (pp)",
        first="Criterion",
        columns=(Column("Value"), Column("Bound"), Column("Decision")),
        rows=tuple(
            Row(
                one["name"],
                (
                    Cell(one["value"], one["interval"]),
                    Cell(one["bound"]),
                    Cell(one["decision"], tone=one["tone"]),
                ),
            )
            for one in words
        ),
    )


def _judged_link(told: Told, run: str, verdict: Verdict) -> Callable[[Judged], Link | None]:
    """The items of a criterion: where its two arms differ, or what its arm gets wrong."""
    asked = {criterion.name: criterion for criterion in verdict.asked}

    def place(name: str) -> Place:
        model, _, condition = name.rpartition("/")
        return Place(told.label(run, model), condition, None)

    def link(judged: Judged) -> Link | None:
        criterion = asked.get(judged.name)
        if criterion is None or criterion.condition is None:
            return None
        about = About(criterion.slice, None, criterion.dataset, told.links.seeds)
        if criterion.against is None:
            return told.links.wrong(place(criterion.condition), about)
        return told.links.flip(place(criterion.condition), place(criterion.against), "any", about)

    return link


def frontier_charts(told: Told) -> Iterator[Chart]:
    """Accuracy against latency, tokens and answers that used the sound."""

    def link(row: FrontierRow) -> Link | None:
        return told.links.wrong(Place(row.model, FULL, row.seed), About(row.slice, row.metric, row.dataset))

    for number, panel in enumerate(islice(frontier_panels(told.scores, told.models), 3 * MOST), 1):
        yield Chart(
            name=f"cost-{number}",
            title=f"{panel.title} · {panel.name}",
            caption=panel.sentence.removeprefix(f"{panel.name}. "),
            not_shown="A cost is that of the machine and the batches on which the answers were made.",
            tables=(frontier_table(panel),),
            csv=rows_csv([*panel.points, *panel.curves], _FRONTIER),
            draw=partial(frontier_chart, panel, link),
            leads="Choose a point to see the answers that are not right.",
        )


def seed_charts(told: Told) -> Iterator[Chart]:
    """How far the seeds of each model lie apart."""
    for number, (key, rows) in enumerate(islice(seed_sets(told.scores), MOST), 1):
        table = seed_table(key, rows, told.models, told.links)
        yield Chart(
            name=f"seeds-{number}",
            title=f"Over seeds · {set_title(*key, None)}",
            caption="The mean over seeds, with its interval over items and seeds. The ticks are the seeds.",
            not_shown="A few seeds say little about others: the table has the upper limit of their spread.",
            tables=tuple(in_parts(table)),
            csv=rows_csv(rows, SEED_FIELDS),
            draw=partial(seed_chart, rows, told.models, told.links),
            leads="Choose a point to see the items that every seed gets wrong.",
        )

"""Confidence charts: whether answers are right as often as they are sure, and the risk of the surest."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

from safe_eval.report import numbers
from safe_eval.report.chart_links import Link
from safe_eval.report.charts import risk_coverage_chart
from safe_eval.report.labels import Models, set_title
from safe_eval.report.table import Cell, Column, Row, Table, in_parts
from safe_eval.report.units import unit_of
from safe_eval.results.deferral import DeferralRow, RiskPoint
from safe_eval.viewer.chart import MOST, Chart, values_csv
from safe_eval.viewer.links import FULL, About, Place
from safe_eval.viewer.reliability import (
    Reliable,
    by_place,
    reliability_chart,
    reliability_csv,
    reliability_table,
)
from safe_eval.viewer.told import Told

_SHARE = unit_of("accuracy")


def reliability_charts(told: Told, arms: Sequence[Reliable]) -> Iterator[Chart]:
    """Confidence against accuracy, one chart per dataset and seed."""
    for number, ((dataset, seed), own) in enumerate(islice(by_place(arms).items(), MOST), 1):
        yield Chart(
            name=f"reliability-{number}",
            title=set_title("Reliability", dataset, seed),
            caption="Accuracy against confidence, in 15 bins of equal width. The bars count the answers of "
            "each bin. On the dashed line, answers are right as often as they are sure.",
            not_shown="A bin with few answers has a wide interval, and says little.",
            tables=tuple(in_parts(reliability_table(own, told.models, told.links))),
            csv=reliability_csv(own),
            draw=partial(reliability_chart, own, told.models, told.links),
            leads="Choose a point or a bar to see the answers of its bin.",
        )


def risk_charts(told: Told) -> Iterator[Chart]:
    """The mean loss of the surest answers under the full input, one chart per dataset and seed."""

    def link(row: DeferralRow, point: RiskPoint) -> Link | None:
        about = About(row.slice, None, row.dataset)
        place = Place(row.model, row.condition, row.seed)
        return told.links.sure(place, point.threshold, 1.0, about, "wrong,unparsed")

    rows = [row for row in told.scores.deferral if len(row.curve) > 1 and row.condition == FULL]
    places = list(dict.fromkeys((row.dataset, row.seed) for row in rows))
    for number, place in enumerate(places[:MOST], 1):
        own = [row for row in rows if (row.dataset, row.seed) == place]
        yield Chart(
            name=f"risk-coverage-{number}",
            title=set_title("Risk–coverage", *place),
            caption="The mean loss (1 − score) of the surest answers. A band holds along its whole curve.",
            not_shown="Answers that failed or state no confidence are in no curve.",
            tables=tuple(in_parts(_risk_table(place, own, told.models))),
            csv=values_csv(
                ("model", "seed", "threshold", "coverage", "risk", "ci_low", "ci_high"),
                [(row.model, row.seed, *_point(point)) for row in own for point in row.curve],
            ),
            draw=partial(risk_coverage_chart, own, told.models, link),
            leads="Choose a place on a curve to see the answers kept there that are not right.",
        )


def _point(point: RiskPoint) -> tuple[float | None, ...]:
    return point.threshold, point.coverage, point.risk, point.ci_low, point.ci_high


def _risk_table(place: tuple[str | None, int], rows: Sequence[DeferralRow], models: Models) -> Table:
    """A row per point of a curve, arm after arm."""
    return Table(
        caption=set_title("Risk–coverage", *place),
        note=f"in percent; in brackets, the {numbers.percent(rows[0].confidence, 0)} % band",
        first="Answers kept",
        columns=(Column("Risk"), Column("Confidence from")),
        rows=tuple(
            Row(
                _SHARE.write(point.coverage),
                (
                    Cell(_SHARE.write(point.risk), _SHARE.interval(point.ci_low, point.ci_high)),
                    Cell(numbers.plain(point.threshold)),
                ),
                group=models.title(row.model, row.condition),
            )
            for row in rows
            for point in row.curve
        ),
    )

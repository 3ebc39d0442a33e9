"""Hearing charts: what goes without a modality or with noise, whom answers follow, and when audio hurts."""

from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice

from safe_eval.report import numbers
from safe_eval.report.chart_links import Link
from safe_eval.report.hearing import by_set, drop_table, followed_table
from safe_eval.report.hearing_chart import drop_chart, followed_chart
from safe_eval.report.hurts import against_title, hurt_chart, hurt_sets, hurt_table
from safe_eval.report.labels import set_title
from safe_eval.report.noise_chart import level_title, noise_chart, noise_curves
from safe_eval.report.table import Cell, Column, Row, Table, in_parts
from safe_eval.report.units import unit_of
from safe_eval.results.contradiction import ContradictionRow
from safe_eval.results.hurts import HurtRow
from safe_eval.results.lomo import LomoRow
from safe_eval.results.noise_curve import NoiseRow
from safe_eval.viewer.chart import MOST, Chart, rows_csv
from safe_eval.viewer.links import FULL, About, Place
from safe_eval.viewer.told import Told

_PLACE = ("metric", "dataset", "seed", "slice", "model", "condition")
_LOMO = (*_PLACE, "drop", "drop_low", "drop_high", "share_lost", "ci_low", "ci_high", "lost", "n", "asked")
_NOISE = (*_PLACE, "kind", "level", "unit", "value", "ci_low", "ci_high", "n", "clusters")
_HURT = (
    "metric",
    "dataset",
    "seed",
    "slice",
    "model",
    "against",
    "gained",
    "lost",
    "net",
    "ci_low",
    "ci_high",
    "n",
)
_FOLLOWED = (*_PLACE, "follows", "value", "ci_low", "ci_high", "count", "n")


def lomo_charts(told: Told) -> Iterator[Chart]:
    """What goes when a modality is left out or replaced."""

    def link(row: LomoRow) -> Link | None:
        about = About(row.slice, row.metric, row.dataset, row.seeds)
        full = Place(row.model, FULL, row.seed)
        return told.links.flip(full, full._replace(condition=row.condition), "gained", about)

    sets = [
        (key, rows)
        for key, rows in by_set(told.scores.lomo)
        if {"audio", "vl"} <= {r.slice for r in rows if r.drop is not None}
    ]
    for number, (key, rows) in enumerate(sets[:MOST], 1):
        title = set_title(key[0] or "", *key[1:])
        over = " · over seeds" if key[2] is None else ""
        yield Chart(
            name=f"lost-{number}",
            title=f"Accuracy lost by condition · {title}{over}",
            caption="Full input − condition, with intervals.",
            not_shown="It says what was lost, not why: a replaced sound may also mislead.",
            tables=tuple(in_parts(drop_table(key, rows, told.models))),
            csv=rows_csv(rows, _LOMO),
            draw=partial(drop_chart, rows, told.models, link),
            leads="Choose a point to see the items that are right with the full input and not without.",
        )


def followed_charts(told: Told) -> Iterator[Chart]:
    """Whom answers follow where sound and picture contradict each other."""

    def link(row: ContradictionRow) -> Link | None:
        about = About(row.slice, row.metric, row.dataset)
        full = Place(row.model, FULL, row.seed)
        return told.links.flip(full, full._replace(condition=row.condition), "any", about)

    sets = [
        (key, rows)
        for key, rows in by_set(told.scores.contradiction)
        if any(r.slice == "all" and r.value is not None for r in rows)
    ]
    for number, (key, rows) in enumerate(sets[:MOST], 1):
        yield Chart(
            name=f"followed-{number}",
            title=f"Whom answers follow · {set_title(key[0] or '', *key[1:])}",
            caption="The parts of a bar are named below it, from left to right.",
            not_shown="An answer that is right by the sound and by the picture follows neither.",
            tables=tuple(in_parts(followed_table(key, rows, told.models))),
            csv=rows_csv(rows, _FOLLOWED),
            draw=partial(followed_chart, rows, told.models, link),
            leads="Choose a bar to see the items whose answer the contradiction turned.",
        )


def noise_charts(told: Told) -> Iterator[Chart]:
    """What is left of hearing as the sound gets worse."""

    def link(row: NoiseRow) -> Link | None:
        about = About(row.slice, row.metric, row.dataset, row.seeds)
        return told.links.wrong(Place(row.model, row.condition, row.seed), about)

    for number, found in enumerate(islice(noise_curves(told.scores), MOST), 1):
        rows = [row for curve in found.curves for row in curve]
        yield Chart(
            name=f"noise-{number}",
            title=f"{found.title} · {set_title(rows[0].metric, rows[0].dataset, rows[0].seed)}",
            caption=found.caption,
            not_shown="Between two levels the curve is drawn straight. A level is that of what was added, "
            "not of what the recording already has.",
            tables=(_noise_table(found.title, found.curves),),
            csv=rows_csv(rows, _NOISE),
            draw=partial(noise_chart, found.curves, told.models, link),
            leads="Choose a point to see the answers that are not right.",
        )


def _noise_table(title: str, curves: Sequence[Sequence[NoiseRow]]) -> Table:
    """A row per level, and a column per curve."""
    first = curves[0][0]
    levels = dict.fromkeys(level_title(row) for curve in curves for row in curve)
    found = [{level_title(row): row for row in curve} for curve in curves]
    unit = unit_of(first.metric)
    return Table(
        caption=f"{title} · {set_title(first.metric, first.dataset, first.seed)}",
        note=f"{unit.name}; in brackets, the {numbers.percent(first.confidence, 0)} % interval",
        first="Level",
        columns=tuple(Column(curve[0].model, detail=f"slice {curve[0].slice}") for curve in curves),
        rows=tuple(
            Row(
                level,
                tuple(
                    Cell(
                        unit.write(row.value),
                        unit.interval(row.ci_low, row.ci_high),
                        (numbers.count(row.n, "item"),),
                    )
                    if (row := own.get(level))
                    else None
                    for own in found
                ),
            )
            for level in levels
        ),
    )


def hurt_charts(told: Told) -> Iterator[Chart]:
    """What each model gains and loses by the sound, by question type."""

    def link(row: HurtRow, gained: bool) -> Link | None:
        full = Place(row.model, FULL, row.seed)
        other = full._replace(condition=row.against)
        if "/" in row.against:
            model, _, condition = row.against.rpartition("/")
            other = Place(told.beside(row.model, model), condition, row.seed)
        about = About(row.slice, row.metric, row.dataset, row.seeds)
        return told.links.flip(full, other, "gained" if gained else "lost", about)

    for number, (key, rows) in enumerate(islice(hurt_sets(told.scores), MOST), 1):
        against = against_title(rows[0].against)
        about = set_title(*key[:3]) + (" · over seeds" if key[2] is None else "")
        yield Chart(
            name=f"hurts-{number}",
            title=f"When audio hurts · {key[3]} · {about}",
            caption=f"With the sound against {against}. To the right, the share of answers "
            "that are gained; to the left, those that are lost; the point is what is left of both, with its "
            "interval.",
            not_shown="It does not say why an answer turned, and a lucky guess counts as right.",
            tables=tuple(in_parts(hurt_table(key, rows))),
            csv=rows_csv(rows, _HURT),
            draw=partial(hurt_chart, rows, link),
            leads="Choose a bar to see the items that were gained or lost.",
        )

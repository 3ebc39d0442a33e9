"""Curves as charts: what is left of hearing as the sound gets worse, one strip per model and slice."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from safe_eval.report.chart_links import Link, fields_of, links_of, targets
from safe_eval.report.charts import ACCENT, INK, PLOT_WIDTH, VALUE_WIDTH, data_of, svg_of
from safe_eval.report.labels import Models, set_title, slice_title
from safe_eval.report.units import unit_of
from safe_eval.results.noise_curve import CLEAN, DROP, GATE_OFF, NoiseRow
from safe_eval.scoring.scores import Scores
from safe_eval.text.curve_text import CURVE_TITLES, half_gain_words, level_words, shared_words

LEAST_LEVELS = 2  # of a curve; a single one is in the tables of accuracies

_HEIGHT = 110  # pixels of a strip
_PERCENT = "round(datum.value * 100) + ' %'"

_Set = tuple[str, str | None, int | None, str]


@dataclass(frozen=True)
class NoiseCurves:
    """The curves of one metric, dataset and kind, each of a model and a slice, and what they are called."""

    title: str
    caption: str
    curves: tuple[tuple[NoiseRow, ...], ...]


def noise_charts(scores: Scores, models: Models, most: int) -> list[dict[str, str]]:
    """A chart for each set of curves, at most so many."""
    drawn = []
    for _, found in zip(range(most), noise_curves(scores), strict=False):
        svg = noise_chart(found.curves, models)
        drawn.append({"svg": svg, "title": found.title, "caption": found.caption})
    return drawn


def noise_curves(scores: Scores) -> Iterator[NoiseCurves]:
    """The curves of each metric, dataset and kind with several levels.

    Of several seeds that have a curve together, only that is drawn.
    """
    keys = dict.fromkeys(map(_set, scores.noise_curve))
    for key in keys:
        metric, dataset, seed, kind = key
        if seed is not None and (metric, dataset, None, kind) in keys:
            continue
        curves = list(_curves([row for row in scores.noise_curve if _set(row) == key]))
        if curves:
            title = CURVE_TITLES[kind].capitalize()
            yield NoiseCurves(title, _caption(scores, key, curves), tuple(map(tuple, curves)))


def level_title(row: NoiseRow) -> str:
    """A level of a curve as an axis names it."""
    if row.level is None:
        none = "gate off" if row.condition == GATE_OFF else "no sound"
        return ("all there" if row.kind == DROP else "clean") if row.condition == CLEAN else none
    return level_words(row.level, row.unit)


def _caption(scores: Scores, key: _Set, curves: Sequence[Sequence[NoiseRow]]) -> str:
    metric, dataset, seed, kind = key
    about = set_title(metric, dataset, seed) + (" · over seeds" if seed is None else "")
    asked = "" if kind == DROP else "Questions about the sound. "
    band = f"{curves[0][0].confidence:.0%}".replace("%", " %")
    shown = {rows[0].model for rows in curves}
    halves = [
        f" {row.model}: {half_gain_words(row, unit_of(row.metric, difference=True).write)}."
        for row in scores.half_gain
        if (row.metric, row.dataset, row.seed, row.kind) == key and row.model in shown
    ]
    rows = [row for curve in curves for row in curve]
    halves = [*(f" {words}." for words in shared_words(rows)), *halves]
    return f"{asked}{about}. The bands are {band} intervals, level by level.{''.join(halves)}"


def _set(row: NoiseRow) -> _Set:
    return row.metric, row.dataset, row.seed, row.kind


def _curves(rows: Sequence[NoiseRow]) -> Iterator[list[NoiseRow]]:
    """The rows of each model and slice that has answers at several levels."""
    for model, slice_name in dict.fromkeys((row.model, row.slice) for row in rows):
        own = [row for row in rows if (row.model, row.slice) == (model, slice_name)]
        if sum(row.level is not None for row in own) >= LEAST_LEVELS:
            yield own


def noise_chart(
    curves: Sequence[Sequence[NoiseRow]],
    models: Models,
    link: Callable[[NoiseRow], Link | None] | None = None,
) -> str:
    """One strip per curve, with the interval of each level as a band."""
    import altair as alt

    strips, links = [], dict[str, str]()
    for rows in curves:
        unit = unit_of(rows[0].metric)
        marks = [
            {
                "level": level_title(row),
                "value": row.value,
                "low": row.value if row.ci_low is None else row.ci_low,
                "high": row.value if row.ci_high is None else row.ci_high,
                "text": unit.write(row.value),
            }
            | fields_of(link and link(row))
            for row in rows
        ]
        links |= links_of(marks)
        levels = [level_title(row) for row in rows]
        x = alt.X("level:N", sort=levels, title=None, axis=alt.Axis(labelAngle=0))
        scale = alt.Scale(domain=[0, 1])
        axis = alt.Axis(labelExpr=_PERCENT, values=[0, 0.5, 1], grid=False)
        y = alt.Y("value:Q", title=None, scale=scale, axis=axis)
        colour = INK if rows[0].model == models.baseline else ACCENT
        chart = alt.Chart(data_of(marks)).encode(x=x, y=y)
        between = alt.Chart(data_of(marks)).encode(x=x, y=alt.Y("low:Q", title=None), y2=alt.Y2("high:Q"))
        title = rows[0].model + (f", {slice_title(rows[0].slice)}" if rows[0].kind == DROP else "")
        strips.append(
            alt.layer(
                between.mark_area(opacity=0.25, color=colour),
                chart.mark_line(color=colour, opacity=0.5),
                chart.mark_point(filled=True, size=45, opacity=1, color=colour),
                chart.mark_text(dy=-12, dx=20, color=INK, fontSize=11).encode(text=alt.Text("text:N")),
                *targets(marks, x, y),
            ).properties(width=PLOT_WIDTH + VALUE_WIDTH, height=_HEIGHT, title=title)
        )
    return svg_of(alt.vconcat(*strips, spacing=18), links)

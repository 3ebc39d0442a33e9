"""Hearing as charts: what each condition takes from hearing and from seeing, and whom the answers follow."""

from collections.abc import Callable, Sequence
from typing import Any

from safe_eval.report.chart_links import Link, fields_of, leading, links_of, targets
from safe_eval.report.charts import ACCENT, INK, LINE, PLOT_WIDTH, REST, VALUE_WIDTH, data_of, svg_of
from safe_eval.report.hearing import FOLLOWED, POINTS, SHARE, by_set
from safe_eval.report.labels import Models, set_title, slice_title
from safe_eval.results.contradiction import FOLLOWS, ContradictionRow
from safe_eval.results.lomo import LomoRow
from safe_eval.scoring.scores import Scores

_ROW, _LABELS = 25, 150  # pixels of a row, and of its label
_COLOURS = dict(zip(FOLLOWS, (INK, ACCENT, REST, LINE), strict=True))
_PERCENT, _POINTS = "round(datum.value * 100) + ' %'", "round(datum.value * 100) + ' pp'"


def hearing_charts(scores: Scores, models: Models, most: int) -> list[dict[str, str]]:
    """A chart of the drops, and one of the contradictions, of at most so many sets of each."""
    drawn = []
    for key, lomo in list(by_set(scores.lomo))[:most]:
        caption = f"{set_title(key[0] or '', *key[1:])}. Full input − condition, with intervals."
        drawn.append(
            {"svg": drop_chart(lomo, models), "title": "Accuracy lost by condition", "caption": caption}
        )
    for key, followed in list(by_set(scores.contradiction))[:most]:
        caption = (
            f"{set_title(key[0] or '', *key[1:])}. The parts of a bar are named below it, from left to right."
        )
        drawn.append(
            {"svg": followed_chart(followed, models), "title": "Whom answers follow", "caption": caption}
        )
    return [chart for chart in drawn if chart["svg"]]


def drop_chart(
    rows: Sequence[LomoRow], models: Models, link: Callable[[LomoRow], Link | None] | None = None
) -> str:
    """The drop of each condition, on a strip for sounds and one for pictures; empty without both."""
    import altair as alt

    shown = [row for row in rows if row.slice in ("audio", "vl") and row.drop is not None]
    if {row.slice for row in shown} != {"audio", "vl"}:
        return ""
    ends = [end for row in shown for end in (row.drop_low, row.drop_high, row.drop) if end is not None]
    scale = alt.Scale(domain=[min(0.0, *ends), max(0.0, *ends)])
    titles = list(dict.fromkeys(models.title(row.model, row.condition) for row in shown))
    axis = alt.Axis(minExtent=_LABELS, labelLimit=_LABELS - 18)
    strips, links = [], dict[str, str]()
    for name, colour in (("audio", ACCENT), ("vl", INK)):
        marks = [
            _mark(row, models, colour) | fields_of(link and link(row)) for row in shown if row.slice == name
        ]
        links |= links_of(marks)
        y = alt.Y("label:N", sort=titles, title=None, axis=axis)
        chart = alt.Chart(data_of(marks)).encode(y=y, color=alt.Color("colour:N", scale=None))
        x = alt.X("value:Q", title=None, scale=scale, axis=alt.Axis(labelExpr=_POINTS, tickCount=5))
        low = alt.X("low:Q", title=None, scale=scale)
        strips.append(
            alt.layer(
                chart.mark_rule(strokeWidth=2.5, opacity=0.5).encode(x=low, x2=alt.X2("high:Q")),
                chart.mark_point(filled=True, size=70, opacity=1).encode(x=x),
                alt.Chart(data_of(marks))
                .mark_text(align="right", color=INK, fontSize=12)
                .encode(y=y, x=alt.value(PLOT_WIDTH + VALUE_WIDTH), text=alt.Text("text:N")),
                *targets(marks, x, y),
            ).properties(width=PLOT_WIDTH, height=_ROW * len(marks), title=slice_title(name))
        )
    return svg_of(alt.vconcat(*strips, spacing=18), links)


def _mark(row: LomoRow, models: Models, colour: str) -> dict[str, Any]:
    return {
        "label": models.title(row.model, row.condition),
        "value": row.drop,
        "low": row.drop if row.drop_low is None else row.drop_low,
        "high": row.drop if row.drop_high is None else row.drop_high,
        "text": POINTS.write(row.drop),
        "colour": colour,
    }


def followed_chart(
    rows: Sequence[ContradictionRow],
    models: Models,
    link: Callable[[ContradictionRow], Link | None] | None = None,
) -> str:
    """One bar for each model, divided by whom its answers follow; empty if no share is measured."""
    import altair as alt

    shown = [row for row in rows if row.slice == "all" and row.value is not None]
    if not shown:
        return ""
    titles = list(dict.fromkeys(models.title(row.model, "full") for row in shown))
    marks: list[dict[str, Any]] = [
        {
            "label": models.title(row.model, "full"),
            "value": row.value,
            "order": FOLLOWS.index(row.follows),
            "colour": _COLOURS[row.follows],
            "follows": f"{FOLLOWED[row.follows]} {SHARE.write(row.value)}",
        }
        | fields_of(link and link(row))
        for row in shown
    ]
    axis = alt.Axis(minExtent=_LABELS, labelLimit=_LABELS - 18)
    x = alt.X("value:Q", stack="zero", title=None, scale=alt.Scale(domain=[0, 1]))
    x = x.axis(alt.Axis(labelExpr=_PERCENT, values=[0, 0.5, 1], grid=False))
    bars = (
        alt.Chart(data_of(marks))
        .mark_bar(height=14)
        .encode(
            y=alt.Y("label:N", sort=titles, title=None, axis=axis),
            x=x,
            order=alt.Order("order:Q"),
            color=alt.Color("colour:N", scale=None),
            **leading(marks),
        )
        .properties(width=PLOT_WIDTH + VALUE_WIDTH, height=2 * _ROW * len(titles))
    )
    said = [
        {"label": title, "text": " · ".join(str(mark["follows"]) for mark in marks if mark["label"] == title)}
        for title in titles
    ]
    words = (
        alt.Chart(data_of(said))
        .mark_text(align="left", dy=18, fontSize=11, color=INK)
        .encode(y=alt.Y("label:N", sort=titles, title=None), x=alt.value(-_LABELS), text=alt.Text("text:N"))
    )
    return svg_of(alt.layer(bars, words), links_of(marks))

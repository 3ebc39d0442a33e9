"""Charts as inline SVG: altair describes them, vl-convert draws them, no network and no script.

Colours are written as the light theme's; the page's style sheet replaces each of them in the dark theme.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from safe_eval.judging.judged import Judged
from safe_eval.report.accuracy import Arm, Panel
from safe_eval.report.chart_links import Link, fields_of, links_of, targets, with_links
from safe_eval.report.labels import Models, slice_title
from safe_eval.report.verdict_words import bound_text, criterion_unit, spaced
from safe_eval.results.deferral import DeferralRow, RiskPoint
from safe_eval.results.metrics import Metric

INK, SOFT, LINE, ACCENT, REST, INSIDE = "#20242b", "#667078", "#d8d5cd", "#0b6e6e", "#8b9298", "#dcebe1"
PLOT_WIDTH, VALUE_WIDTH, LABEL_WIDTH, ROW_HEIGHT = 250, 64, 120, 25  # pixels
MAX_LABEL_WIDTH = 240
CURVE_HEIGHT, LABEL_GAP = 180, 0.08  # of a risk–coverage chart; the gap is a share of its height

_PERCENT = "round(datum.value * 100) + ' %'"
_FAR = 1e9  # the open end of a bound, beyond any number shown
_LINKED_POINTS = 10  # of a curve, besides its end


def accuracy_chart(panel: Panel, link: Callable[[Metric], Link | None] | None = None) -> str:
    """Accuracy with its interval by arm, one strip per slice; empty if there is nothing to draw."""
    import altair as alt

    titles = [panel.models.title(*arm) for arm in panel.arms]
    width = label_width(titles)
    strips, links = [], dict[str, str]()
    for name in panel.main_slices:
        marks = [
            _mark(panel, arm, found) | fields_of(link and link(found))
            for arm in panel.arms
            if (found := panel.found.get((name, arm))) is not None
        ]
        links |= links_of(marks)
        x = alt.X(
            scale=alt.Scale(domain=[0, 1]),
            axis=alt.Axis(labelExpr=_PERCENT, values=[0, 0.25, 0.5, 0.75, 1]),
        )
        y = alt.Y("label:N", sort=titles, title=None, axis=alt.Axis(minExtent=width, labelLimit=width - 18))
        shown = [title for title in titles if any(mark["label"] == title for mark in marks)]
        strips.append(strip(slice_title(name), marks, x, y, len(shown)))
    return svg_of(alt.vconcat(*strips, spacing=18), links) if strips else ""


def bounds_chart(criteria: Sequence[Judged], link: Callable[[Judged], Link | None] | None = None) -> str:
    """Each criterion that has an interval, with its bound, on its own scale; empty if there is none."""
    import altair as alt

    strips, links = [], dict[str, str]()
    for judged in criteria:
        inside, (ci_low, ci_high) = _inside(judged.bound), judged.ends
        if inside is None or judged.value is None or ci_low is None or ci_high is None:
            continue
        unit = criterion_unit(judged)
        factor = 100 if unit.is_share else 1
        value, ci_low, ci_high = (factor * one for one in (judged.value, ci_low, ci_high))
        start, end = (factor * one if abs(one) < _FAR else one for one in inside)
        low, high = _domain([value, ci_low, ci_high, 0.0, start, end])
        scale = alt.Scale(domain=[low, high], nice=False, clamp=True)
        ends = [{"from": max(low, start), "to": min(high, end)}]
        x = alt.X(scale=scale, axis=alt.Axis(tickCount=5))
        y = alt.Y("label:N", title=None, axis=None)
        mark = {
            "label": "",
            "value": value,
            "low": ci_low,
            "high": ci_high,
            "text": unit.write(judged.value),
            "colour": ACCENT,
        } | fields_of(link and link(judged))
        links |= links_of([mark])
        region = alt.Chart(data_of(ends)).mark_rect(color=INSIDE).encode(x=at(x, "from"), x2=alt.X2("to:Q"))
        title = f"{spaced(judged.name)} {bound_text(judged.bound, unit)}"
        strips.append(strip(title, [mark], x, y, 1, below=[region], width=PLOT_WIDTH + LABEL_WIDTH))
    return svg_of(alt.vconcat(*strips, spacing=18), links) if strips else ""


def risk_coverage_chart(
    rows: Sequence[DeferralRow],
    models: Models,
    link: Callable[[DeferralRow, RiskPoint], Link | None] | None = None,
) -> str:
    """The risk of the surest answers by their share, a line and a band per arm; empty without any curve.

    An arm whose confidences are all equal has no line.
    """
    import altair as alt

    drawn = [row for row in rows if len(row.curve) > 1]
    if not drawn:
        return ""
    top = max(point.ci_high or point.risk for row in drawn for point in row.curve)
    points: list[dict[str, Any]] = []
    names: list[dict[str, Any]] = []
    leading: list[dict[str, Any]] = []
    ends = apart([row.curve[-1].risk for row in drawn], top * LABEL_GAP)
    for row, end in zip(drawn, ends, strict=True):
        colour = INK if row.model == models.baseline else ACCENT if row.condition == "full" else REST
        arm = {"arm": models.title(row.model, row.condition), "colour": colour}
        names.append(arm | {"coverage": 1.0, "risk": end})
        for point in row.curve:
            band_ends = {"low": point.ci_low, "high": point.ci_high}
            points.append(arm | {"coverage": point.coverage, "risk": point.risk} | band_ends)
        for point in [*row.curve[:: max(1, len(row.curve) // _LINKED_POINTS)], row.curve[-1]] if link else ():
            place = {"coverage": point.coverage, "risk": point.risk}
            leading.append(place | fields_of(link and link(row, point)))
    axis = alt.Axis(labelExpr=_PERCENT, tickCount=5)
    x = alt.X("coverage:Q", title="answers kept", scale=alt.Scale(domain=[0, 1]), axis=axis)
    y = alt.Y("risk:Q", title="risk", scale=alt.Scale(domain=[0, top]), axis=axis)
    colours, of_arm = alt.Color("colour:N", scale=None), alt.Detail("arm:N")
    chart = alt.Chart(data_of(points))
    text = alt.Chart(data_of(names)).mark_text(align="left", dx=6, fontSize=12)
    band = y.copy()
    band.shorthand = "low:Q"
    return svg_of(
        alt.layer(
            chart.mark_area(opacity=0.12).encode(
                x=x, y=band, y2=alt.Y2("high:Q"), color=colours, detail=of_arm
            ),
            chart.mark_line(strokeWidth=2).encode(x=x, y=y, color=colours, detail=of_arm),
            text.encode(x=x, y=y, text=alt.Text("arm:N"), color=colours),
            *targets(leading, x, y),
        ).properties(width=PLOT_WIDTH, height=CURVE_HEIGHT),
        links_of(leading),
    )


def apart(values: Sequence[float], gap: float) -> list[float]:
    """The values, moved up as little as keeps each as far as the gap above the one below it.

    >>> apart([0.5, 0.25, 0.25], 0.125)
    [0.5, 0.25, 0.375]
    """
    placed: dict[int, float] = {}
    last = -_FAR
    for place in sorted(range(len(values)), key=lambda place: values[place]):
        last = placed[place] = max(values[place], last + gap)
    return [placed[place] for place in range(len(values))]


def label_width(titles: Sequence[str]) -> int:
    """Room for the longest label, within bounds; a longer one is cut with an ellipsis."""
    longest = max((len(title) for title in titles), default=0)
    return min(max(LABEL_WIDTH, round(6.6 * longest) + 24), MAX_LABEL_WIDTH)


def _mark(panel: Panel, arm: Arm, metric: Metric) -> dict[str, Any]:
    model, condition = arm
    colour = REST if condition != "full" else INK if model == panel.models.baseline else ACCENT
    return {
        "label": panel.models.title(model, condition),
        "value": metric.value,
        "low": metric.ci_low,
        "high": metric.ci_high,
        "text": panel.unit.write(metric.value),
        "colour": colour,
    }


def _inside(bound: str) -> tuple[float, float] | None:
    """The two ends of the values that meet a bound.

    >>> _inside(">= 0.05"), _inside("within 0.005")
    ((0.05, 1000000000.0), (-0.005, 0.005))
    """
    operator, _, text = bound.partition(" ")
    limit = float(text)
    parts = {
        ">=": (limit, _FAR),
        ">": (limit, _FAR),
        "<=": (-_FAR, limit),
        "<": (-_FAR, limit),
        "within": (-limit, limit),
        "==": (limit, limit),
    }
    return parts.get(operator)


def _domain(values: Sequence[float]) -> tuple[float, float]:
    near = [value for value in values if abs(value) < _FAR]
    low, high = min(near), max(near)
    margin = (high - low or 0.01) * 0.12
    return low - margin, high + margin


def at(x: Any, field: str) -> Any:
    placed = x.copy()
    placed.shorthand, placed.title = f"{field}:Q", None
    return placed


def strip(
    title: str,
    values: list[dict[str, Any]],
    x: Any,
    y: Any,
    rows: int,
    *,
    below: Sequence[Any] = (),
    width: int = PLOT_WIDTH,
) -> Any:
    """Points with intervals on one horizontal axis, each with its value written on the right."""
    import altair as alt

    chart = alt.Chart(data_of(values))
    colour = alt.Color("colour:N", scale=None)
    value = chart.mark_text(align="right", color=INK, fontSize=12)
    return alt.layer(
        *below,
        chart.mark_rule(strokeWidth=2.5, opacity=0.5).encode(
            x=at(x, "low"), x2=alt.X2("high:Q"), y=y, color=colour
        ),
        chart.mark_point(filled=True, size=70, opacity=1).encode(x=at(x, "value"), y=y, color=colour),
        value.encode(x=alt.value(width + VALUE_WIDTH), y=y, text=alt.Text("text:N")),
        *targets(values, at(x, "value"), y),
    ).properties(width=width, height=ROW_HEIGHT * rows, title=title)


def data_of(values: list[dict[str, Any]]) -> Any:
    """Rows that a chart draws."""
    import altair as alt

    return alt.Data(values=values)  # type: ignore[no-untyped-call]


def _config() -> Any:
    """The look of every chart, given to it at once: each `configure_…` of altair copies the whole chart."""
    import altair as alt

    return alt.Config(
        font="sans-serif",
        background="transparent",
        aria=False,
        padding=4,
        view=alt.ViewConfig(stroke=None),
        title=alt.TitleConfig(
            anchor="start", frame="bounds", color=INK, fontSize=13, fontWeight=600, offset=6
        ),
        axis=alt.AxisConfig(
            domain=False, ticks=False, titleColor=SOFT, titleFontSize=11, titleFontWeight="normal"
        ),
        axisX=alt.AxisConfig(
            labelColor=SOFT, gridColor=LINE, labelFontSize=11, labelPadding=6, labelFlush=False
        ),
        axisY=alt.AxisConfig(labelColor=INK, grid=False, labelFontSize=12, labelPadding=12),
    )


def svg_of(chart: Any, links: Mapping[str, str] | None = None) -> str:
    """Draw without the network. Labels are escaped, and marks have neither role nor name: links have one.

    `links` has what stands behind each address to which marks may lead, in words.
    """
    import vl_convert

    chart.config = _config()
    svg: str = vl_convert.vegalite_to_svg(chart.to_dict(validate=False), allowed_base_urls=[])
    svg = re.sub(r' xmlns:xlink="[^"]*"', "", svg, count=1)
    svg = with_links(re.sub(r' (?:role="graphics-\w+"|aria-roledescription="[^"]*")', "", svg), links or {})
    return svg.replace("<svg ", f'<svg role="{"group" if links else "presentation"}" ', 1)

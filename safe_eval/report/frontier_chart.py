"""The chart of a frontier: cost to the right, accuracy upward, a strip per slice."""

from collections.abc import Callable, Sequence
from typing import Any

from safe_eval.arms.consultation import CONSULTED
from safe_eval.report.chart_links import Link, fields_of, links_of, targets
from safe_eval.report.charts import ACCENT, INK, INSIDE, LINE, REST, SOFT, data_of, svg_of
from safe_eval.report.frontiers import COST_TITLES, FrontierPanel, on_frontier
from safe_eval.report.labels import noun_of, slice_title
from safe_eval.results.frontiers import ON_FRONTIER, FrontierRow

WIDTH, HEIGHT = 330, 190  # pixels of a strip
_MOST_LABEL = 22  # characters of a name
_LEAST_GAP = 0.09  # of the height of a strip, below which two labels would touch
_ROOM = 0.08  # of the range of an axis, on each side


RowLink = Callable[[FrontierRow], Link | None]


def frontier_chart(panel: FrontierPanel, link: RowLink | None = None) -> str:
    """Points with crosses, the frontier as steps, and the curves of gates as bands; one strip per slice."""
    import altair as alt

    links = dict[str, str]()
    strips = [_strip(panel, name, link, links) for name in panel.slices]
    return svg_of(alt.vconcat(*strips, spacing=22), links)


def _strip(panel: FrontierPanel, slice_name: str, link: RowLink | None, links: dict[str, str]) -> Any:
    import altair as alt

    points = [row for row in panel.points if row.slice == slice_name]
    curves = [row for row in panel.curves if row.slice == slice_name]
    marks = [_mark(panel, row) | fields_of(link and link(row)) for row in points]
    links |= links_of(marks)
    band = [_mark(panel, row) for row in curves]
    costs = _domain([mark[end] for mark in (*marks, *band) for end in ("cost", "cost_low", "cost_high")])
    values = _domain([mark[end] for mark in (*marks, *band) for end in ("value", "low", "high")])
    _place_labels(marks, costs, values)
    x = alt.X(
        "cost:Q",
        scale=alt.Scale(domain=costs, nice=False),
        axis=alt.Axis(
            title=COST_TITLES[panel.cost], titleColor=SOFT, titleFontWeight="normal", tickCount=5, grid=False
        ),
    )
    y = alt.Y(
        "value:Q",
        scale=alt.Scale(domain=values, nice=False),
        axis=alt.Axis(title=None, tickCount=4, grid=True, gridColor=LINE),
    )
    colour = alt.Color("colour:N", scale=None)
    chart = alt.Chart(data_of(marks))
    steps = data_of([_mark(panel, row) for row in on_frontier(points)])
    layers = [
        *_bands(band, x, y),
        alt.Chart(steps).mark_line(interpolate="step-after", color=SOFT, strokeDash=[3, 3]).encode(x=x, y=y),
        chart.mark_rule(opacity=0.5, strokeWidth=1.5).encode(
            x=x, y=_end(y, "low"), y2=alt.Y2("high:Q"), color=colour
        ),
        chart.mark_rule(opacity=0.5, strokeWidth=1.5).encode(
            x=_end(x, "cost_low"), x2=alt.X2("cost_high:Q"), y=y, color=colour
        ),
        chart.mark_point(size=60, opacity=1, strokeWidth=1.8).encode(
            x=x, y=y, stroke=alt.Stroke("colour:N", scale=None), fill=alt.Fill("fill:N", scale=None)
        ),
        *_labels(marks, x, y),
        *targets(marks, x, y),
    ]
    unit = "in percent" if panel.unit.is_share else "own scale"
    title = f"{slice_title(slice_name, noun_of(panel.metric))}, {unit}"
    return alt.layer(*layers).properties(width=WIDTH, height=HEIGHT, title=title)


def _bands(band: list[dict[str, Any]], x: Any, y: Any) -> list[Any]:
    """The curve of each gate over its thresholds, with the interval of each threshold."""
    import altair as alt

    layers: list[Any] = []
    for model in dict.fromkeys(mark["label"] for mark in band):
        chart = alt.Chart(data_of([mark for mark in band if mark["label"] == model]))
        layers.append(chart.mark_area(color=INSIDE).encode(x=x, y=_end(y, "low"), y2=alt.Y2("high:Q")))
        layers.append(chart.mark_line(color=ACCENT, strokeWidth=1.5).encode(x=x, y=y))
    return layers


def _labels(marks: Sequence[dict[str, Any]], x: Any, y: Any) -> list[Any]:
    """The names of the points, to the side and at the height that `_place_labels` found."""
    import altair as alt

    layers = []
    for mark in marks:
        text = alt.Chart(data_of([mark])).mark_text(
            align=mark["align"],
            dx=8 if mark["align"] == "left" else -8,
            dy=mark["dy"],
            color=INK,
            fontSize=11,
        )
        layers.append(text.encode(x=x, y=y, text=alt.Text("label:N")))
    return layers


def _mark(panel: FrontierPanel, row: FrontierRow) -> dict[str, Any]:
    of_value, of_cost = 100 if panel.unit.is_share else 1, 100 if panel.cost == CONSULTED else 1
    colour = REST
    if row.status == ON_FRONTIER:
        colour = INK if row.model == panel.models.baseline else ACCENT
    name = row.model if len(row.model) <= _MOST_LABEL else row.model[: _MOST_LABEL - 1] + "…"
    value, cost = of_value * row.value, of_cost * row.mean_cost
    return {
        "label": name,
        "value": value,
        "low": value if row.ci_low is None else of_value * row.ci_low,
        "high": value if row.ci_high is None else of_value * row.ci_high,
        "cost": cost,
        "cost_low": cost if row.cost_low is None else of_cost * row.cost_low,
        "cost_high": cost if row.cost_high is None else of_cost * row.cost_high,
        "colour": colour,
        "fill": colour if row.status == ON_FRONTIER else "transparent",
    }


def _place_labels(marks: list[dict[str, Any]], costs: Sequence[float], values: Sequence[float]) -> None:
    """Put each name beside its point, to the right if there is room, and as far down as others leave it."""
    taken: list[tuple[float, float, float]] = []  # left and right end and height, as shares of the strip
    for mark in sorted(marks, key=lambda mark: -mark["value"]):
        at = (mark["cost"] - costs[0]) / (costs[1] - costs[0])
        point = (mark["value"] - values[0]) / (values[1] - values[0])
        long = (len(mark["label"]) * 6.2 + 12) / WIDTH
        sides = [side for side, left in (("left", at), ("right", at - long)) if 0 <= left <= 1 - long] or [
            "left"
        ]
        up = point + 0.05
        while (side := _free_side(sides, at, long, up, taken)) is None:
            up -= _LEAST_GAP / 4
        left = at if side == "left" else at - long
        taken.append((left, left + long, up))
        mark["align"], mark["dy"] = side, -HEIGHT * (up - point)


def _free_side(
    sides: Sequence[str], at: float, long: float, up: float, taken: Sequence[tuple[float, float, float]]
) -> str | None:
    """The first side of a point at which a name of this length touches no other."""
    for side in sides:
        left = at if side == "left" else at - long
        if not any(a < left + long and left < b and abs(up - v) < _LEAST_GAP for a, b, v in taken):
            return side
    return None


def _end(axis: Any, field: str) -> Any:
    placed = axis.copy()
    placed.shorthand = f"{field}:Q"
    return placed


def _domain(ends: Sequence[float]) -> list[float]:
    low, high = min(ends), max(ends)
    room = (high - low or abs(high) or 1.0) * _ROOM
    return [low - room, high + room]

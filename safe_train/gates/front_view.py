"""Front view: the Pareto front as a table of text, as CSV and, where altair is installed, as an SVG chart."""

import importlib.util
from typing import Any

from safe_data.core.numerals import accuracy_points
from safe_data.core.table import Table, csv_text, render
from safe_train.gates.front import Front, FrontPoint

WIDTH, HEIGHT = 380, 220  # pixels of the chart
LIMIT_POINTS = 1.0  # the drop that a gate must keep, drawn as a line


def front_table(front: Front) -> Table:
    """A row for each point; shares in percent, drops in points, false consultation among VL questions."""
    rows = [
        (
            _short(point),
            _percent(point.skips),
            _ends(point.skips_low, point.skips_high, 0),
            accuracy_points(point.drop),
            _ends(point.drop_low, point.drop_high, 1),
            _percent(point.false_consultation),
            f"{point.mean_tokens:.1f}",
            f"{point.reward:.4f}",
            {"on the front": "front", "dominated": "no"}.get(point.status, "no?"),
        )
        for point in front.points
    ]
    title = (
        f"{front.questions:,} audio questions, {front.groups:,} groups, out of fold, in %; "
        "intervals hold at once"
    )
    columns = ("policy", "skips", "±", "drop", "± ", "false", "tokens", "reward", "front")
    return Table(title, columns, rows, name="pareto")


def front_text(front: Front) -> list[str]:
    """The table for a terminal of 80 columns."""
    return render([front_table(front)], "text")


def front_csv(front: Front) -> str:
    """Every digit of every point."""
    names = FrontPoint.__struct_fields__
    rows = [tuple(getattr(point, name) for name in names) for point in front.points]
    about = {"questions": front.questions, "groups": front.groups, "confidence": front.confidence}
    text: str = csv_text([Table("front", names, rows, about=about, name="pareto")])
    return text


def can_draw() -> bool:
    """Whether the extra `report` is installed, which draws charts."""
    return all(importlib.util.find_spec(name) is not None for name in ("altair", "vl_convert"))


def front_svg(front: Front) -> str:
    """Skips to the right, loss upward, both of audio questions, with joint intervals as crosses."""
    import altair as alt

    from safe_eval.report.charts import ACCENT, INK, LINE, REST, SOFT, data_of, svg_of

    marks = [_mark(point, ACCENT, REST, INK) for point in front.points]
    x = alt.X("skips:Q", axis=alt.Axis(title="audio questions skipped, %", titleColor=SOFT, grid=False))
    y = alt.Y(
        "drop:Q", axis=alt.Axis(title="points lost against always listening", titleColor=SOFT, gridColor=LINE)
    )
    colour = alt.Color("colour:N", scale=None)
    chart = alt.Chart(data_of(marks))
    limit = alt.Chart(data_of([{"drop": LIMIT_POINTS}])).mark_rule(color=SOFT, strokeDash=[3, 3])
    steps = alt.Chart(data_of([mark for mark in marks if mark["on"]]))
    layers: list[Any] = [
        limit.encode(y=y),
        steps.mark_line(color=ACCENT, opacity=0.4).encode(x=x, y=y, order=alt.Order("skips:Q")),
        chart.mark_rule(opacity=0.4).encode(x=x, y=_end(y, "low"), y2=alt.Y2("high:Q"), color=colour),
        chart.mark_rule(opacity=0.4).encode(x=_end(x, "left"), x2=alt.X2("right:Q"), y=y, color=colour),
        chart.mark_point(filled=True, size=55, opacity=1).encode(x=x, y=y, color=colour),
        *(
            alt.Chart(data_of([mark]))
            .mark_text(align="left", dx=7, dy=-7, fontSize=10, color=INK)
            .encode(x=x, y=y, text=alt.Text("label:N"))
            for mark in marks
            if mark["label"]
        ),
    ]
    return svg_of(alt.layer(*layers).properties(width=WIDTH, height=HEIGHT))


def _mark(point: FrontPoint, accent: str, rest: str, constant: str) -> dict[str, Any]:
    on = point.status == "on the front"
    drop, skips = 100 * point.drop, 100 * point.skips
    policy = accent if on else rest
    return {
        "label": point.name if point.alpha is None else "",
        "skips": skips,
        "left": skips if point.skips_low is None else 100 * point.skips_low,
        "right": skips if point.skips_high is None else 100 * point.skips_high,
        "drop": drop,
        "low": drop if point.drop_low is None else 100 * point.drop_low,
        "high": drop if point.drop_high is None else 100 * point.drop_high,
        "colour": constant if point.alpha is None else policy,
        "on": on,
    }


def _end(axis: Any, field: str) -> Any:
    placed = axis.copy()
    placed.shorthand = f"{field}:Q"
    return placed


def _short(point: FrontPoint) -> str:
    """A name that is not cut off in 80 columns, where the last part tells points apart."""
    return point.name if point.alpha is None else f"α {point.alpha:g} γ {point.gamma:g}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _ends(low: float | None, high: float | None, digits: int) -> str:
    if low is None or high is None:
        return "–"
    return f"{100 * low:z.{digits}f}…{100 * high:z.{digits}f}".replace("-", "−")

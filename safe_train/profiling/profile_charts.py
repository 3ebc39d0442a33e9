"""Profile charts: questions a second and memory against rows, and latency against audio tokens, as SVG."""

from typing import Any

from safe_train.profiling.quantiles import Quantile
from safe_train.profiling.result import Profile

THROUGHPUT, MEMORY, LATENCY = "throughput.svg", "memory.svg", "latency.svg"
CHARTS = (THROUGHPUT, MEMORY, LATENCY)
WIDTH, HEIGHT = 380, 220  # pixels

Row = dict[str, Any]


def charts_of(found: Profile) -> dict[str, str]:
    """The charts by the names of their files."""
    return {
        THROUGHPUT: _lines(_throughput(found), "rows of a pass", "questions a second"),
        MEMORY: _lines(_memory(found), "rows of a pass", "peak of a pass, MB", dashed=_predicted(found)),
        LATENCY: _latency(found),
    }


def _throughput(found: Profile) -> list[Row]:
    from safe_eval.report.charts import ACCENT, INK, REST

    rows = [_row("training", INK, rung.rows, rung.samples_per_second) for rung in found.training.rungs]
    for rung in found.answering.rungs:
        for name, colour, heard in (("answers, with sound", ACCENT, True), ("answers, without", REST, False)):
            rows.append(_row(name, colour, rung.rows, rung.answers_per_second(with_sound=heard)))
    return rows


def _memory(found: Profile) -> list[Row]:
    from safe_eval.report.charts import ACCENT, INK, REST

    def row(name: str, colour: str, rows: int, count: int) -> Row:
        return _row(name, colour, rows, Quantile(count / 1e6, None, None, 1))

    rows = [row("training", INK, one.rows, one.memory.peak_bytes) for one in found.training.rungs]
    for one in found.answering.rungs:
        rows.append(row("answers, with sound", ACCENT, one.rows, one.with_sound.peak_bytes))
        rows.append(row("answers, without", REST, one.rows, one.without.peak_bytes))
    return rows


def _predicted(found: Profile) -> list[Row]:
    """The lines by which memory is predicted."""
    from safe_eval.report.charts import ACCENT, INK

    lines = (
        ("training", INK, found.training.ladder),
        ("answers, with sound", ACCENT, found.answering.ladder),
    )
    return [
        _row(name, colour, rows, Quantile(ladder.model.bytes_of(rows) / 1e6, None, None, 1))
        for name, colour, ladder in lines
        if ladder.model is not None
        for rows in ladder.model.sizes
    ]


def _row(name: str, colour: str, rows: int, value: Quantile) -> Row:
    low, high = (value.value if end is None else end for end in (value.low, value.high))
    return {"name": name, "colour": colour, "rows": rows, "value": value.value, "low": low, "high": high}


def _lines(rows: list[Row], across: str, up: str, dashed: list[Row] | None = None) -> str:
    """Values with their intervals against rows, both on scales that double; a line each, named at its end."""
    import altair as alt

    from safe_eval.report.charts import data_of, svg_of

    scale = alt.Scale(type="log", base=2, nice=False)
    ticks = sorted({row["rows"] for row in rows})
    x = alt.X("rows:Q", title=across, scale=scale, axis=alt.Axis(values=ticks, format="d", grid=False))
    y = alt.Y(
        "value:Q", title=up, scale=alt.Scale(type="log", nice=False), axis=alt.Axis(grid=True, tickCount=5)
    )
    colour, of = alt.Color("colour:N", scale=None), alt.Detail("name:N")
    ends = {row["name"]: row for row in rows}
    chart = alt.Chart(data_of(rows))
    layers: list[Any] = [
        chart.mark_rule(opacity=0.5, strokeWidth=2).encode(
            x=x, y=_at(y, "low"), y2=alt.Y2("high:Q"), color=colour
        ),
        chart.mark_point(filled=True, size=35, opacity=1).encode(x=x, y=y, color=colour),
    ]
    if dashed is None:
        layers.append(chart.mark_line(strokeWidth=1.5).encode(x=x, y=y, color=colour, detail=of))
    else:
        line = alt.Chart(data_of(dashed)).mark_line(strokeWidth=1.5, strokeDash=[4, 3])
        layers.append(line.encode(x=x, y=y, color=colour, detail=of))
    names = alt.Chart(data_of(list(ends.values()))).mark_text(align="left", dx=8, fontSize=11)
    layers.append(names.encode(x=x, y=y, text=alt.Text("name:N"), color=colour))
    return svg_of(alt.layer(*layers).properties(width=WIDTH, height=HEIGHT))


def _latency(found: Profile) -> str:
    """Median and 95th percentile of each way, with what the limit allows against no sound."""
    import altair as alt

    from safe_eval.report.charts import ACCENT, INK, SOFT, data_of, svg_of

    ways = [one.name for one in found.latency]
    marks = []
    for one in found.latency:
        for name, colour, value in (("p50", INK, one.p50_ms), ("p95", ACCENT, one.p95_ms)):
            marks.append(_row(name, colour, 0, value) | {"way": one.name})
    allowed = f"{found.latency_limit:g} × {ways[0]}"
    limit = [{"value": found.latency_limit * found.latency[0].p50_ms.value, "name": allowed}]
    x = alt.X("way:N", sort=ways, title=None, axis=alt.Axis(labelAngle=0, grid=False, labelLimit=110))
    y = alt.Y(
        "value:Q", title="ms for an answer", scale=alt.Scale(zero=True), axis=alt.Axis(grid=True, tickCount=5)
    )
    of = alt.Color("colour:N", scale=None)
    chart = alt.Chart(data_of(marks))
    last = [mark for mark in marks if mark["way"] == ways[-1]]
    rule = alt.Chart(data_of(limit)).mark_rule(color=SOFT, strokeDash=[4, 3])
    name = alt.Chart(data_of(limit)).mark_text(align="left", dy=-6, fontSize=10, color=SOFT)
    text = alt.Chart(data_of(last)).mark_text(align="left", dx=8, fontSize=11)
    return svg_of(
        alt.layer(
            rule.encode(y=y),
            name.encode(x=alt.value(4), y=y, text=alt.Text("name:N")),
            chart.mark_rule(opacity=0.5, strokeWidth=2).encode(
                x=x, y=_at(y, "low"), y2=alt.Y2("high:Q"), color=of
            ),
            chart.mark_point(filled=True, size=55, opacity=1).encode(x=x, y=y, color=of),
            text.encode(x=x, y=y, text=alt.Text("name:N"), color=of),
        ).properties(width=WIDTH, height=HEIGHT)
    )


def _at(axis: Any, field: str) -> Any:
    placed = axis.copy()
    placed.shorthand = f"{field}:Q"
    return placed

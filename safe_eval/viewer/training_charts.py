"""Training charts: loss, drift, gate and gradients of one or several training runs over their steps."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from safe_data.core import numerals
from safe_eval.report import numbers
from safe_eval.report.charts import ACCENT, INK, LABEL_GAP, LINE, REST, SOFT, apart, data_of, svg_of
from safe_eval.report.table import Cell, Column, Row, Table, in_parts
from safe_eval.viewer.chart import Chart, values_csv
from safe_eval.viewer.training_log import Line, TrainingLog

POINTS, ROWS = 120, 12  # of a line that is drawn, and of a table over steps
MOST_LINES = 12
WIDTH, HEIGHT = 330, 190  # pixels
MOST_BANDS = 2  # more would hide each other
_COLOURS, _DASHES = (INK, ACCENT, REST), ((), (5, 3), (2, 2))  # by run, and by what a line is
_PARTS = {
    "vl_drift": "irrelevant sound",
    "vl_silent_drift": "silence",
    "vl_kl": "irrelevant sound",
    "vl_silent_kl": "silence",
    "audio_accuracy": "questions about sounds",
    "vl_accuracy": "questions about pictures",
    "gate": "gate",
}
_NATS = "nats per token"
_PERCENT = "round(datum.value * 1000) / 10 + ' %'"
_POINTS = "round(datum.value * 1000) / 10 + ' pp'"

Write = Callable[[float | None], str]


@dataclass(frozen=True)
class Point:
    """A value at a step, or the mean of the steps up to the next point, with its bounds where there are."""

    step: int
    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Curve:
    """One line of a chart: the run, what it is if the chart has several things, and its points."""

    run: str
    part: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Asked:
    """What a chart shows: the fields of a log's lines, how they are written, and what they do not show."""

    name: str
    title: str
    unit: str
    fields: tuple[str, ...]  # one ends with *: every field that begins so
    not_shown: str
    write: Write
    axis: str | None = None  # how the axis writes a value
    bounds: tuple[str, str] | None = None  # the ends of the fields' names that hold their bounds
    nested: str | None = None  # the object that holds the fields
    is_evaluation: bool = False
    domain: tuple[float, float] | None = None  # of the axis
    of_one_run: bool = False  # whether several runs would be too many lines


CHARTS = (
    Asked(
        "loss",
        "Loss",
        _NATS,
        ("loss",),
        "A loss that falls says nothing of new questions: see the accuracies.",
        numbers.plain,
    ),
    Asked(
        "loss-parts",
        "Parts of the loss",
        _NATS,
        ("cross_entropy", "distillation"),
        "The parts are added with the weights of the run, which are in its options.",
        numbers.plain,
    ),
    Asked(
        "drift",
        "Drift on questions about pictures",
        "fewer right answers than the base, in percentage points",
        ("vl_drift", "vl_silent_drift"),
        "Bounds are one-sided, 95 % each, of one evaluation; nothing corrects for how many there are.",
        numbers.share_points,
        _POINTS,
        ("_low", "_high"),
        is_evaluation=True,
    ),
    Asked(
        "kl",
        "KL from the base on questions about pictures",
        _NATS,
        ("vl_kl", "vl_silent_kl"),
        "A small KL does not rule out that a single answer turned.",
        numbers.plain,
        is_evaluation=True,
    ),
    Asked(
        "accuracy",
        "Accuracy during training",
        "percent of the validation questions, answered to the letter",
        ("audio_accuracy", "vl_accuracy"),
        "It guides a run; the accuracies of the overview measure it.",
        numbers.share,
        _PERCENT,
        is_evaluation=True,
    ),
    Asked(
        "gate",
        "Opening of the gate",
        "from 0, closed, to 1, open",
        ("gate*",),
        "It is how far training opened the gate, not how often it opens for a question.",
        numbers.plain,
        domain=(0.0, 1.0),
    ),
    Asked(
        "gradients",
        "Gradient norm",
        "of all trained parameters",
        ("gradient_norm",),
        "It is the norm before it is clipped.",
        numbers.plain,
    ),
    Asked(
        "gradient-parts",
        "Gradient norms by part",
        "of the parameters of each part",
        ("*",),
        "A part with a small norm may need no change.",
        numbers.plain,
        nested="gradient_norms",
        of_one_run=True,
    ),
)


def training_charts(logs: Sequence[TrainingLog]) -> Iterator[Chart]:
    """The charts for which some log has numbers."""
    for asked in CHARTS:
        if asked.of_one_run and len(logs) > 1:
            continue
        curves = list(islice(_curves(logs, asked), MOST_LINES))
        if curves:
            yield _chart(asked, curves, len(logs))


def _curves(logs: Sequence[TrainingLog], asked: Asked) -> Iterator[Curve]:
    """A curve per run and field that has a number."""
    for log in logs:
        lines = log.evaluations if asked.is_evaluation else log.losses
        for field in _fields(lines, asked):
            points = tuple(
                Point(line.at, values[field], *(values.get(field + end) for end in asked.bounds or ()))
                for line in lines
                if field in (values := _values(line, asked))
            )
            if points:
                yield Curve(log.name, field, points)


def _values(line: Line, asked: Asked) -> Any:
    return line.numbers if asked.nested is None else line.nested.get(asked.nested, {})


def _fields(lines: Sequence[Line], asked: Asked) -> list[str]:
    known = dict.fromkeys(name for line in lines for name in _values(line, asked))
    found = []
    for field in asked.fields:
        begin = field.removesuffix("*")
        found += [name for name in known if (name.startswith(begin) if begin != field else name == field)]
    return found


def _chart(asked: Asked, curves: Sequence[Curve], runs: int) -> Chart:
    several = len({curve.part for curve in curves}) > 1
    labels = [_label(curve, several, runs > 1) for curve in curves]
    drawn = [thinned(curve.points) for curve in curves]
    most = max(len(curve.points) for curve in curves)
    each = -(-most // POINTS)
    mean = f" Each point is the mean of {each} steps." if each > 1 else ""
    where = "are in the table" if len(curves) > MOST_BANDS else "are the ends of the band"
    band = f" The bounds {where}." if asked.bounds else ""
    return Chart(
        name=f"training-{asked.name}",
        title=asked.title,
        caption=f"{asked.unit[0].upper()}{asked.unit[1:]}, by step.{mean}{band}",
        not_shown=asked.not_shown,
        tables=tuple(in_parts(_table(asked, labels, curves))),
        csv=values_csv(
            ("run", "field", "step", "value", "low", "high"),
            [
                (curve.run, curve.part, point.step, point.value, point.low, point.high)
                for curve in curves
                for point in curve.points
            ],
        ),
        draw=partial(_drawing, asked, labels, _looks(curves), drawn),
        leads="",
    )


def _label(curve: Curve, several: bool, runs: bool) -> str:
    part = _PARTS.get(curve.part, curve.part.replace("_", " "))
    return f"{curve.run}, {part}" if several and runs else curve.run if runs else part


def thinned(points: Sequence[Point], most: int = POINTS) -> list[Point]:
    """At most so many points: each is the mean of as many steps.

    >>> thinned([Point(step, float(step)) for step in range(5)], 3)[:2]
    [Point(step=0, value=0.5, low=None, high=None), Point(step=2, value=2.5, low=None, high=None)]
    """
    each = -(-len(points) // most)
    if each <= 1:
        return list(points)
    parts = [points[at : at + each] for at in range(0, len(points), each)]
    return [Point(part[0].step, sum(one.value for one in part) / len(part)) for part in parts]


def _looks(curves: Sequence[Curve]) -> list[tuple[str, tuple[int, ...]]]:
    """A colour for each run, and a dash for each thing that is drawn of it."""
    runs, parts = (
        list(dict.fromkeys(names)) for names in zip(*((c.run, c.part) for c in curves), strict=True)
    )
    found = list[tuple[str, tuple[int, ...]]]()
    for curve in curves:
        run, part = runs.index(curve.run), parts.index(curve.part)
        if len(runs) == 1:
            run, part = part, part // len(_COLOURS)
        dash = _DASHES[(part + run // len(_COLOURS)) % len(_DASHES)]
        found.append((_COLOURS[run % len(_COLOURS)], dash))
    return found


def _drawing(
    asked: Asked,
    labels: Sequence[str],
    looks: Sequence[tuple[str, tuple[int, ...]]],
    curves: Sequence[Sequence[Point]],
) -> str:
    import altair as alt

    every = [point for curve in curves for point in curve]
    ends = [end for point in every for end in (point.value, point.low, point.high) if end is not None]
    low, high = min(ends), max(ends)
    room = (high - low or abs(high) or 1.0) * 0.06
    domain = asked.domain or (low - room, high + room)
    axis = alt.Axis(tickCount=5, grid=True, gridColor=LINE)
    if asked.axis is not None:
        axis.labelExpr = asked.axis
    x = alt.X("step:Q", title="step", axis=alt.Axis(tickCount=6, format="d"))
    y = alt.Y("value:Q", title=None, scale=alt.Scale(domain=list(domain)), axis=axis)
    layers: list[Any] = []
    heights = apart([curve[-1].value for curve in curves], (domain[1] - domain[0]) * LABEL_GAP)
    for label, curve, (colour, dash), height in zip(labels, curves, looks, heights, strict=True):
        chart = alt.Chart(data_of([vars(point) for point in curve]))
        if len(curves) <= MOST_BANDS and any(point.low is not None for point in curve):
            between = y.copy()
            between.shorthand = "low:Q"
            layers.append(
                chart.mark_area(opacity=0.12, color=colour).encode(x=x, y=between, y2=alt.Y2("high:Q"))
            )
        drawn = chart.mark_line(color=colour, strokeWidth=1.6, strokeDash=list(dash))
        layers.append(drawn.encode(x=x, y=y))
        if len(curve) < ROWS:
            layers.append(chart.mark_point(filled=True, size=30, opacity=1, color=colour).encode(x=x, y=y))
        name = alt.Chart(data_of([{"step": curve[-1].step, "value": height, "label": label}]))
        text = name.mark_text(align="left", dx=7, fontSize=11, color=SOFT if colour == REST else colour)
        layers.append(text.encode(x=x, y=y, text=alt.Text("label:N")))
    return svg_of(alt.layer(*layers).properties(width=WIDTH, height=HEIGHT))


def _table(asked: Asked, labels: Sequence[str], curves: Sequence[Curve]) -> Table:
    """A row per evaluation, or per some of the steps, and a column per curve."""
    steps = sorted({point.step for curve in curves for point in curve.points})
    step = max(1, -(-(len(steps) - 1) // ROWS))
    shown = dict.fromkeys([*steps[::step], steps[-1]])
    found = [{point.step: point for point in curve.points} for curve in curves]
    bounds = "; in brackets, one-sided 95 % bounds" if asked.bounds else ""
    some = "" if len(shown) == len(steps) else f"; {len(shown)} of {len(steps)} steps, all are in the CSV"
    return Table(
        caption=asked.title,
        note=f"{asked.unit}{bounds}{some}",
        first="Step",
        columns=tuple(map(Column, labels)),
        rows=tuple(Row(numbers.count(at), tuple(_cell(asked, own.get(at)) for own in found)) for at in shown),
        empty=numerals.MISSING,
    )


def _cell(asked: Asked, point: Point | None) -> Cell | None:
    if point is None:
        return None
    around = (
        "" if None in (point.low, point.high) else f"[{asked.write(point.low)}, {asked.write(point.high)}]"
    )
    return Cell(asked.write(point.value), around)

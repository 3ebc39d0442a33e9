"""Reliability: confidence in bins against accuracy, with the number of answers in each bin.

The bins are those of the calibration error in scores.json: 15 of equal width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from safe_eval.report import numbers
from safe_eval.report.chart_links import fields_of, leading, links_of, targets
from safe_eval.report.charts import ACCENT, INK, LINE, PLOT_WIDTH, REST, SOFT, data_of, svg_of
from safe_eval.report.labels import Models, set_title
from safe_eval.report.table import Cell, Column, Row, Table
from safe_eval.report.units import unit_of
from safe_eval.results.metrics import Metric
from safe_eval.scoring.scores import Scores
from safe_eval.statistics.bootstrap import Labels
from safe_eval.statistics.calibration.reliability import BINS, Bin, Confidences, Correct, reliability
from safe_eval.statistics.score_interval import LEAST_CLUSTERS, count_effective, score_interval
from safe_eval.viewer.chart import values_csv
from safe_eval.viewer.links import About, Links, Place

COLUMNS = ("model", "seed", "low", "high", "answers", "confidence", "accuracy", "ci_low", "ci_high")
_SHARE = unit_of("accuracy")
_HEIGHT, _COUNTS = 150, 40  # pixels
_PERCENT = "round(datum.value * 100) + ' %'"


@dataclass(frozen=True)
class Stated:
    """The answers of an arm that state a confidence: how sure they are, their scores and clusters."""

    place: Place
    dataset: str | None
    metric: str
    confidence: Confidences
    correct: Correct
    clusters: Labels


@dataclass(frozen=True)
class Filled:
    """A bin with answers, the interval of their accuracy, and their lowest and highest confidence."""

    bar: Bin
    low: float | None
    high: float | None
    least: float
    most: float


@dataclass(frozen=True)
class Reliable:
    """One arm: its bins that hold an answer, and the calibration error that scores.json has of it."""

    stated: Stated
    bins: tuple[Filled, ...]
    error: Metric | None
    level: float  # of the intervals

    @property
    def ece(self) -> float:
        """The error of these bins."""
        shares = [one.bar.n * abs((one.bar.accuracy or 0) - (one.bar.confidence or 0)) for one in self.bins]
        return float(sum(shares) / len(self.stated.confidence))


def reliable(stated: Stated, scores: Scores) -> Reliable:
    """The bins of an arm, with intervals at the level of the scores."""
    level, place = scores.provenance.confidence, stated.place
    key = (stated.dataset, *place)
    error = next(
        (
            row
            for row in scores.metrics
            if row.metric == "ece" and (row.dataset, row.model, row.condition, row.seed) == key
        ),
        None,
    )
    bars = reliability(stated.confidence, stated.correct)
    return Reliable(stated, tuple(_filled(bar, stated, level) for bar in bars if bar.n), error, level)


def _filled(bar: Bin, stated: Stated, level: float) -> Filled:
    inside = (stated.confidence > bar.low) & (stated.confidence <= bar.high)
    if bar.low == 0.0:
        inside |= stated.confidence == 0.0
    clusters, sure = stated.clusters[inside], stated.confidence[inside]
    low, high = None, None
    if count_effective(clusters) >= LEAST_CLUSTERS - 1e-9:
        found = score_interval(stated.correct[inside], clusters, level)
        low, high = found.low, found.high
    return Filled(bar, low, high, float(np.min(sure)), float(np.max(sure)))


def reliability_chart(arms: Sequence[Reliable], models: Models, links: Links) -> str:
    """Two strips per arm: accuracy against confidence beside the diagonal, and below it the counts."""
    import altair as alt

    strips, opened = [], dict[str, str]()
    for arm in arms:
        marks = [_mark(arm, one, links) for one in arm.bins]
        opened |= links_of(marks)
        strips += _strips(arm, marks, models)
    return svg_of(alt.vconcat(*strips, spacing=12), opened)


def _mark(arm: Reliable, one: Filled, links: Links) -> dict[str, Any]:
    stated, bar = arm.stated, one.bar
    about = About("all", stated.metric, stated.dataset)
    return {
        "confidence": bar.confidence,
        "accuracy": bar.accuracy,
        "low": bar.accuracy if one.low is None else one.low,
        "high": bar.accuracy if one.high is None else one.high,
        "from": bar.low,
        "to": bar.high,
        "answers": bar.n,
        "none": 0,
    } | fields_of(links.sure(stated.place, one.least, one.most, about))


def _strips(arm: Reliable, marks: list[dict[str, Any]], models: Models) -> list[Any]:
    import altair as alt

    place = arm.stated.place
    axis = alt.Axis(labelExpr=_PERCENT, values=[0, 0.25, 0.5, 0.75, 1])
    x = alt.X("confidence:Q", title=None, scale=alt.Scale(domain=[0, 1]), axis=axis)
    y = alt.Y("accuracy:Q", title="accuracy", scale=alt.Scale(domain=[0, 1]), axis=axis)
    low = y.copy()
    low.shorthand = "low:Q"
    chart = alt.Chart(data_of(marks))
    even = data_of([{"confidence": end, "accuracy": end} for end in (0, 1)])
    colour = INK if place.model == models.baseline else ACCENT
    above = alt.layer(
        alt.Chart(even).mark_line(color=SOFT, strokeDash=[3, 3], strokeWidth=1).encode(x=x, y=y),
        chart.mark_rule(color=colour, strokeWidth=2.5, opacity=0.5).encode(x=x, y=low, y2=alt.Y2("high:Q")),
        chart.mark_point(filled=True, size=55, opacity=1, color=colour).encode(x=x, y=y),
        *targets(marks, x, y),
    ).properties(width=PLOT_WIDTH, height=_HEIGHT, title=models.title(*place[:2]))
    ends = alt.X("from:Q", title="confidence", scale=alt.Scale(domain=[0, 1]), axis=axis)
    most = max(mark["answers"] for mark in marks)
    count = alt.Axis(values=[0, most], format="d", gridColor=LINE, grid=True)
    bars = chart.mark_bar(color=REST, stroke="white", strokeWidth=0.5).encode(
        x=ends,
        x2=alt.X2("to:Q"),
        y=alt.Y("answers:Q", title="answers", scale=alt.Scale(domain=[0, most]), axis=count),
        y2=alt.Y2("none:Q"),
        **leading(marks),
    )
    return [above, bars.properties(width=PLOT_WIDTH, height=_COUNTS)]


def reliability_table(arms: Sequence[Reliable], models: Models, links: Links) -> Table:
    """A row per bin and a column per arm: accuracy with its interval, mean confidence, and the answers."""
    first, edges = arms[0].stated, np.arange(BINS + 1) / BINS
    found = [{round(one.bar.low * BINS): one for one in arm.bins} for arm in arms]
    rows = [
        Row(
            f"{numbers.percent(edges[number], 0)} to {numbers.percent(edges[number + 1], 0)} %",
            tuple(_cell(arm, bins.get(number), links) for arm, bins in zip(arms, found, strict=True)),
        )
        for number in range(BINS)
        if any(number in bins for bins in found)
    ]
    errors = Row("Calibration error (ECE)", tuple(map(_error, arms)), detail="mean distance, by answers")
    return Table(
        caption=set_title("Accuracy by confidence", first.dataset, first.place.seed),
        note=f"in percent; in brackets, the {numbers.percent(arms[0].level, 0)} % interval of the accuracy; "
        "a bin holds its upper end",
        first="Confidence",
        columns=tuple(Column(models.title(*arm.stated.place[:2])) for arm in arms),
        rows=(*rows, errors),
        empty="no answer",
    )


def _cell(arm: Reliable, one: Filled | None, links: Links) -> Cell | None:
    if one is None:
        return None
    about = About("all", arm.stated.metric, arm.stated.dataset)
    link = links.sure(arm.stated.place, one.least, one.most, about)
    lines = (
        f"mean confidence {_SHARE.write(one.bar.confidence)}",
        numbers.count(one.bar.n, "answer"),
    )
    around = _SHARE.interval(one.low, one.high)
    return Cell(_SHARE.write(one.bar.accuracy), around, lines, href=link.href if link else "")


def _error(arm: Reliable) -> Cell:
    """The error as scores.json has it, and a warning where these bins are of other answers."""
    if arm.error is None:
        return Cell(_SHARE.write(arm.ece), lines=("of these bins; scores.json has none",))
    row = arm.error
    same = row.n == len(arm.stated.confidence) and abs(arm.ece - row.value) < 1e-9
    warning = "" if same else f"of {numbers.count(row.n, 'answer')}, others than these bins hold"
    return Cell(_SHARE.write(row.value), _SHARE.interval(row.ci_low, row.ci_high), warning=warning)


def reliability_csv(arms: Sequence[Reliable]) -> str:
    """One line per arm and bin that holds an answer."""
    return values_csv(
        COLUMNS,
        [
            (
                f"{arm.stated.place.model}/{arm.stated.place.condition}",
                arm.stated.place.seed,
                one.bar.low,
                one.bar.high,
                one.bar.n,
                one.bar.confidence,
                one.bar.accuracy,
                one.low,
                one.high,
            )
            for arm in arms
            for one in arm.bins
        ],
    )


def by_place(arms: Sequence[Reliable]) -> Mapping[tuple[str | None, int | None], list[Reliable]]:
    """The arms of each dataset and seed."""
    found: dict[tuple[str | None, int | None], list[Reliable]] = {}
    for arm in arms:
        found.setdefault((arm.stated.dataset, arm.stated.place.seed), []).append(arm)
    return found

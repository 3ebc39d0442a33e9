"""When audio hurts, on the page: gained and lost by question type, as a table and as bars, and errors."""

from collections.abc import Callable, Iterator, Sequence

from safe_data.core import numerals
from safe_eval.report import numbers
from safe_eval.report.chart_links import Link, fields_of, leading, links_of
from safe_eval.report.charts import ACCENT, INK, PLOT_WIDTH, REST, ROW_HEIGHT, data_of, svg_of
from safe_eval.report.labels import condition_title, set_title, slice_title
from safe_eval.report.table import Cell, Column, Row, Table
from safe_eval.results.hurts import HurtRow
from safe_eval.results.telling import TypicalError
from safe_eval.scoring.scores import Scores

TYPES_SHOWN = 24  # of a table and of a chart: those that lose most
ERRORS_SHOWN = 10  # of a model against one arm

_PERCENT = "(datum.value > 0 ? '+' : '') + replace(round(datum.value * 100) + ' pp', '-', '−')"

_Set = tuple[str, str | None, int | None, str]  # metric, dataset, seed or none, model
HurtLink = Callable[[HurtRow, bool], Link | None]  # of what a row gained, or else lost


def hurt_tables(scores: Scores) -> list[Table]:
    """A table per metric, dataset and model: a row per slice, and a column per arm without the sound."""
    return [hurt_table(key, rows) for key, rows in _sets(scores)]


def hurt_charts(scores: Scores, most: int) -> list[dict[str, str]]:
    """What each model gains and loses by question type, as bars to both sides; at most so many charts."""
    drawn: list[dict[str, str]] = []
    for key, own in hurt_sets(scores):
        if len(drawn) < most:
            against = own[0].against
            caption = (
                f"{key[3]} with the sound against {against_title(against)}, {_title(key)}. To the right, the "
                "share of answers that are gained; to the left, those that are lost; the point is what is "
                f"left of both, with its {numbers.percent(own[0].confidence, 0)} % interval."
            )
            drawn.append({"svg": hurt_chart(own), "title": "When audio hurts", "caption": caption})
    return drawn


def hurt_sets(scores: Scores) -> Iterator[tuple[_Set, list[HurtRow]]]:
    """What a chart shows of each model: all that is measured against the first arm without the sound."""
    for key, rows in _sets(scores):
        own = [row for row in rows if row.against == rows[0].against and row.net is not None]
        if any(row.slice.startswith("type:") for row in own):
            yield key, _cut(own)


def error_tables(scores: Scores) -> list[Table]:
    """The errors that come again: a table per metric, dataset and model."""
    groups: dict[tuple[str, str | None, str], list[TypicalError]] = {}
    for row in scores.typical_errors:
        groups.setdefault((row.metric, row.dataset, row.model), []).append(row)
    return [
        Table(
            caption=f"Typical errors of {model} · {set_title(metric, dataset, None)}",
            note="what was said with the sound, where the answer without it was right → what is right; the "
            f"most frequent {ERRORS_SHOWN}, and their share of all answers that were lost",
            first="Given → right",
            columns=(Column("Answers"), Column("Share of lost"), Column("Mostly of type")),
            rows=tuple(_errors(rows)),
            empty=numerals.MISSING,
        )
        for (metric, dataset, model), rows in groups.items()
    ]


def against_title(against: str) -> str:
    """An arm without the sound in words.

    >>> against_title("mute_audio"), against_title("base/full")
    ('audio muted', 'base')
    """
    return against.removesuffix("/full") if "/" in against else condition_title(against)


def _sets(scores: Scores) -> Iterator[tuple[_Set, list[HurtRow]]]:
    """The rows of each model; of several seeds that have rows together, only these."""
    groups: dict[_Set, list[HurtRow]] = {}
    for row in scores.hurts:
        groups.setdefault((row.metric, row.dataset, row.seed, row.model), []).append(row)
    for key, rows in groups.items():
        metric, dataset, seed, model = key
        if seed is None or (metric, dataset, None, model) not in groups:
            yield key, rows


def _title(key: _Set) -> str:
    return set_title(*key[:3]) + (" · over seeds" if key[2] is None else "")


def _cut(rows: Sequence[HurtRow]) -> list[HurtRow]:
    """All slices but types, and the types that lose most."""
    types = [row for row in rows if row.slice.startswith("type:")]
    return [row for row in rows if row not in types] + types[:TYPES_SHOWN]


def hurt_table(key: _Set, rows: Sequence[HurtRow]) -> Table:
    arms = list(dict.fromkeys(row.against for row in rows))
    by_place = {(row.slice, row.against): row for row in rows}
    shown = list(dict.fromkeys(row.slice for row in _cut([r for r in rows if r.against == arms[0]])))
    left_out = len({row.slice for row in rows}) - len(shown)
    more = f"; {numbers.count(left_out, 'type')} that lose less are in scores.json" if left_out else ""
    level = numbers.percent(rows[0].confidence, 0)
    return Table(
        caption=f"{key[3]} · {_title(key)}",
        note=f"net: gained − lost, in percentage points of the answers; in brackets, the {level} % interval; "
        f"Holm: p adjusted over the question types of a column; the types that lose most come first{more}",
        first="With the sound, against",
        columns=tuple(Column(against_title(name), name) for name in arms),
        rows=tuple(
            Row(
                slice_title(name),
                tuple(_cell(by_place.get((name, arm))) for arm in arms),
                group="By question type" if name.startswith("type:") else "",
            )
            for name in shown
        ),
    )


def _cell(row: HurtRow | None) -> Cell | None:
    if row is None or row.net is None:
        return None
    low, high = numbers.points(row.ci_low), numbers.points(row.ci_high)
    lines = [f"{numbers.count(row.gained)} gained, {numbers.count(row.lost)} lost of {numbers.count(row.n)}"]
    if row.why_not:
        lines.append(f"interval not measured: {row.why_not}")
    if row.holm_p is not None:
        lines.append(f"Holm p {numerals.p_value(row.holm_p)}")
    tone = ""
    if row.ci_low is not None and row.ci_high is not None:
        tone = "bad" if row.ci_high < 0 else "good" if row.ci_low > 0 else ""
    return Cell(numbers.share_points(row.net), numbers.interval(low, high), tuple(lines), tone=tone)


def _errors(rows: Sequence[TypicalError]) -> Iterator[Row]:
    for against in dict.fromkeys(row.against for row in rows):
        own = [row for row in rows if row.against == against]
        group = f"Against {against_title(against)}, {numbers.count(own[0].lost)} lost"
        for row in own[:ERRORS_SHOWN]:
            cells = (
                Cell(numbers.count(row.count)),
                Cell(numbers.share(row.share)),
                Cell(row.question_type) if row.question_type else None,
            )
            yield Row(f"{row.given} → {row.right}", cells, group=group)


def hurt_chart(rows: Sequence[HurtRow], link: HurtLink | None = None) -> str:
    """The bars of one set of rows, and the point of what is left of both."""
    import altair as alt

    titles = [slice_title(row.slice) for row in rows]
    bars = [
        {"label": slice_title(row.slice), "value": sign * count / row.n, "colour": colour}
        | fields_of(link and link(row, sign > 0))
        for row in rows
        for sign, count, colour in ((1, row.gained, ACCENT), (-1, row.lost, REST))
    ]
    nets = [
        {
            "label": slice_title(row.slice),
            "value": row.net,
            "low": row.net if row.ci_low is None else row.ci_low,
            "high": row.net if row.ci_high is None else row.ci_high,
        }
        for row in rows
    ]
    far = max(abs(float(mark[name] or 0)) for mark in nets for name in ("low", "high"))
    far = max(far, *(abs(float(str(bar["value"]))) for bar in bars))
    axis = alt.Axis(labelExpr=_PERCENT, tickCount=5)
    x = alt.X("value:Q", title=None, scale=alt.Scale(domain=[-far, far]), axis=axis)
    y = alt.Y("label:N", sort=titles, title=None, axis=alt.Axis(labelLimit=150))
    low = x.copy()
    low.shorthand = "low:Q"
    point = alt.Chart(data_of(nets))
    return svg_of(
        alt.layer(
            alt.Chart(data_of(bars))
            .mark_bar(opacity=0.55, height=13)
            .encode(x=x, y=y, color=alt.Color("colour:N", scale=None), **leading(bars)),
            point.mark_rule(strokeWidth=2, color=INK).encode(x=low, x2=alt.X2("high:Q"), y=y),
            point.mark_point(filled=True, size=50, opacity=1, color=INK).encode(x=x, y=y),
        ).properties(width=PLOT_WIDTH, height=ROW_HEIGHT * len(rows)),
        links_of(bars),
    )

"""Explanation charts: shares by question type, deletion and insertion, and attention by layer, as SVG."""

from typing import Any

from safe_eval.report.charts import ACCENT, INK, REST, SOFT, data_of, svg_of
from safe_eval.report.explanation import Explanation
from safe_eval.report.explanation_tables import METHODS, PLAYERS
from safe_eval.report.labels import slice_title

WIDTH, HEIGHT, ROW = 330, 180, 22  # pixels
_COLOURS = {"words": REST, "picture": INK, "sound": ACCENT}
_PERCENT = "round(datum.value * 100) + ' %'"


def explanation_charts(found: Explanation) -> list[dict[str, str]]:
    """The charts, each with its title, its caption and the name of its file."""
    drawn = [_shares(found, "shapley"), _shares(found, "shapley given the words"), _heads(found)]
    return [chart for chart in [*drawn, _curves(found), _stages(found)] if chart["svg"]]


def _shares(found: Explanation, method: str) -> dict[str, str]:
    """A bar for each slice, divided among words, picture and sound."""
    import altair as alt

    rows = [
        {
            "slice": slice_title(row.slice),
            "player": row.player,
            "at": number,
            "share": row.share.value,
            "colour": _COLOURS.get(row.player, SOFT),
        }
        for number, row in enumerate(found.attribution)
        if row.method == method
    ]
    slices = list(dict.fromkeys(str(row["slice"]) for row in rows))
    players = list(dict.fromkeys(str(row["player"]) for row in rows))
    axis = alt.Axis(labelExpr=_PERCENT, tickCount=5)
    x = alt.X("share:Q", title=None, stack="zero", scale=alt.Scale(domain=[0, 1]), axis=axis)
    y = alt.Y("slice:N", sort=slices, title=None)
    bars = alt.Chart(data_of(rows)).mark_bar(height=13)
    colour = alt.Color("colour:N", scale=None)
    svg = svg_of(
        bars.encode(x=x, y=y, color=colour, order=alt.Order("at:Q")).properties(
            width=WIDTH, height=ROW * len(slices)
        )
    )
    names = {REST: "grey", INK: "dark", ACCENT: "green"}
    key = ", ".join(f"{PLAYERS[p].lower()} {names[_COLOURS[p]]}" for p in players if p in _COLOURS)
    return {
        "svg": svg if rows else "",
        "title": f"What answers rest on: {METHODS[method]}",
        "caption": f"Mean shares of the absolute values: {key}.",
        "file": f"shares_{'given_words' if 'words' in method else 'all'}.svg",
    }


def _heads(found: Explanation) -> dict[str, str]:
    """What each layer adds on questions about sounds and about pictures, with intervals."""
    import altair as alt

    wanted = [name for name in ("audio", "vl", "all") if any(r.slice == name for r in found.attention)][:2]
    rows: list[dict[str, Any]] = []
    for row in found.attention:
        if row.head is None and row.slice in wanted:
            added = row.added
            rows.append(
                {
                    "layer": str(row.layer),
                    "slice": slice_title(row.slice),
                    "value": added.value,
                    "low": added.value if added.low is None else added.low,
                    "high": added.value if added.high is None else added.high,
                    "colour": ACCENT if row.slice == wanted[0] else INK,
                }
            )
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    x = alt.X("layer:N", sort=layers, title="fused layer", axis=alt.Axis(labelAngle=0))
    y = alt.Y("value:Q", title="added, by the length of the state", scale=alt.Scale(zero=True))
    of, detail = alt.Color("colour:N", scale=None), alt.Detail("slice:N")
    low = y.copy()
    low.shorthand = "low:Q"
    chart = alt.Chart(data_of(rows))
    last = alt.Chart(data_of([row for row in rows if row["layer"] == layers[-1]] if layers else []))
    svg = svg_of(
        alt.layer(
            chart.mark_line(strokeWidth=1.5).encode(x=x, y=y, color=of, detail=detail),
            chart.mark_rule(strokeWidth=2, opacity=0.5).encode(x=x, y=low, y2="high:Q", color=of),
            chart.mark_point(filled=True, size=45, opacity=1).encode(x=x, y=y, color=of),
            last.mark_text(align="left", dx=9, fontSize=11).encode(x=x, y=y, text="slice:N", color=of),
        ).properties(width=WIDTH, height=HEIGHT)
    )
    return {
        "svg": svg if rows else "",
        "title": "What cross-attention adds",
        "caption": "Where the first token of the answer is chosen. Attention is no explanation: see below.",
        "file": "added.svg",
    }


def _curves(found: Explanation) -> dict[str, str]:
    """The probability of the answer as units are left out and put in."""
    import altair as alt

    strips = []
    for kind, title in (
        ("deletion", "Left out from the first on"),
        ("insertion", "Put in from the first on"),
    ):
        rows: list[dict[str, Any]] = [
            {
                "moved": place / (len(curve.values) - 1),
                "value": value,
                "order": "by its map" if curve.order == "attributed" else "at random",
                "colour": ACCENT if curve.order == "attributed" else REST,
            }
            for curve in found.curves
            if curve.kind == kind
            for place, value in enumerate(curve.values)
        ]
        if not rows:
            continue
        axis = alt.Axis(labelExpr=_PERCENT, tickCount=5, grid=False)
        x = alt.X("moved:Q", title="share of words, patches and sounds", axis=axis)
        y = alt.Y("value:Q", title="probability of the answer", scale=alt.Scale(domain=[0, 1]))
        of, detail = alt.Color("colour:N", scale=None), alt.Detail("order:N")
        names = [row for row in rows if abs(row["moved"] - 0.3) < 0.01]
        chart, text = alt.Chart(data_of(rows)), alt.Chart(data_of(names))
        strips.append(
            alt.layer(
                chart.mark_line(strokeWidth=2).encode(x=x, y=y, color=of, detail=detail),
                text.mark_text(align="left", dx=4, dy=-9, fontSize=11).encode(
                    x=x, y=y, text="order:N", color=of
                ),
            ).properties(width=WIDTH, height=HEIGHT, title=title)
        )
    return {
        "svg": svg_of(alt.vconcat(*strips, spacing=18)) if strips else "",
        "title": "Deletion and insertion",
        "caption": "A map that ranks well falls faster and rises sooner than a random order.",
        "file": "curves.svg",
    }


def _stages(found: Explanation) -> dict[str, str]:
    """Rank correlation with the whole model's maps as weights are shuffled from the top."""
    import altair as alt

    rows = [
        {
            "stage": row.stage,
            "value": row.correlation.value,
            "low": row.correlation.value if row.correlation.low is None else row.correlation.low,
            "high": row.correlation.value if row.correlation.high is None else row.correlation.high,
        }
        for row in found.shuffled
        if "picture" in row.map
    ]
    stages = [str(row["stage"]) for row in rows]
    x = alt.X("value:Q", title="rank correlation", scale=alt.Scale(domain=[-1, 1]))
    y = alt.Y("stage:N", sort=stages, title=None)
    low = x.copy()
    low.shorthand = "low:Q"
    chart = alt.Chart(data_of(rows))
    svg = svg_of(
        alt.layer(
            chart.mark_rule(strokeWidth=2.5, opacity=0.5, color=ACCENT).encode(x=low, x2="high:Q", y=y),
            chart.mark_point(filled=True, size=60, opacity=1, color=ACCENT).encode(x=x, y=y),
        ).properties(width=WIDTH, height=ROW * max(len(rows), 1))
    )
    return {
        "svg": svg if rows else "",
        "title": "Weights shuffled from the top",
        "caption": "Maps of words, picture and sound against those of the whole model; 1 is the same map.",
        "file": "shuffled.svg",
    }

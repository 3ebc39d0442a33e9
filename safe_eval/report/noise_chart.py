"""The noise curve as a chart: what is left of hearing, from the clean sound to none, one strip per model."""

from collections.abc import Iterator, Sequence

from safe_eval.report.charts import ACCENT, INK, PLOT_WIDTH, VALUE_WIDTH, data_of, svg_of
from safe_eval.report.labels import Models, set_title
from safe_eval.report.units import unit_of
from safe_eval.results.noise_curve import CLEAN, NoiseRow
from safe_eval.scoring.scores import Scores

LEAST_LEVELS = 2  # of noise; a single one is in the tables of accuracies

_HEIGHT = 110  # pixels of a strip
_PERCENT = "round(datum.value * 100) + ' %'"


def noise_charts(scores: Scores, models: Models, most: int) -> list[dict[str, str]]:
    """A chart for each metric, dataset and seed with noise at several levels, at most so many."""
    keys = dict.fromkeys((row.metric, row.dataset, row.seed) for row in scores.noise_curve)
    drawn: list[dict[str, str]] = []
    for key in keys:
        curves = list(_curves([r for r in scores.noise_curve if (r.metric, r.dataset, r.seed) == key]))
        if curves and len(drawn) < most:
            caption = (
                f"Questions about the sound. {set_title(*key)}. The lines are "
                f"{curves[0][0].confidence:.0%} intervals.".replace("%", " %")
            )
            drawn.append({"svg": _chart(curves, models), "title": "Hearing in noise", "caption": caption})
    return drawn


def level_title(row: NoiseRow) -> str:
    """A level of noise as an axis names it."""
    if row.snr_db is None:
        return "clean" if row.condition == CLEAN else "no sound"
    return f"{row.snr_db} dB".replace("-", "−")


def _curves(rows: Sequence[NoiseRow]) -> Iterator[list[NoiseRow]]:
    """The rows of each model that answered at several levels of noise."""
    for model in dict.fromkeys(row.model for row in rows):
        own = [row for row in rows if row.model == model]
        if sum(row.snr_db is not None for row in own) >= LEAST_LEVELS:
            yield own


def _chart(curves: Sequence[Sequence[NoiseRow]], models: Models) -> str:
    import altair as alt

    strips = []
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
            for row in rows
        ]
        levels = [level_title(row) for row in rows]
        x = alt.X("level:N", sort=levels, title=None, axis=alt.Axis(labelAngle=0))
        scale = alt.Scale(domain=[0, 1])
        axis = alt.Axis(labelExpr=_PERCENT, values=[0, 0.5, 1], grid=False)
        y = alt.Y("value:Q", title=None, scale=scale, axis=axis)
        colour = INK if rows[0].model == models.baseline else ACCENT
        chart = alt.Chart(data_of(marks)).encode(x=x, y=y)
        between = alt.Chart(data_of(marks)).encode(x=x, y=alt.Y("low:Q", title=None), y2="high:Q")
        strips.append(
            alt.layer(
                between.mark_rule(strokeWidth=2.5, opacity=0.5, color=colour),
                chart.mark_line(color=colour, opacity=0.5),
                chart.mark_point(filled=True, size=45, opacity=1, color=colour),
                chart.mark_text(dy=-12, dx=20, color=INK, fontSize=11).encode(text="text:N"),
            ).properties(width=PLOT_WIDTH + VALUE_WIDTH, height=_HEIGHT, title=rows[0].model)
        )
    return svg_of(alt.vconcat(*strips, spacing=18))

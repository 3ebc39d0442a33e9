"""Seeds: how far the seeds of a model lie apart, and the items that every seed gets wrong."""

from collections.abc import Iterator, Sequence
from typing import Any

from safe_eval.report import numbers
from safe_eval.report.accuracy import is_accuracy
from safe_eval.report.chart_links import fields_of, links_of
from safe_eval.report.charts import ACCENT, INK, REST, at, data_of, label_width, strip, svg_of
from safe_eval.report.labels import SLICES, Models, arm_key, noun_of, set_title, slice_title
from safe_eval.report.table import Cell, Column, Row, Table
from safe_eval.report.units import unit_of
from safe_eval.results.metrics import without_repeats
from safe_eval.results.seeds import SeedRow
from safe_eval.scoring.scores import Scores
from safe_eval.viewer.links import FULL, About, Links, Place

FIELDS = (
    *("metric", "dataset", "slice", "model", "condition", "seeds", "means", "mean", "std", "noise_std"),
    *("seed_std", "seed_std_high", "ci_low", "ci_high", "confidence", "n", "clusters"),
    *("always_right", "always_wrong", "mixed"),
)
_PERCENT = "round(datum.value * 100) + ' %'"

Set = tuple[str, str | None]  # metric and dataset


def seed_sets(scores: Scores) -> Iterator[tuple[Set, list[SeedRow]]]:
    """The accuracies over seeds of each metric and dataset, on the slices VL, audio and all."""
    rows = without_repeats(scores.seeds, ("metric", "dataset", "model", "condition"))
    rows = [row for row in rows if is_accuracy(row.metric) and row.slice in SLICES]
    for key in dict.fromkeys((row.metric, row.dataset) for row in rows):
        yield key, [row for row in rows if (row.metric, row.dataset) == key]


def seed_chart(rows: Sequence[SeedRow], models: Models, links: Links) -> str:
    """A strip per slice: the mean of each model with its interval, and its seeds as small points."""
    import altair as alt

    titles = list(dict.fromkeys(models.title(row.model, row.condition) for row in rows))
    width, strips, opened = label_width(titles), [], dict[str, str]()
    for name in (name for name in SLICES if any(row.slice == name for row in rows)):
        own = [row for row in rows if row.slice == name]
        marks = [_mark(row, models) | fields_of(_wrong_in_all(row, links)) for row in own]
        opened |= links_of(marks)
        axis = alt.Axis(labelExpr=_PERCENT, values=[0, 0.25, 0.5, 0.75, 1])
        x = alt.X(scale=alt.Scale(domain=[0, 1]), axis=axis)
        y = alt.Y("label:N", sort=titles, title=None, axis=alt.Axis(minExtent=width, labelLimit=width - 18))
        each = alt.Chart(data_of(_each(own, models))).mark_tick(color=REST, thickness=2, size=16)
        below = [each.encode(x=at(x, "value"), y=y)]
        strips.append(strip(slice_title(name, noun_of(own[0].metric)), marks, x, y, len(own), below=below))
    return svg_of(alt.vconcat(*strips, spacing=18), opened)


def _mark(row: SeedRow, models: Models) -> dict[str, Any]:
    colour = REST if row.condition != FULL else INK if row.model == models.baseline else ACCENT
    return {
        "label": models.title(row.model, row.condition),
        "value": row.mean,
        "low": row.mean if row.ci_low is None else row.ci_low,
        "high": row.mean if row.ci_high is None else row.ci_high,
        "text": unit_of(row.metric).write(row.mean),
        "colour": colour,
    }


def _each(rows: Sequence[SeedRow], models: Models) -> list[dict[str, Any]]:
    return [
        {"label": models.title(row.model, row.condition), "value": mean} for row in rows for mean in row.means
    ]


def _wrong_in_all(row: SeedRow, links: Links) -> Any:
    places = [Place(row.model, row.condition, seed) for seed in row.seeds]
    return links.wrong_in_all(places, About(row.slice, row.metric, row.dataset))


def seed_table(key: Set, rows: Sequence[SeedRow], models: Models, links: Links) -> Table:
    """A row per model, condition and slice: the mean, each seed, and the items wrong in every seed."""
    unit, level = unit_of(key[0]), numbers.percent(rows[0].confidence, 0)
    seeds = list(dict.fromkeys(seed for row in rows for seed in row.seeds))
    return Table(
        caption=set_title("Over seeds", f"{key[0]} · {key[1]}" if key[1] else key[0], None),
        note=f"{unit.name}; mean ± standard deviation of the seeds; in brackets, the {level} % interval over "
        "clusters and seeds at once",
        first="Model and condition",
        columns=(
            Column("Mean ± std"),
            Column("Wrong in every seed", detail="items"),
            Column("Right in some seeds only", detail="items"),
            *(Column(f"Seed {seed}") for seed in seeds),
        ),
        rows=tuple(
            Row(
                models.title(row.model, row.condition),
                (_mean(row), _always_wrong(row, links), _mixed(row), *(_seed(row, s, links) for s in seeds)),
                detail=arm_key(row.model, row.condition),
                group=f"{slice_title(row.slice, noun_of(row.metric))} · {numbers.count(row.n, 'item')}",
            )
            for row in sorted(rows, key=lambda row: list(SLICES).index(row.slice))
        ),
        empty="–",
    )


def _mean(row: SeedRow) -> Cell:
    unit = unit_of(row.metric)
    value = f"{unit.write(row.mean).removesuffix(' %')} ± {numbers.percent(row.std)} %"
    lines: tuple[str, ...] = ()
    if row.seed_std is not None and row.seed_std_high is not None:
        spread = f"{numbers.percent(row.seed_std)} %, at most {numbers.percent(row.seed_std_high)} %"
        lines = (f"of training alone {spread}",)
    return Cell(value, unit.interval(row.ci_low, row.ci_high), lines)


def _always_wrong(row: SeedRow, links: Links) -> Cell | None:
    if row.always_wrong is None:
        return None
    link = _wrong_in_all(row, links)
    return Cell(numbers.count(row.always_wrong), href=link.href if link else "")


def _mixed(row: SeedRow) -> Cell | None:
    return None if row.mixed is None else Cell(numbers.count(row.mixed))


def _seed(row: SeedRow, seed: int, links: Links) -> Cell | None:
    if seed not in row.seeds:
        return None
    link = links.wrong(Place(row.model, row.condition, seed), About(row.slice, row.metric, row.dataset))
    value = unit_of(row.metric).write(row.means[row.seeds.index(seed)])
    return Cell(value, href=link.href if link else "")

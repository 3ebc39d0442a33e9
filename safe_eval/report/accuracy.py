"""The accuracies of the page: numbers of scores.json laid out as tables."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from safe_data.core.numerals import MISSING
from safe_eval.report import numbers
from safe_eval.report.labels import (
    SLICES,
    Models,
    arm_key,
    condition_order,
    condition_title,
    noun_of,
    set_title,
    slice_title,
    slices_in_order,
)
from safe_eval.report.table import Cell, Column, Row, Table
from safe_eval.report.units import Unit, unit_of
from safe_eval.results.metrics import Metric, without_repeats
from safe_eval.results.priors import PriorRow
from safe_eval.results.shrinkage import ShrinkageRow
from safe_eval.scorers.scorer import ANSWER_METRICS
from safe_eval.scoring.scores import Scores

Arm = tuple[str, str]  # model and condition
WITHOUT = "without picture and sound"
SHRUNKEN = (
    "drawn toward the mean of the types by what chance explains, for reading only; no criterion judges it"
)


@dataclass(frozen=True)
class Panel:
    """The accuracies of one metric, dataset and seed: of every model, arm by arm."""

    title: str
    metric: str
    models: Models
    arms: tuple[Arm, ...]
    slices: tuple[str, ...]
    found: dict[tuple[str, Arm], Metric]  # by slice and arm
    shrunken: dict[tuple[str, Arm], ShrinkageRow] = field(default_factory=dict)  # by slice and arm
    priors: tuple[PriorRow, ...] = ()  # of replies without picture and sound, on the same questions

    @property
    def unit(self) -> Unit:
        """In percent."""
        return unit_of(self.metric)

    @property
    def main_slices(self) -> tuple[str, ...]:
        """The slices VL, audio and all, as far as they differ."""
        return tuple(name for name in self.slices if name in SLICES)

    @property
    def types(self) -> tuple[str, ...]:
        """All other slices: question types, and what a benchmark adds."""
        return tuple(name for name in self.slices if name not in SLICES)

    @property
    def note(self) -> str:
        """The unit, and what stands in brackets."""
        metrics = list(self.found.values())
        kinds = dict.fromkeys(metric.interval for metric in metrics if metric.interval)
        if not kinds:
            return f"{self.unit.name}; no interval could be computed"
        level = numbers.percent(metrics[0].confidence, 0)
        return f"{self.unit.name}; in brackets, the {level} % interval ({' or '.join(kinds)})"


def is_accuracy(metric: str) -> bool:
    """Whether a metric says of single answers how right they are, which the page shows first."""
    return metric in ANSWER_METRICS


def panels(scores: Scores, models: Models) -> tuple[Panel, ...]:
    """One panel per accuracy metric, dataset and seed, with the baseline."""
    accuracies = [metric for metric in scores.metrics if is_accuracy(metric.metric)]
    rows = without_repeats(accuracies, ("metric", "dataset", "seed", "model", "condition"))
    found = []
    for key in dict.fromkeys((m.metric, m.dataset, m.seed) for m in rows):
        own = [m for m in rows if (m.metric, m.dataset, m.seed) == key]
        if all(m.model == models.baseline for m in own) and _beside_another(rows, own[0]):
            continue
        shown = set(map(id, [*_baseline_rows(rows, own[0], models), *own]))
        panel = _panel(set_title(*key), [row for row in rows if id(row) in shown], models)
        priors = tuple(row for row in scores.priors if (row.metric, row.dataset) == key[:2])
        found.append(replace(panel, priors=priors, shrunken=_shrunken(scores, panel)))
    return tuple(found)


def _shrunken(scores: Scores, panel: Panel) -> dict[tuple[str, Arm], ShrinkageRow]:
    """The shrunken values of the numbers in a panel, some of which may be another seed's."""
    found = {}
    for row in scores.shrinkage:
        shown = panel.found.get((row.slice, (row.model, row.condition)))
        if shown and (shown.metric, shown.dataset, shown.seed) == (row.metric, row.dataset, row.seed):
            found[row.slice, (row.model, row.condition)] = row
    return found


def _beside_another(rows: Sequence[Metric], baseline: Metric) -> bool:
    """Whether the baseline's only seed stands in the panels of another model."""
    same = [m for m in rows if (m.metric, m.dataset) == (baseline.metric, baseline.dataset)]
    seeds = {m.seed for m in same if m.model == baseline.model}
    return len(seeds) == 1 and any(m.model != baseline.model for m in same)


def main_table(panel: Panel) -> Table:
    """A row per arm and a column per slice; for models as equals, a column each and a row per condition."""
    return _models_side_by_side(panel) if panel.models.equals else _arms_by_slice(panel)


def _arms_by_slice(panel: Panel) -> Table:
    sizes = {name: _same_size(panel, name, panel.arms) for name in panel.main_slices}
    rows = [
        Row(
            panel.models.title(*arm),
            tuple(_cell(panel, name, arm, sizes[name]) for name in sizes),
            detail=arm_key(*arm),
        )
        for arm in panel.arms
    ]
    titles = {name: slice_title(name, noun_of(panel.metric)) for name in sizes}
    return Table(
        caption=panel.title,
        note=panel.note,
        first="Model and condition",
        columns=tuple(Column(titles[name], detail=size) for name, size in sizes.items()),
        rows=(*(row for row in rows if any(row.cells)), *_prior_rows(panel, tuple(sizes))),
        empty=MISSING,
    )


def _prior_rows(panel: Panel, slices: Sequence[str]) -> Iterator[Row]:
    """A row for the best constant reply and one for the question-only prior, with which to compare."""
    for name in dict.fromkeys(row.name for row in panel.priors):
        of_slice = {row.slice: row for row in panel.priors if row.name == name}
        cells = tuple(_prior_cell(panel, of_slice.get(slice_name)) for slice_name in slices)
        reasons = dict.fromkeys(row.why_not for row in of_slice.values() if row.why_not)
        detail = f"not measured: {'; '.join(reasons)}" if reasons else WITHOUT
        yield Row(name, cells, detail=detail, group="For comparison")


def _prior_cell(panel: Panel, row: PriorRow | None) -> Cell | None:
    if row is None or row.value is None:
        return None
    unit = panel.unit
    lines = () if row.reply is None else (f"“{row.reply}”",)
    return Cell(unit.write(row.value), unit.interval(row.ci_low, row.ci_high), lines)


def _models_side_by_side(panel: Panel) -> Table:
    models = list(dict.fromkeys(model for model, _ in panel.arms))
    conditions = sorted({condition for _, condition in panel.arms}, key=condition_order)
    rows = []
    for name in panel.main_slices:
        same = _same_size(panel, name, panel.arms)
        title = slice_title(name, noun_of(panel.metric))
        for condition in conditions:
            cells = tuple(_cell(panel, name, (model, condition), same) for model in models)
            if any(cells) and len(conditions) == 1:
                rows.append(Row(title, cells, detail=same))
            elif any(cells):
                group = f"{title} · {same}" if same else title
                rows.append(Row(condition_title(condition), cells, group=group))
    for prior in _prior_rows(panel, panel.main_slices):
        for name, cell in zip(panel.main_slices, prior.cells, strict=True):
            title = f"{prior.label} · {slice_title(name, noun_of(panel.metric))}"
            rows.append(replace(prior, label=title, cells=(cell,) * len(models)))
    return Table(
        caption=panel.title,
        note=panel.note,
        first="Slice" if len(conditions) == 1 else "Slice and condition",
        columns=tuple(map(Column, models)),
        rows=tuple(rows),
        empty=MISSING,
    )


def slice_table(panel: Panel, slices: Sequence[str], arms: Sequence[Arm]) -> Table:
    """A row per slice, and a column per arm."""
    rows = []
    for name in slices:
        same = _same_size(panel, name, arms)
        cells = tuple(_cell(panel, name, arm, same) for arm in arms)
        rows.append(Row(slice_title(name, noun_of(panel.metric)), cells, detail=same))
    columns = tuple(Column(panel.models.title(*arm), arm_key(*arm)) for arm in arms)
    note = panel.note
    if any(row.shrunken is not None for row in panel.shrunken.values()):
        note += f"; shrunken: {SHRUNKEN}"
    return Table(panel.title, note, "Question type", columns, tuple(rows))


def _baseline_rows(rows: Iterable[Metric], one: Metric, models: Models) -> list[Metric]:
    """The baseline's rows of the same seed, or of its only seed."""
    about = (models.baseline, one.metric, one.dataset)
    same = [m for m in rows if (m.model, m.metric, m.dataset) == about]
    seeds = {m.seed for m in same}
    return [m for m in same if m.seed == one.seed or len(seeds) == 1]


def _panel(title: str, metrics: Sequence[Metric], models: Models) -> Panel:
    return Panel(
        title=title,
        metric=metrics[0].metric,
        models=models,
        arms=_arms(metrics),
        slices=tuple(slices_in_order(metric.slice for metric in metrics)),
        found={(m.slice, (m.model, m.condition)): m for m in metrics},
    )


def _arms(metrics: Sequence[Metric]) -> tuple[Arm, ...]:
    models = list(dict.fromkeys(m.model for m in metrics))
    arms = {(m.model, m.condition) for m in metrics}
    return tuple(sorted(arms, key=lambda arm: (models.index(arm[0]), condition_order(arm[1]))))


def _cell(panel: Panel, name: str, arm: Arm, same_size: str) -> Cell | None:
    metric = panel.found.get((name, arm))
    if metric is None:
        return None
    unit = panel.unit
    lines = () if same_size else (_size(metric),)
    shrunken = panel.shrunken.get((name, arm))
    if shrunken is not None and shrunken.shrunken is not None:
        within = unit.interval(shrunken.ci_low, shrunken.ci_high)
        lines = (*lines, f"shrunken {unit.write(shrunken.shrunken)}", within)
    return Cell(unit.write(metric.value), unit.interval(metric.ci_low, metric.ci_high), lines)


def _same_size(panel: Panel, name: str, arms: Sequence[Arm]) -> str:
    """The number of items of a slice, if all arms have the same; else empty, and each cell has its own."""
    sizes = {_size(panel.found[name, arm]) for arm in arms if (name, arm) in panel.found}
    return sizes.pop() if len(sizes) == 1 else ""


def _size(metric: Metric) -> str:
    text = f"{numbers.count(metric.n, 'item')} in {numbers.count(metric.clusters, 'cluster')}"
    effective = round(metric.effective_clusters)
    return text if effective == metric.clusters else f"{text}, {numbers.count(effective)} effective"

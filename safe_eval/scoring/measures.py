"""Measures: what a benchmark's own script says of each cell beside its accuracy, or why it says nothing."""

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from safe_data.errors import InputError
from safe_eval.predictions import Prediction
from safe_eval.scorers import CAPTION_METRICS, classification, gqa, judges
from safe_eval.scorers.measure import Measure
from safe_eval.scoring.cells import Cell, CellKey, cell_key, cluster_field
from safe_eval.statistics import Labels, Sampling
from safe_eval.tables import numerals

if TYPE_CHECKING:
    from safe_eval.scoring.scores import Scores

# Which measures each metric has; accuracies and recalls are slices of the metric too.
MEASURES: dict[str, Callable[[Sequence[Prediction], Labels, Sampling], list[Measure]]] = {
    "gqa_accuracy": gqa.measures,
    "accuracy": classification.measures,
}
# Those that are no slice of a metric, and which one they belong to: tables show them, criteria ask for them.
OWN_MEASURES = {
    **dict.fromkeys(("consistency", "validity", "plausibility", "distribution"), "gqa_accuracy"),
    "balanced_accuracy": "accuracy",
}
WITHOUT_INTERVAL = "distribution"  # see `gqa.measures`
CAPTIONS = "captions"  # what stands for a metric where captions could not be measured
_COLUMNS, _CELL, _NAME = 80, 19, 17  # columns of a line, of "safe/mute_audio", of "balanced_accuracy"


class MeasureRow(Measure, frozen=True, kw_only=True):
    """One measure of one model under one condition."""

    metric: str
    dataset: str | None
    seed: int
    model: str
    condition: str


def measure_rows(predictions: Sequence[Prediction], sampling: Sampling) -> Iterator[MeasureRow]:
    """The measures of every cell whose metric has any, with intervals over the clusters of all predictions.

    Raises:
        InputError: metadata that is not as its scorer reads it, or clusters given in some rows only.
    """
    field = cluster_field(predictions)
    for metric, measures in MEASURES.items():
        by_key: dict[CellKey, list[Prediction]] = {}
        for row in predictions:
            if judges(metric, row):
                by_key.setdefault(cell_key(row), []).append(row)
        for key in sorted(by_key, key=lambda key: key.order):
            rows = sorted(by_key[key], key=lambda row: row.example_id)
            _, clusters = np.unique([getattr(row, field) for row in rows], return_inverse=True)
            try:
                found = measures(rows, clusters, sampling)
            except (AttributeError, TypeError) as error:
                raise InputError(
                    f"{key.name}: the metadata are not as {metric} reads them ({error}); spell them as in "
                    "the benchmark's own files"
                ) from None
            yield from (_row(metric, key, measure) for measure in found)


def unmeasured_captions(
    cells: Mapping[str, Sequence[Cell]], not_measured: Mapping[str | None, Mapping[str, str]]
) -> Iterator[MeasureRow]:
    """The caption metrics that a dataset has no values of, for each of its cells."""
    keys = {cell.key: None for found in cells.values() for cell in found}
    for key in keys:
        reasons = not_measured.get(key.dataset, {})
        for metric in CAPTION_METRICS:
            if metric in reasons:
                yield _row(CAPTIONS, key, Measure(name=metric, value=None, n=0, why_not=reasons[metric]))


def measure_lines(scores: "Scores") -> Iterator[str]:
    """The measures that are no slice of a metric, a line each; those not measured with the reason.

    What is not measured for the same reasons with every seed is said once, without the seed.
    """
    shown = [row for row in scores.measures if row.name in OWN_MEASURES or row.metric == CAPTIONS]
    for metric, dataset in dict.fromkeys((row.metric, row.dataset) for row in shown):
        by_seed: dict[int, list[MeasureRow]] = {}
        for row in shown:
            if (row.metric, row.dataset) == (metric, dataset):
                by_seed.setdefault(row.seed, []).append(row)
        about = metric if dataset is None else f"{metric} on {dataset}"
        what = "not measured" if metric == CAPTIONS else "other measures"
        reasons = {seed: list(_unmeasured(own)) for seed, own in by_seed.items()}
        first, *others = reasons.values()
        alike = bool(others) and all(other == first for other in others)
        for seed, own in by_seed.items():
            lines = [*_measured(own), *([] if alike else reasons[seed])]
            if lines:
                yield from ("", f"{about}, seed {seed}: {what}", *lines)
        if alike and first:
            yield from ("", f"{about}: {what}", *first)


def _measured(rows: Sequence[MeasureRow]) -> Iterator[str]:
    measured = [row for row in rows if row.value is not None]
    if not measured:
        return
    yield f"  {'':<{_CELL}} {'measure':<{_NAME}}   value  interval             n clusters"
    shown = ""
    for row in measured:
        cell = f"{row.model}/{row.condition}"
        has_none = row.name == WITHOUT_INTERVAL
        interval = numerals.MISSING if has_none else numerals.interval(row.ci_low, row.ci_high)
        clusters = numerals.MISSING if row.clusters is None else row.clusters
        yield (
            f"  {numerals.cut(cell, _CELL) if cell != shown else '':<{_CELL}} {row.name:<{_NAME}} "
            f"{numerals.fraction(row.value):>7}  {interval:<14}{row.n:>7}{clusters:>9}"
        )
        shown = cell


def _unmeasured(rows: Sequence[MeasureRow]) -> Iterator[str]:
    """The names that share a reason on one line; the reasons of captions stand in the notes."""
    by_reason: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.value is None:
            told = "the notes say why" if row.metric == CAPTIONS else f"not measured: {row.why_not}"
            by_reason.setdefault(told, {})[row.name] = None
    for told, names in by_reason.items():
        text = f"{', '.join(names)}; {told}"
        yield from textwrap.wrap(text, _COLUMNS, initial_indent="  ", subsequent_indent="    ")


def _row(metric: str, key: CellKey, measure: Measure) -> MeasureRow:
    return MeasureRow(**msgspec.structs.asdict(measure), metric=metric, **key._asdict())

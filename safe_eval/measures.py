"""Measures: what a benchmark's own script says of each cell beside its accuracy, or why it says nothing."""

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from safe_data.errors import InputError
from safe_eval import numerals
from safe_eval.cells import Cell, CellKey, cell_key, cluster_field, is_judged
from safe_eval.predictions import Prediction
from safe_eval.scorers import CAPTION_METRICS, classification, gqa
from safe_eval.scorers.measure import Measure
from safe_eval.statistics import Labels, Sampling

if TYPE_CHECKING:
    from safe_eval.scores import Scores

# Which measures each metric has; accuracies and recalls are slices of the metric too.
MEASURES: dict[str, Callable[[Sequence[Prediction], Labels, Sampling], list[Measure]]] = {
    "gqa_accuracy": gqa.measures,
    "accuracy": classification.measures,
}
CAPTIONS = "captions"  # what stands for a metric where captions could not be measured
_SHOWN = ("consistency", "validity", "plausibility", "distribution", "balanced_accuracy")
_COLUMNS, _NAME, _COLUMN = 80, 24, 13


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
            if is_judged(metric, row):
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
    """The measures that are no slice of a metric, a line a cell; those not measured with the reason."""
    shown = [row for row in scores.measures if row.name in _SHOWN or row.metric == CAPTIONS]
    for metric, dataset, seed in dict.fromkeys((row.metric, row.dataset, row.seed) for row in shown):
        rows = [row for row in shown if (row.metric, row.dataset, row.seed) == (metric, dataset, seed)]
        about = f"{metric}, seed {seed}" if dataset is None else f"{metric} on {dataset}, seed {seed}"
        yield ""
        yield f"{about}: {'not measured' if metric == CAPTIONS else 'other measures'}"
        yield from _measured(rows)
        whys: dict[str | None, dict[str, None]] = {}
        for row in rows:
            if row.value is None:
                whys.setdefault(None if metric == CAPTIONS else row.why_not, {})[row.name] = None
        for why_not, names in whys.items():
            told = "the notes say why" if why_not is None else f"not measured: {why_not}"
            yield from textwrap.wrap(
                f"{', '.join(names)}; {told}", _COLUMNS, initial_indent="  ", subsequent_indent="    "
            )


def _measured(rows: Sequence[MeasureRow]) -> Iterator[str]:
    names = list(dict.fromkeys(row.name for row in rows if row.value is not None))
    if not names:
        return
    yield f"  {'':<{_NAME}}" + "".join(f"{name[:17]:>{_width(name)}}" for name in names)
    for model, condition in dict.fromkeys((row.model, row.condition) for row in rows):
        values = {row.name: row.value for row in rows if (row.model, row.condition) == (model, condition)}
        numbers = (f"{numerals.fraction(values.get(name)):>{_width(name)}}" for name in names)
        yield f"  {f'{model}/{condition}'[:_NAME]:<{_NAME}}" + "".join(numbers)


def _width(name: str) -> int:
    return max(_COLUMN, len(name[:17]) + 1)


def _row(metric: str, key: CellKey, measure: Measure) -> MeasureRow:
    return MeasureRow(**msgspec.structs.asdict(measure), metric=metric, **key._asdict())

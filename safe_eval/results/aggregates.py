"""Measures: what a benchmark's own script says of each cell beside its accuracy, or why it says nothing."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from safe_data.core.errors import InputError
from safe_eval.arms.arm import Cell, CellKey, cell_key, cluster_field
from safe_eval.prediction import Prediction
from safe_eval.scorers import classification, gqa
from safe_eval.scorers.aggregate import Measure
from safe_eval.scorers.scorer import CAPTION_METRICS, judges
from safe_eval.statistics.sampling import Labels, Sampling

if TYPE_CHECKING:
    pass

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


def _row(metric: str, key: CellKey, measure: Measure) -> MeasureRow:
    return MeasureRow(**msgspec.structs.asdict(measure), metric=metric, **key._asdict())

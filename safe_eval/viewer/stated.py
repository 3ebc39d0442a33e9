"""Stated: the confidences and scores of the arms that answered the full input, read from items.parquet."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from safe_eval.arms.coverage import ArmCoverage
from safe_eval.scoring.items import read_items
from safe_eval.viewer.links import FULL
from safe_eval.viewer.reliability import Reliable, Stated, reliable
from safe_eval.viewer.told import Told, ToldRun, place_of

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS = ("dataset", "model", "condition", "seed", "metric", "value", "coverage", "confidence")
_FAILED = "errored"


def reliable_arms(told: Told) -> tuple[Reliable, ...]:
    """The bins of every arm under the full input that states confidences, in the order of the scores.

    Raises:
        InputError: a run's items.parquet is missing, or is not that of its scores.
    """
    return tuple(reliable(one, told.scores) for run in told.runs for one in _stated(told, run))


def _stated(told: Told, run: ToldRun) -> Iterator[Stated]:
    import pyarrow.compute as pc

    made = run.scores.provenance
    items = read_items(run.folder, made.items_sha256, [*_COLUMNS, made.cluster])
    items = items.filter(
        pc.and_(
            pc.and_(_is(items, "condition", FULL), pc.is_valid(items["confidence"])),
            pc.invert(_is(items, "coverage", _FAILED)),
        )
    )
    for cell in run.scores.cells:
        metric = told.links.metric(cell.dataset)
        if cell.condition != FULL or metric is None:
            continue
        own = _of(items, cell, metric)
        if own.num_rows:
            place = place_of(told.runs, run.name, cell.model, FULL, cell.seed)
            clusters = own[made.cluster].combine_chunks().cast("string").fill_null("").dictionary_encode()
            yield Stated(
                place=place,
                dataset=cell.dataset,
                metric=metric,
                confidence=own["confidence"].to_numpy().astype(float),
                correct=own["value"].to_numpy().astype(float),
                clusters=np.asarray(clusters.indices.to_numpy(), dtype=np.int64),
            )


def _of(items: "pa.Table", cell: ArmCoverage, metric: str) -> "pa.Table":
    """The items of one arm and dataset, as one metric scores them."""
    import pyarrow.compute as pc

    inside = pc.and_(_is(items, "model", cell.model), _is(items, "metric", metric))
    inside = pc.and_(inside, pc.equal(items["seed"], cell.seed))
    named = items["dataset"].cast("string")
    of_set = pc.is_null(named) if cell.dataset is None else pc.equal(named, cell.dataset)
    return items.filter(pc.fill_null(pc.and_(inside, of_set), False))


def _is(items: "pa.Table", name: str, text: str) -> "pa.ChunkedArray":
    import pyarrow.compute as pc

    return pc.fill_null(pc.equal(items[name].cast("string"), text), False)

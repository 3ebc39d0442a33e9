"""Cells: what each arm made of each item, as arrays of arms × items, read from the items of some runs.

An item is one example of one dataset; its number is its place in the order of dataset and example id.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray

from safe_eval.arms.coverage import OUTCOMES as COVERAGE
from safe_eval.scorers.scorer import CAPTION_METRICS, RIGHT_FROM

if TYPE_CHECKING:
    import pyarrow as pa

OUTCOMES = ("none", "right", "wrong", "unparsed", "error", "scored")
NONE, RIGHT, WRONG, UNPARSED, ERROR, SCORED = range(len(OUTCOMES))
FACETS = ("split", "group", "record_id", "task", "question_type", "needs_audio", "prompt", "references")

Rows = Int[ndarray, " rows"]


class ArmName(NamedTuple):
    """What tells an arm from others: the place of its run, its model, condition and seed."""

    run: int
    model: str
    condition: str
    seed: int


@dataclass(frozen=True)
class Shown:
    """Outcomes and scores by the metric that is shown; `metrics` is the metric of each item, −1 for none."""

    outcomes: Int[ndarray, "arms items"]
    scores: Float[ndarray, "arms items"]
    metrics: Int[ndarray, " items"]


@dataclass(frozen=True)
class Cells:
    """All rows of all runs, with the number of each row's item, arm and metric.

    `items` has a row for each item: dataset, example_id and the facets of FACETS. `first` is a row of each
    item and arm, −1 where it was not asked.
    """

    arms: tuple[ArmName, ...]
    metrics: tuple[str, ...]
    items: "pa.Table"
    rows: "pa.Table"
    item: Rows
    arm: Rows
    metric: Rows
    first: Int[ndarray, "arms items"]

    def shown(self, metric: int | None = None) -> Shown:
        """What is shown by one metric; by default by the first of the list that judges each item."""
        shape = self.first.shape
        scores = np.full(shape, np.nan)
        outcomes = np.zeros(shape, dtype=np.int8)
        metrics = np.full(shape[1], -1, dtype=np.int16)
        values = self.rows["value"].to_numpy()
        coverage = _codes(self.rows["coverage"], COVERAGE)
        chosen = range(len(self.metrics)) if metric is None else [metric]
        for number in reversed(chosen):
            at = np.flatnonzero(self.metric == number)
            place = self.arm[at], self.item[at]
            scores[place] = values[at]
            outcomes[place] = _outcomes(self.metrics[number], values[at], coverage[at])
            metrics[self.item[at]] = number
        return Shown(outcomes, scores, metrics)


def cells_of(tables: Sequence["pa.Table"], arms: Sequence[ArmName], metrics: Sequence[str]) -> Cells:
    """Number the items and arms of some runs, whose `tables` are as `scoring.items` writes them."""
    import pyarrow as pa

    names = [name for name in tables[0].column_names if all(name in one.column_names for one in tables)]
    rows = pa.concat_tables([one.select(names) for one in tables], promote_options="permissive")
    rows = rows.unify_dictionaries().combine_chunks()
    run = np.repeat(np.arange(len(tables)), [one.num_rows for one in tables])
    item, keys = _items(rows)
    arm = _arms(rows, run, arms)
    metric = _codes(rows["metric"], metrics)
    first = np.full((len(arms), keys.num_rows), -1, dtype=np.int64)
    first[arm[::-1], item[::-1]] = np.arange(rows.num_rows)[::-1]
    facets = {name: _first_given(rows[name], item, keys.num_rows) for name in FACETS}
    items = pa.table({**{name: keys[name] for name in keys.column_names}, **facets})
    return Cells(tuple(arms), tuple(metrics), items, rows, item, arm, metric, first)


def _items(rows: "pa.Table") -> tuple[Rows, "pa.Table"]:
    """The number of each row's item, and the dataset and the id of each item."""
    import pyarrow as pa
    import pyarrow.compute as pc

    datasets = rows["dataset"].cast(pa.string())
    known = sorted(datasets.unique().to_pylist(), key=lambda name: name or "")
    item = np.zeros(rows.num_rows, dtype=np.int64)
    parts, count = [], 0
    for name in known:
        inside = pc.is_null(datasets) if name is None else pc.equal(datasets, name)
        at = np.flatnonzero(inside.fill_null(False).to_numpy(zero_copy_only=False))
        ids = rows["example_id"].take(pa.array(at))
        unique = ids.unique().sort()
        item[at] = pc.index_in(ids, value_set=unique).to_numpy() + count
        parts.append(pa.table({"dataset": pa.array([name] * len(unique), pa.string()), "id": unique}))
        count += len(unique)
    return item, pa.concat_tables(parts)


def _arms(rows: "pa.Table", run: Rows, arms: Sequence[ArmName]) -> Rows:
    """The number of each row's arm."""
    numbers = {name: number for number, name in enumerate(arms)}
    models, conditions = rows["model"].unique().to_pylist(), rows["condition"].unique().to_pylist()
    seeds, seed = np.unique(rows["seed"].to_numpy(), return_inverse=True)
    codes = [run, _codes(rows["model"], models), _codes(rows["condition"], conditions), seed]
    shape = (int(run.max()) + 1, len(models), len(conditions), len(seeds))
    joined = np.ravel_multi_index(codes, shape)
    found, back = np.unique(joined, return_inverse=True)
    of_found = [
        numbers[ArmName(int(r), models[m], conditions[c], int(seeds[s]))]
        for r, m, c, s in zip(*np.unravel_index(found, shape), strict=True)
    ]
    return np.array(of_found, dtype=np.int64)[back]


def _first_given(column: "pa.ChunkedArray", item: Rows, items: int) -> "pa.Array":
    """The first value that a row of each item gives; null where none does."""
    import pyarrow as pa

    given = np.flatnonzero(column.is_valid().to_numpy(zero_copy_only=False))
    first = np.full(items, -1, dtype=np.int64)
    first[item[given[::-1]]] = given[::-1]
    plain = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
    return plain.take(pa.array(first, mask=first < 0)).combine_chunks()


def _codes(column: "pa.ChunkedArray", names: Sequence[str | None]) -> Rows:
    """The place of each value among some names; −1 for another, and for null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    plain = column.combine_chunks()
    if pa.types.is_dictionary(plain.type):
        at = pc.index_in(plain.dictionary, value_set=pa.array(names, pa.string()))
        of_code = np.append(at.fill_null(-1).to_numpy(), -1)
        coded: Rows = of_code[plain.indices.fill_null(len(of_code) - 1).to_numpy()]
        return coded
    found: Rows = pc.index_in(plain, value_set=pa.array(names, plain.type)).fill_null(-1).to_numpy()
    return found.astype(np.int64)


def _outcomes(metric: str, values: Float[ndarray, " rows"], coverage: Rows) -> Int[ndarray, " rows"]:
    """Right or wrong from half a point on; a caption, or a score of a scale of its own, is only scored."""
    if metric in CAPTION_METRICS or bool(np.any((values < 0) | (values > 1))):
        judged = np.full(len(values), SCORED)
    else:
        judged = np.where(values >= RIGHT_FROM, RIGHT, WRONG)
    failed = {"errored": ERROR, "unparsed": UNPARSED, "excluded": NONE}
    for name, outcome in failed.items():
        judged = np.where(coverage == COVERAGE.index(name), outcome, judged)
    found: Int[ndarray, " rows"] = np.where(np.isnan(values) & (judged == SCORED), NONE, judged)
    return found


def differing(shown: Shown) -> Int[ndarray, " items"]:
    """How many arms say otherwise than most: those that are right, or those that are not, if fewer."""
    right = (shown.outcomes == RIGHT).sum(axis=0)
    other = np.isin(shown.outcomes, (WRONG, UNPARSED, ERROR)).sum(axis=0)
    fewer: Int[ndarray, " items"] = np.minimum(right, other)
    return fewer


def asked(shown: Shown, arm: int) -> Bool[ndarray, " items"]:
    """Whether an arm has a score of each item."""
    found: Bool[ndarray, " items"] = ~np.isnan(shown.scores[arm])
    return found

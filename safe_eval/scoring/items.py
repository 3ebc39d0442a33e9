"""Items: items.parquet, a row a prediction and metric, so that every aggregate can be traced to its items."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from safe_data.core.files import committing
from safe_eval.arms.arm import Cell, CellKey, cell_key
from safe_eval.prediction import Prediction

if TYPE_CHECKING:
    import pyarrow as pa

ITEMS_FILE = "items.parquet"
COLUMNS = ("example_id", "condition", "seed", "metric", "value", "coverage", "model", "dataset")
_EXCLUDED = "excluded"


def items_table(
    predictions: Sequence[Prediction], outcomes: Sequence[str], cells: Mapping[str, Sequence[Cell]]
) -> "pa.Table":
    """The value of every item by every metric, what became of the answer, and whose it is.

    Metrics stand in the order of the scores, then the cells, then the example ids. `outcomes` are those of
    the predictions; one that is excluded has a row of its own without metric and value.
    """
    import pyarrow as pa

    became: dict[CellKey, dict[str, str]] = {}
    for row, outcome in zip(predictions, outcomes, strict=True):
        became.setdefault(cell_key(row), {})[row.example_id] = outcome
    parts = [
        _part(cell.key, cell.example_ids, [became[cell.key][name] for name in cell.example_ids], metric, cell)
        for metric, found in cells.items()
        for cell in found
    ]
    for key in sorted(became, key=lambda key: key.order):
        names = sorted(name for name, outcome in became[key].items() if outcome == _EXCLUDED)
        if names:
            parts.append(_part(key, names, [_EXCLUDED] * len(names), None, None))
    return pa.concat_tables(parts).unify_dictionaries().combine_chunks()


def write_items(out: Path, table: "pa.Table") -> Path:
    """Write items.parquet into a folder, whole or not at all; equal tables make equal bytes."""
    import pyarrow.parquet as pq

    path = out / ITEMS_FILE
    with committing(path) as file:
        pq.write_table(table, file, compression="zstd")
    return path


def _part(
    key: CellKey, names: Sequence[str], outcomes: Sequence[str], metric: str | None, cell: Cell | None
) -> "pa.Table":
    import pyarrow as pa

    n = len(names)
    values = pa.nulls(n, pa.float64()) if cell is None else pa.array(cell.scores, pa.float64())
    return pa.table(
        {
            "example_id": pa.array(names, pa.string()),
            "condition": _repeated(key.condition, n),
            "seed": pa.array(np.full(n, key.seed, dtype=np.int64)),
            "metric": _repeated(metric, n),
            "value": values,
            "coverage": pa.array(outcomes, pa.string()).dictionary_encode(),
            "model": _repeated(key.model, n),
            "dataset": _repeated(key.dataset, n),
        }
    )


def _repeated(text: str | None, n: int) -> "pa.DictionaryArray":
    import pyarrow as pa

    codes = pa.array(np.zeros(n, dtype=np.int32), mask=np.full(n, text is None))
    return pa.DictionaryArray.from_arrays(codes, pa.array([] if text is None else [text], pa.string()))

"""Store: the items and answers of some runs as tables of DuckDB in memory, to filter, sort and search them.

items      a row an item: facets, prompt, references, and a column of each arm for confidence and consulted
answers    a row for each item that an arm was asked: its answer or error
shown_M    a row an item: outcome and score of each arm by metric M, and how much the arms differ
texts      a row an item: all that a search looks into, in lower case; made at the first search
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from safe_eval.viewer.cells import Cells, Shown, differing

if TYPE_CHECKING:
    import duckdb

SEPARATOR = "\x1f"  # between texts of an item, so that a search finds nothing across two


@dataclass(frozen=True)
class Store:
    """The tables, and the arrays that statistics are computed from."""

    connection: "duckdb.DuckDBPyConnection"
    cells: Cells
    by_metric: dict[int | None, Shown] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def query(self, sql: str, values: Sequence[Any] = ()) -> "duckdb.DuckDBPyConnection":
        """Ask; each call has a cursor of its own, so that threads may ask at once."""
        return self.connection.cursor().execute(sql, list(values))

    def shown(self, metric: int | None) -> Shown:
        """Outcomes and scores by a metric, whose table is made at the first call."""
        with self.lock:
            if metric not in self.by_metric:
                found = self.cells.shown(metric)
                _add_shown(self.connection.cursor(), shown_table(metric), found)
                self.by_metric[metric] = found
            return self.by_metric[metric]

    def make_texts(self) -> None:
        """Make the table that searches look into, unless it is there."""
        with self.lock:
            self.connection.cursor().execute(_TEXTS, [SEPARATOR, SEPARATOR, SEPARATOR])


def shown_table(metric: int | None) -> str:
    """The name of the table of a metric's outcomes."""
    return "shown_first" if metric is None else f"shown_{metric:d}"


def store_of(cells: Cells) -> Store:
    """Load cells into tables."""
    import duckdb

    connection = duckdb.connect(":memory:", config={"autoinstall_known_extensions": "false"})
    connection.execute("SET enable_external_access = false")
    _add_items(connection, cells)
    _add_answers(connection, cells)
    kept = replace(cells, rows=cells.rows.select(["value", "coverage"]))  # texts lie in the tables now
    return Store(connection, kept)


def _add_items(connection: "duckdb.DuckDBPyConnection", cells: Cells) -> None:
    import pyarrow as pa

    count = cells.items.num_rows
    columns: dict[str, Any] = {"item": np.arange(count, dtype=np.int32)}
    columns |= {name: cells.items[name] for name in cells.items.column_names}
    there = cells.first >= 0
    confidence = cells.rows["confidence"]
    consulted = cells.rows["consulted"] if "consulted" in cells.rows.column_names else None
    for arm in range(len(cells.arms)):
        at = pa.array(np.where(there[arm], cells.first[arm], 0), mask=~there[arm])
        columns[f"confidence_{arm}"] = confidence.take(at)
        columns[f"consulted_{arm}"] = pa.nulls(count, pa.bool_()) if consulted is None else consulted.take(at)
    _create(connection, "items", columns)


def _add_answers(connection: "duckdb.DuckDBPyConnection", cells: Cells) -> None:
    """In the order of items, so that those of a page lie together."""
    import pyarrow as pa

    item, arm = np.nonzero(cells.first.T >= 0)
    at = pa.array(cells.first.T[item, arm])
    columns: dict[str, Any] = {"item": item.astype(np.int32), "arm": arm.astype(np.int16)}
    for name in ("answer", "error"):
        columns[name] = cells.rows[name].cast(pa.string()).take(at)
    _create(connection, "answers", columns)


def _add_shown(connection: "duckdb.DuckDBPyConnection", name: str, shown: Shown) -> None:
    columns: dict[str, Any] = {"item": np.arange(shown.outcomes.shape[1], dtype=np.int32)}
    columns["differing"] = differing(shown).astype(np.int16)
    for arm in range(len(shown.outcomes)):
        columns[f"outcome_{arm}"] = shown.outcomes[arm]
        columns[f"score_{arm}"] = _nullable(shown.scores[arm])
    _create(connection, name, columns)


def _nullable(values: Any) -> Any:
    import pyarrow as pa

    return pa.array(values, mask=np.isnan(values))


def _create(connection: "duckdb.DuckDBPyConnection", name: str, columns: dict[str, Any]) -> None:
    import pyarrow as pa

    source = pa.table(columns)
    connection.register("source", source)
    connection.execute(f"CREATE TABLE {name} AS SELECT * FROM source")  # noqa: S608 - a name of ours
    connection.unregister("source")


_TEXTS = """
CREATE TABLE IF NOT EXISTS texts AS
SELECT item, lower(concat_ws(?, prompt, array_to_string("references", ?), said)) AS text
FROM items LEFT JOIN (SELECT item, string_agg(answer, ?) AS said FROM answers GROUP BY item) USING (item)
ORDER BY item
"""

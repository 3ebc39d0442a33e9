"""Table: what the page shows as rows and columns, so many columns at once as fit a printed page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

MAX_COLUMNS = 6  # beside the names of the rows, on A4


@dataclass(frozen=True)
class Column:
    """The head of a column; `key` is the name of its arm in comparisons and criteria."""

    title: str
    key: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Cell:
    """A value, its interval, and further lines; `warning` is a line that must not be missed.

    `tone` colours the value: good, bad or unknown. `href` leads to the items behind the value, where a page
    has them: see `report.chart_links`.
    """

    value: str
    interval: str = ""
    lines: tuple[str, ...] = ()
    warning: str = ""
    tone: str = ""
    href: str = ""


@dataclass(frozen=True)
class Row:
    """The cells of one row. A row with a `group` other than the row before it stands under a line with it.

    `less` is what the row is compared with: it stands after the label and a minus.
    """

    label: str
    cells: tuple[Cell | None, ...]
    detail: str = ""
    group: str = ""
    less: str = ""
    is_key: bool = False  # the label is a name from scores.json, such as safe/full


@dataclass(frozen=True)
class Table:
    """A table with its caption, a note on units and intervals, and the word for a cell that has no number."""

    caption: str
    note: str
    first: str  # what the rows are
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    empty: str = "not measured"


def in_parts(table: Table) -> list[Table]:
    """Tables of at most so many columns as fit a page, each without rows that are empty in it.

    >>> wide = Table("t", "", "slice", tuple(Column(str(n)) for n in range(8)), (Row("a", (Cell("1"),) * 8),))
    >>> [(part.caption, len(part.columns), len(part.rows[0].cells)) for part in in_parts(wide)]
    [('t, part 1 of 2', 4, 4), ('t, part 2 of 2', 4, 4)]
    """
    count = -(-len(table.columns) // MAX_COLUMNS)
    if count <= 1:
        return [table]
    size = -(-len(table.columns) // count)
    parts = [range(at, min(at + size, len(table.columns))) for at in range(0, len(table.columns), size)]
    return [
        replace(
            table,
            caption=f"{table.caption}, part {number} of {len(parts)}",
            columns=tuple(table.columns[place] for place in places),
            rows=_rows_at(table.rows, places),
        )
        for number, places in enumerate(parts, 1)
    ]


def _rows_at(rows: Sequence[Row], places: Sequence[int]) -> tuple[Row, ...]:
    cut = (replace(row, cells=tuple(row.cells[place] for place in places)) for row in rows)
    return tuple(row for row in cut if any(row.cells))

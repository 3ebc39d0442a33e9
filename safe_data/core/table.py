"""Table: rows under columns, rendered as text, Markdown, LaTeX, CSV or JSON."""

import csv
import io
import itertools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeGuard

from safe_data.core import numerals
from safe_data.core.errors import InputError

Format = Literal["text", "json", "markdown", "latex", "csv"]
Value = str | bool | int | float | None

COLUMNS = 80

_NARROWEST = 8  # a column of names is never cut below this width
_FORMULA = ("=", "+", "-", "@")  # a spreadsheet runs a cell that begins so
_NOT_SPACES = re.compile(r"[^\S ]+")  # line breaks and tabs
_LATEX = {
    "\\": r"\textbackslash{}",
    **{letter: "\\" + letter for letter in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    **{letter: f"${letter}$" for letter in "<>±×"},
    "−": "$-$",
    "≥": r"$\ge$",
    "≤": r"$\le$",
    "≠": r"$\ne$",
    "–": "--",
    "…": r"\ldots{}",
}
_MARKDOWN = {"\\": r"\\", "|": r"\|", "<": "&lt;", "`": r"\`", "*": r"\*"}


@dataclass(frozen=True)
class Table:
    """Rows under columns. Numbers stay numbers; `write` maps a column to how its numbers are shown.

    Without an entry in `write`, a whole number is shown in full and any other as a fraction. CSV has every
    digit, and one more column for each fact in `about`, which the title states for all rows. Tables that have
    one `name` are one table there, such as the means of every metric and dataset.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Sequence[Value]]
    write: Mapping[str, Callable[[Any], str]] = field(default_factory=dict)
    about: Mapping[str, Value] = field(default_factory=dict)
    name: str = "table"

    def __post_init__(self) -> None:
        if any(len(row) != len(self.columns) for row in self.rows):
            columns = ", ".join(self.columns)
            raise ValueError(f"table {self.title!r}: a row does not have the columns {columns}")


def render(
    tables: Sequence[Table], format: Format, document: object = None, text: Iterable[str] | None = None
) -> list[str]:
    """Render tables as lines in a format.

    JSON shows the `document` behind the tables, or the tables if there is none. `text` replaces the plain
    tables for commands with their own layout.

    >>> print(*render([Table("Means", ("model", "mean"), [("safe", 0.51249)])], "markdown"), sep="\\n")
    **Means**
    <BLANKLINE>
    | model |  mean |
    | ----- | ----: |
    | safe  | 0.512 |
    """
    if format == "json":
        content = document if document is not None else {"tables": [_plain(table) for table in tables]}
        import msgspec

        encoded = msgspec.json.format(msgspec.json.encode(content), indent=1).decode()
        return [_in_json(line) for line in encoded.split("\n")]
    if format == "csv":
        return csv_text(tables).splitlines()
    if format == "text" and text is not None:
        return list(text)
    lines = {"text": _text, "markdown": _markdown, "latex": _latex}[format]
    shown = [[*lines(table), ""] for table in tables]
    return list(itertools.chain(*shown))[:-1]


def _in_json(line: str) -> str:
    """A line of JSON that any terminal shows and that reads back the same: other characters are escaped."""
    if line.isprintable():
        return line
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in line)


def _plain(table: Table) -> dict[str, object]:
    return {"title": table.title, "columns": table.columns, "rows": table.rows}


def _shown(table: Table) -> list[list[str]]:
    """The head and the rows as people read them."""
    written = [
        [_read(value, table.write.get(name)) for name, value in zip(table.columns, row, strict=True)]
        for row in table.rows
    ]
    return [list(table.columns), *written]


def _read(value: Value, write: Callable[[Any], str] | None) -> str:
    if value is None:
        return numerals.MISSING
    if isinstance(value, str):
        return " ".join(value.split())
    if write is not None:
        return write(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if isinstance(value, int) else numerals.fraction(value)


def _right(table: Table) -> list[bool]:
    """Which columns hold only numbers and are therefore right-aligned."""
    return [
        any(_is_number(row[place]) for row in table.rows)
        and all(row[place] is None or _is_number(row[place]) for row in table.rows)
        for place in range(len(table.columns))
    ]


def _is_number(value: Value) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*rows, strict=True)]


def _line(cells: Iterable[str], widths: Sequence[int], right: Sequence[bool]) -> list[str]:
    return [
        cell.rjust(width) if to_right else cell.ljust(width)
        for cell, width, to_right in zip(cells, widths, right, strict=True)
    ]


def _text(table: Table) -> Iterator[str]:
    rows, right = _shown(table), _right(table)
    widths = _narrowed(_widths(rows), right)
    yield table.title
    for row in rows:
        cells = [numerals.cut(cell, width) for cell, width in zip(row, widths, strict=True)]
        yield ("  " + "  ".join(_line(cells, widths, right))).rstrip()


def _narrowed(widths: list[int], right: Sequence[bool]) -> list[int]:
    """Narrow the widest column of names until the line fits; numbers are never cut."""
    narrowed, names = list(widths), [place for place, to_right in enumerate(right) if not to_right]
    while names and sum(narrowed) + 2 * len(narrowed) > COLUMNS:
        widest = max(names, key=lambda place: narrowed[place])
        if narrowed[widest] <= _NARROWEST:
            break
        narrowed[widest] -= 1
    return narrowed


def _markdown(table: Table) -> Iterator[str]:
    rows = [[_in_markdown(cell) for cell in row] for row in _shown(table)]
    right, widths = _right(table), [max(3, width) for width in _widths(rows)]
    rules = ["-" * (width - 1) + (":" if at else "-") for width, at in zip(widths, right, strict=True)]
    yield f"**{_in_markdown(table.title)}**"
    yield ""
    for cells in (_line(rows[0], widths, right), rules, *(_line(row, widths, right) for row in rows[1:])):
        yield f"| {' | '.join(cells)} |"


def _latex(table: Table) -> Iterator[str]:
    head, *rows = [[_escaped(cell, _LATEX) for cell in row] for row in _shown(table)]
    yield r"\begin{table}  % needs \usepackage{booktabs}"
    yield rf"  \caption{{{_escaped(table.title, _LATEX)}}}"
    yield rf"  \begin{{tabular}}{{{''.join('r' if to_right else 'l' for to_right in _right(table))}}}"
    yield r"    \toprule"
    yield rf"    {' & '.join(head)} \\"
    yield r"    \midrule"
    for row in rows:
        cells = " & ".join(row)
        # A bracket or star after \\ would be read as its argument.
        yield rf"    {'{}' if cells.startswith(('[', '*')) else ''}{cells} \\"
    yield r"    \bottomrule"
    yield r"  \end{tabular}"
    yield r"\end{table}"


def _in_markdown(text: str) -> str:
    """Escape text so that it cannot become a link, a tag or the end of its cell."""
    return _escaped(text, _MARKDOWN).replace("](", r"]\(")


def _escaped(text: str, escapes: Mapping[str, str]) -> str:
    return "".join(escapes.get(letter, letter) for letter in text)


def names_of(tables: Sequence[Table]) -> list[str]:
    """The names of tables, each once."""
    return list(dict.fromkeys(table.name for table in tables))


def csv_text(tables: Sequence[Table]) -> str:
    """Tables of one name as one: each fact in `about`, and then the columns.

    Raises:
        InputError: the tables have several names.

    >>> print(csv_text([Table("Means", ("model", "mean"), [("safe", 0.5)], about={"seed": 0})]), end="")
    seed,model,mean
    0,safe,0.5
    """
    if len(names_of(tables)) > 1:
        raise InputError(f"CSV holds one table; choose one of {', '.join(names_of(tables))}")
    names = list(dict.fromkeys(name for table in tables for name in (*table.about, *table.columns)))
    file = io.StringIO()
    writer = csv.DictWriter(file, names, lineterminator="\n")
    writer.writeheader()
    for table in tables:
        for row in table.rows:
            values = {**table.about, **dict(zip(table.columns, row, strict=True))}
            writer.writerow({name: _cell(value) for name, value in values.items()})
    return file.getvalue()


def _cell(value: Value) -> Value:
    """Put an apostrophe before text that a spreadsheet would run, and join its lines; keep numbers."""
    if not isinstance(value, str):
        return value
    text = _NOT_SPACES.sub(" ", value)
    return "'" + text if text.lstrip().startswith(_FORMULA) else text

"""Rows of a table: .xlsx, .csv, .tsv, .json and .jsonl read the same way, each row by its column titles."""

import csv
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from safe_data.core.errors import InputError
from safe_eval.logs.json_lines import document, json_lines
from safe_eval.logs.sheet import sheet_rows

Rows = Iterator[tuple[int, dict[str, Any]]]

_LONGEST_CELL = min(sys.maxsize, 1 << 30)
_PICKLE = "is a pickle, which runs code when it is read; write it again as .tsv, .xlsx or .json"
_PICKLES = (".pkl", ".pickle", ".pk")


def table_rows(path: Path) -> Rows:
    """Each row with its number: the line where it ends in a text file, the row in a sheet, the place in JSON.

    Raises:
        InputError: the file is a pickle, has another suffix, or cannot be read as what its suffix says.
    """
    suffix = path.suffix.lower()
    if suffix in _PICKLES:
        raise InputError(f"{path}: {_PICKLE}")
    read = _READERS.get(suffix)
    if read is None:
        raise InputError(f"{path}: is no table that is read; give one of {', '.join(_READERS)}")
    return read(path)


def first_row(path: Path) -> dict[str, Any]:
    """The first row of a table; empty if it has none."""
    return next((row for _, row in table_rows(path)), {})


def _of_csv(path: Path, delimiter: str = ",") -> Rows:
    csv.field_size_limit(_LONGEST_CELL)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter=delimiter)
            titles = reader.fieldnames or []
            if len(set(titles)) < len(titles):
                raise InputError(f"{path.name}:1: two columns have one title")
            for row in reader:
                if None in row or None in row.values():
                    cells = f"does not have the {len(titles)} cells of the first line"
                    raise InputError(f"{path.name}:{reader.line_num}: {cells}")
                yield reader.line_num, {title: cell or None for title, cell in row.items()}
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 ({error.reason}); save it as UTF-8") from None
    except csv.Error as error:
        raise InputError(f"{path}: is no table: {error}") from None


def _of_tsv(path: Path) -> Rows:
    return _of_csv(path, "\t")


def _of_json(path: Path) -> Rows:
    """A list of objects, or an object of columns, as pandas writes either."""
    content = document(path)
    if isinstance(content, dict) and content and all(isinstance(part, dict) for part in content.values()):
        numbers = list(dict.fromkeys(key for part in content.values() for key in part))
        content = [{title: part.get(key) for title, part in content.items()} for key in numbers]
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise InputError(f"{path}: is no table; write a JSON list of objects")
    yield from enumerate(content, 1)


_READERS: dict[str, Callable[[Path], Rows]] = {
    ".xlsx": sheet_rows,
    ".csv": _of_csv,
    ".tsv": _of_tsv,
    ".json": _of_json,
    ".jsonl": json_lines,
}

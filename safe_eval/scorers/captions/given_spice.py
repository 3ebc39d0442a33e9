"""Given SPICE: values of single captions that were made elsewhere, from a JSON or a CSV file."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

from safe_data.errors import InputError, raise_row_errors

_ID = "example_id"


def read_spice_values(path: Path) -> dict[str, float]:
    """Read SPICE values by example id: JSON `{"id": 0.21}`, or CSV with the columns example_id and spice.

    Raises:
        InputError: no such file, another format, no values, an id given twice, or a value that is no number.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of SPICE values")
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8: {error}") from None
    pairs = _csv_pairs(path, text) if path.suffix == ".csv" else _json_pairs(path, text)
    if not pairs:
        raise InputError(f"{path}: holds no SPICE values")
    values: dict[str, float] = {}
    errors = []
    for name, value in pairs:
        number = _number(value)
        if name in values:
            errors.append(f"{name!r}: is given twice; keep one")
        if number is None:
            errors.append(f"{name!r}: SPICE value {value!r} is not a number in [0, 1]")
        values[name] = number or 0.0
    raise_row_errors([f"{path.name}: {error}" for error in errors], str(path))
    return values


def _json_pairs(path: Path, text: str) -> list[tuple[str, object]]:
    try:
        pairs = json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON: {error}; CSV files end in .csv") from None
    if not isinstance(pairs, list) or not all(isinstance(pair, tuple) for pair in pairs):
        raise InputError(f'{path}: expected one object of numbers by example id, {{"clip-1": 0.21}}')
    return pairs


def _csv_pairs(path: Path, text: str) -> list[tuple[str, object]]:
    rows = csv.DictReader(text.splitlines(), strict=True)
    try:
        names: Sequence[str] = rows.fieldnames or ()
        if _ID not in names or "spice" not in names:
            raise InputError(f"{path}: has the columns {', '.join(names)}; expected example_id and spice")
        return [(str(row[_ID]), row["spice"]) for row in rows]
    except csv.Error as error:
        raise InputError(f"{path}:{rows.line_num} is not CSV: {error}") from None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 <= number <= 1 else None

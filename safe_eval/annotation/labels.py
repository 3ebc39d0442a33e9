"""Labels: the table that a person fills in, and its key with the score of each item."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError, raise_row_errors
from safe_data.core.files import write_bytes, write_json
from safe_eval.prediction import Prediction

LONGEST_SHOWN = 2000  # characters of an answer
COLUMNS = ("item", "question", "choices", "references", "answer", "label", "note")
LABELS = {"right": True, "r": True, "1": True, "wrong": False, "w": False, "0": False, "?": None}
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run a cell that begins so


class KeyItem(msgspec.Struct, frozen=True, kw_only=True):
    """What the person must not see about an item."""

    item: str
    example_id: str
    dataset: str | None
    model: str
    condition: str
    seed: int
    metric: str
    score: float
    cluster: str
    drawn: bool = True  # at random; not, if it is there because of a note alone


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """The content of the key file."""

    predictions: dict[str, str]  # sha256 by file name
    population: int  # how many answers the sample was drawn from
    seed: int
    right_from: float
    items: tuple[KeyItem, ...]


def write_table(
    table: Path, rows: Sequence[Prediction], key: Key, notes: Sequence[str | None] | None = None
) -> None:
    """Write a table to fill in, with one row per item of the key, and the key beside it.

    `notes` fill the column of notes.
    """
    write_json(key_path(table), key)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for item, row, note in zip(key.items, rows, notes or [None] * len(rows), strict=True):
        shown = (row.prompt or "", " | ".join(row.choices or ()), _counted(row.references), row.answer or "")
        writer.writerow([item.item, *map(_harmless, shown), "", _harmless(note or "")])
    write_bytes(table, text.getvalue().encode("utf-8-sig"))  # its mark tells spreadsheets the encoding


def key_path(table: Path) -> Path:
    """The key file of a table."""
    return table.with_name(f"{table.stem}.key.json")


def read_labels(table: Path) -> tuple[Key, dict[str, bool | None]]:
    """Read the key of a table, and its labels by item: True for right, False for wrong, None for `?`.

    Items without a label are left out.

    Raises:
        InputError: the table or its key does not exist, rows are not in the key or hold no valid label (all
            named at once), or there are no labels.
    """
    if not table.is_file():
        raise InputError(f"{table}: no such file; make it with: safe-eval annotate RUN --out LABELS.csv")
    if not key_path(table).is_file():
        raise InputError(f"{key_path(table)}: no such file; put back the key that annotate wrote")
    try:
        key = msgspec.json.decode(key_path(table).read_bytes(), type=Key)
        rows = list(_read_csv(table.read_text("utf-8-sig")))
    except (msgspec.MsgspecError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{table}: cannot be read with its key: {error}; save it as CSV in UTF-8") from None
    known = {item.item for item in key.items}
    labels: dict[str, bool | None] = {}
    errors = []
    for line, row in rows:
        name, label = (row.get("item") or "").strip(), (row.get("label") or "").strip().lower()
        if name not in known:
            errors.append(
                f"{table.name}:{line} item {name!r} is not in the key; leave the items as they were"
            )
        elif name in labels:
            errors.append(f"{table.name}:{line} {name}: is there twice; keep one")
        elif label and label not in LABELS:
            errors.append(f"{table.name}:{line} {name}: label {label!r} is not one of {', '.join(LABELS)}")
        elif label:
            labels[name] = LABELS[label]
    raise_row_errors(errors, str(table))
    if all(label is None for label in labels.values()):
        raise InputError(f"{table}: holds no labels; write right, wrong or ? in the column 'label'")
    return key, labels


def _counted(references: Sequence[str]) -> str:
    """The references, each once, with how many annotators gave it."""
    counts = {text: references.count(text) for text in references}
    return " | ".join(f"{text} ({n})" if n > 1 else text for text, n in counts.items())


def _harmless(text: str) -> str:
    """A text that is safe in a spreadsheet: no formula, no control characters, bounded length."""
    if len(text) > LONGEST_SHOWN:
        text = f"{text[:LONGEST_SHOWN]} … ({len(text) - LONGEST_SHOWN} more characters)"
    text = f"'{text}" if text.lstrip(" \n").startswith(_FORMULA_STARTS) else text
    return "".join(letter if letter.isprintable() or letter == "\n" else "?" for letter in text)


def _read_csv(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the rows with their line numbers. Spreadsheets may have replaced the commas by ; or tabs."""
    header = text.partition("\n")[0]
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    if not {"item", "label"} <= set(reader.fieldnames or ()):
        raise csv.Error("its first line needs the columns 'item' and 'label'")
    for row in reader:
        yield reader.line_num, row

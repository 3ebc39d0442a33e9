"""Faults of annotation rows: a row that cannot become a record is a rejected row, the others are read."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from safe_data.core.errors import ROW_ERRORS_SHOWN, InputError, first_errors
from safe_data.records import Rejected
from safe_data.sources.ids import id_of

Found = TypeVar("Found")
Row = TypeVar("Row")


@dataclass(frozen=True)
class Fault:
    """A faulty row: its place such as `train.csv:41 'id'`, what is wrong, and its id if that is legible."""

    where: str
    what: str
    row_id: object = None
    split: str = ""  # where the row states it

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"

    def rejected(self, *, dataset: str, split: str) -> Rejected:
        """The row of the manifest."""
        return faulty_row(self.where, self.what, dataset=dataset, split=split)


def faulty_row(where: str, fault: str, *, dataset: str, split: str) -> Rejected:
    """The row at a place such as `train.csv:41`, rejected with the fault; its id is made of the place.

    >>> row = faulty_row("train.csv:41", "has no 'caption'; add it", dataset="mine", split="train")
    >>> row.id, row.reason
    ('train-csv-41-97ba628c507a', "faulty row: train.csv:41: has no 'caption'; add it")
    """
    return Rejected(id=id_of(where), dataset=dataset, split=split, reason=f"faulty row: {where}: {fault}")


def some_good(file: Path, rows: Iterable[Found | Fault]) -> Iterator[Found | Fault]:
    """The rows of a file as they are; a file in which no row is good is not the corpus' file.

    Raises:
        InputError: the file has no rows, or all are faulty.
    """
    good = faulty = 0
    first: list[str] = []
    for row in rows:
        if not isinstance(row, Fault):
            good += 1
        else:
            faulty += 1
            if len(first) < ROW_ERRORS_SHOWN:
                first.append(str(row))
        yield row
    if good:
        return
    if not faulty:
        raise InputError(f"{file}: has no rows; get it anew")
    shown = first_errors([*first, *[""] * (faulty - len(first))])
    raise InputError(f"{file}: each of its rows is faulty; is it the official file?", *shown)


def by_record(
    rows: Iterable[tuple[str, Row] | Fault], record_of: Callable[[Row], Hashable]
) -> dict[Hashable, list[Row] | Fault]:
    """The rows of each record, in the order of first rows; a fault stands where its row stood."""
    found: dict[Hashable, list[Row] | Fault] = {}
    for row in rows:
        if isinstance(row, Fault):
            found[row] = row
            continue
        rows_of_record = found.setdefault(record_of(row[1]), [])
        if isinstance(rows_of_record, list):
            rows_of_record.append(row[1])
    return found

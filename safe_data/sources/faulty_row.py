"""Faulty rows: a row that cannot become a record is a rejected row in its place, and the others are read.

Readers of annotations give each row with its place, or a `Fault`. A faulty row keeps what is sound in it, so
that it can be found again.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

from safe_data.core.errors import ROW_ERRORS_SHOWN, InputError, first_errors
from safe_data.core.numerals import cut
from safe_data.records import Rejected
from safe_data.sources.ids import id_of

FAULTS_SHOWN = 3  # per row
LONGEST_FAULT = 240  # characters


class _InSplit(Protocol):
    @property
    def split(self) -> str: ...


Found = TypeVar("Found")
Row = TypeVar("Row")
Good = TypeVar("Good", bound=_InSplit)


@dataclass(frozen=True)
class Fault:
    """A faulty row: its place such as `train.csv:41 'id'`, what is wrong, and what it says about itself.

    `splits` are those that it may belong to, the likeliest first; `path` is a medium that it names.

    >>> row = Fault("train.csv:41", "has no 'caption'; add it").rejected(dataset="mine", split="train")
    >>> row.id, row.reason
    ('train-csv-41-97ba628c507a', "faulty row: train.csv:41: has no 'caption'; add it")
    """

    where: str
    what: str
    row_id: object = None
    splits: tuple[object, ...] = ()
    dataset: str = ""
    group: object = None
    path: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"

    def rejected(self, *, split: str, dataset: str = "") -> Rejected:
        """The row of the manifest; its id is made of the place."""
        return Rejected(
            id=id_of(self.where),
            dataset=self.dataset or dataset,
            split=split,
            reason=f"faulty row: {self}",
            group=self.group if isinstance(self.group, str) else "",
            path=self.path,
        )


def shown_faults(faults: Sequence[str]) -> str:
    """The first faults of a row in one line, of bounded length.

    >>> shown_faults(["has no 'id'; add it", "x" * 300])[:30], len(shown_faults(["x" * 300]))
    ("has no 'id'; add it, and xxxxx", 240)
    """
    shown = [cut(fault, LONGEST_FAULT) for fault in faults[:FAULTS_SHOWN]]
    hidden = len(faults) - FAULTS_SHOWN
    return ", and ".join([*shown, *([f"{hidden} more faults"] if hidden > 0 else [])])


def splits_of(rows: Sequence[Good | Fault]) -> Iterator[str]:
    """The split of each row; that of a faulty row is one that it names, or else that of the nearest good row.

    No split comes into being by faulty rows alone. Of two equally near rows, the earlier one decides.
    """
    known = {row.split for row in rows if not isinstance(row, Fault)}
    before: tuple[int, str] | None = None
    waiting: list[tuple[int, Fault]] = []  # for the next good row
    for number, row in enumerate(rows):
        if isinstance(row, Fault):
            waiting.append((number, row))
            continue
        split = row.split
        for place, fault in waiting:
            is_next = before is None or number - place < place - before[0]
            yield _named(fault, known) or (split if before is None or is_next else before[1])
        waiting.clear()
        before = number, split
        yield split
    if before is not None:
        yield from (_named(fault, known) or before[1] for _, fault in waiting)


def _named(fault: Fault, known: Set[str]) -> str | None:
    return next((split for split in fault.splits if isinstance(split, str) and split in known), None)


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
        record = record_of(row[1])
        rows_of_record = found.get(record)
        if rows_of_record is None:
            found[record] = [row[1]]
        elif isinstance(rows_of_record, list):
            rows_of_record.append(row[1])
    return found

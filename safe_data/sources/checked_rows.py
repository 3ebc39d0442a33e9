"""Rows of a corpus that were checked: the good ones are records, each faulty one becomes a rejected row.

A faulty row keeps what is sound in it, so that it can be found again: its id if no other row has it, its
group, its split if a good row is in that split too, and the medium that it names.
"""

import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from safe_data.core.errors import InputError, first_errors
from safe_data.records import ID_PATTERN, LONGEST_ID, Record, Records, Rejected
from safe_data.sources.faulty_row import faulty_row

FAULTS_SHOWN = 3  # per row
LONGEST_FAULT = 240  # characters


@dataclass(frozen=True)
class Faulty:
    """A row that cannot become a record, and what it says about itself; None for what it does not say.

    `splits` are those that it may belong to, the likeliest first; `path` is a medium that it names.
    """

    faults: Sequence[str]
    dataset: str
    id: object = None
    group: object = None
    splits: Sequence[object] = ()
    path: str | None = None


Checked = Record | Rejected | Faulty


def checked_rows(rows: Iterable[tuple[str, Checked]], where: str) -> Records:
    """Yield the rows, each given with its place, in order, after all of them were read.

    A row is faulty too if an earlier good row has its id, or the id of one of its examples. No split comes
    into being by faulty rows alone: they are in the split of the nearest good row.

    Args:
        rows: the rows, each with its place, such as `metadata.jsonl:41`
        where: the corpus, for messages

    Raises:
        InputError: there are no rows, or all of them are faulty.
    """
    found = list(_with_own_ids(rows))
    if not found:
        raise InputError(f"{where}: its metadata has no rows; there is nothing to read")
    good = [row for _, row in found if not isinstance(row, Faulty)]
    if not good:
        raise _all_faulty(found, where)
    ids, splits = {row.id for row in good}, {row.split for row in good}
    for (place, row), nearest in zip(found, _nearest_splits(found), strict=True):
        if not isinstance(row, Faulty):
            yield row
            continue
        own = [split for split in row.splits if isinstance(split, str) and split in splits]
        yield _rejected(row, place, [*own, nearest][0], ids)


def shown_faults(faults: Sequence[str]) -> str:
    """The first faults of a row in one line, of bounded length.

    >>> shown_faults(["has no 'id'; add it", "x" * 300])[:30], len(shown_faults(["x" * 300]))
    ("has no 'id'; add it, and xxxxx", 240)
    """
    shown = [fault if len(fault) <= LONGEST_FAULT else f"{fault[: LONGEST_FAULT - 1]}…" for fault in faults]
    hidden = len(shown) - FAULTS_SHOWN
    return ", and ".join([*shown[:FAULTS_SHOWN], *([f"{hidden} more faults"] if hidden > 0 else [])])


def _with_own_ids(rows: Iterable[tuple[str, Checked]]) -> Iterator[tuple[str, Checked]]:
    """The rows; those with an id that an earlier one has, or with one that is too long, are faulty."""
    taken: dict[tuple[str, str], str] = {}
    for place, row in rows:
        if isinstance(row, Faulty):
            yield place, row
            continue
        examples = row.examples if isinstance(row, Record) else ()
        names = Counter([("id", row.id), *(("example id", example.id) for example in examples)])
        doubled = {
            value: f"{kind} {value!r} is on {taken.get((kind, value), place)} already; give each its own"
            for (kind, value), count in reversed(names.items())
            if (kind, value) in taken or count > 1
        }  # a row with one example may have one id for both
        faults = list(reversed(doubled.values()))
        if isinstance(row, Record) and row.metadata:
            faults += _no_json(row)
        if len(row.id) > LONGEST_ID:
            faults.append(f"id {row.id[:LONGEST_ID]!r}… is longer than {LONGEST_ID} characters; shorten it")
        if faults:
            path = row.path if isinstance(row, Rejected) else medium_of(row)
            yield place, Faulty(faults, row.dataset, row.id, row.group, (row.split,), path)
            continue
        taken |= dict.fromkeys(names, place)
        yield place, row


def _no_json(record: Record) -> list[str]:
    """Say that metadata cannot be stored: a column may hold NaN or bytes, which JSON does not know."""
    try:
        record.model_dump(mode="json", include={"metadata"})  # refuses bytes
        json.dumps(record.metadata, allow_nan=False, default=str)
    except (ValueError, TypeError) as error:
        return [f"metadata cannot be written as JSON: {error}"]
    return []


def medium_of(record: Record) -> str | None:
    """The medium of a record that a rejected row names: its sound, or else its picture."""
    return record.audio.path if record.audio else record.image


def _nearest_splits(rows: Sequence[tuple[str, Checked]]) -> list[str]:
    """For each row, the split of the nearest good row; of two equally near ones, the earlier."""
    good = [(number, row.split) for number, (_, row) in enumerate(rows) if not isinstance(row, Faulty)]
    nearest, at = [], 0
    for number in range(len(rows)):
        while at + 1 < len(good) and good[at + 1][0] - number < abs(number - good[at][0]):
            at += 1
        nearest.append(good[at][1])
    return nearest


def _rejected(row: Faulty, place: str, split: str, ids: set[str]) -> Rejected:
    """The rejected row of a faulty one; its id is added to those in use."""
    made = faulty_row(place, shown_faults(row.faults), dataset=row.dataset, split=split)
    own = row.id if isinstance(row.id, str) and len(row.id) <= LONGEST_ID else ""
    row_id = own if ID_PATTERN.fullmatch(own) and own not in ids else made.id
    row_id = next(name for name in _names(row_id) if name not in ids)
    ids.add(row_id)
    group = row.group if isinstance(row.group, str) else ""
    return made.model_copy(update={"id": row_id, "group": group, "path": row.path})


def _names(name: str) -> Iterator[str]:
    """The name, and others for when a row has it: somebody may have copied it from a manifest."""
    yield name
    yield from (f"{name}-{number}" for number in itertools.count(2))


def _all_faulty(rows: Sequence[tuple[str, Checked]], where: str) -> InputError:
    """The error for a corpus without a good row: each fault once, with its first place."""
    places: dict[str, list[str]] = {}
    for place, row in rows:
        if isinstance(row, Faulty):
            places.setdefault(shown_faults(row.faults), []).append(place)
    lines = [
        f"{at[0]}: {fault}" + (f" (and {len(at) - 1} more rows)" if len(at) > 1 else "")
        for fault, at in places.items()
    ]
    if len(rows) == 1:
        return InputError(f"{where}: {lines[0]}")
    return InputError(f"{where}: none of its {len(rows)} rows can be read", *first_errors(lines))

"""Check rows against each other, and turn each faulty one into a rejected row of its own id and split."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from safe_data.core.errors import InputError, first_errors
from safe_data.records import ID_PATTERN, LONGEST_ID, Record, Records, Rejected
from safe_data.sources.faulty_row import Fault, shown_faults, splits_of
from safe_data.sources.ids import free_id, too_long

Checked = tuple[str, Record | Rejected] | Fault  # a row with its place, such as `metadata.jsonl:41`


def checked_rows(rows: Iterable[Checked], where: str) -> Records:
    """Yield the rows in order, after all of them were read; each faulty one as a rejected row.

    A row is faulty too if an earlier good row has its id, or the id of one of its examples. A faulty row
    keeps its id if no other row has it.

    Args:
        rows: the rows, the good ones with their places
        where: the corpus, for messages

    Raises:
        InputError: there are no rows, or all of them are faulty.
    """
    found = list(_with_own_ids(rows))
    if not found:
        raise InputError(f"{where}: its metadata has no rows; there is nothing to read")
    ids = {row.id for row in found if not isinstance(row, Fault)}
    if not ids:
        raise _all_faulty([row for row in found if isinstance(row, Fault)], where)
    for index, (row, split) in enumerate(zip(found, splits_of(found), strict=True)):
        if not isinstance(row, Fault):
            yield row
            continue
        rejected = row.rejected(split=split)
        own = row.row_id if isinstance(row.row_id, str) and _is_id(row.row_id) else rejected.id
        row_id = next((name for name in (own, rejected.id) if name not in ids), None)
        row_id = row_id or free_id(rejected.id, index, ids)
        ids.add(row_id)
        yield rejected.model_copy(update={"id": row_id})


def medium_of(record: Record) -> str | None:
    """The medium of a record that a rejected row names: its sound, or else its picture."""
    return record.audio.path if record.audio else record.image


def _with_own_ids(rows: Iterable[Checked]) -> Iterator[Record | Rejected | Fault]:
    """The rows; those with an id that an earlier one has, or with one that is too long, are faulty."""
    taken: dict[tuple[str, str], str] = {}
    for found in rows:
        if isinstance(found, Fault):
            yield found
            continue
        place, row = found
        examples = row.examples if isinstance(row, Record) else ()
        names = Counter([("id", row.id), *(("example id", example.id) for example in examples)])
        doubled: dict[str, str] = {}  # by value: a row with one example may have one id for both
        for (kind, value), count in names.items():
            if (kind, value) in taken or count > 1:
                fault = f"{kind} {value!r} is on {taken.get((kind, value), place)} already; give each its own"
                doubled.setdefault(value, fault)
        faults = list(doubled.values())
        if isinstance(row, Record) and row.metadata:
            faults += _no_json(row)
        if len(row.id) > LONGEST_ID:
            faults.append(f"id too long: {too_long(row.id)}")
        if faults:
            path = row.path if isinstance(row, Rejected) else medium_of(row)
            what = shown_faults(faults)
            yield Fault(place, what, row.id, (row.split,), row.dataset, row.group, path)
            continue
        taken |= dict.fromkeys(names, place)
        yield row


def _is_id(name: str) -> bool:
    return len(name) <= LONGEST_ID and ID_PATTERN.fullmatch(name) is not None


def _no_json(record: Record) -> list[str]:
    """Say that metadata cannot be stored: a column may hold NaN or bytes, which JSON does not know."""
    try:
        record.model_dump(mode="json", include={"metadata"})  # refuses bytes
        json.dumps(record.metadata, allow_nan=False, default=str)
    except (ValueError, TypeError) as error:
        return [f"metadata cannot be written as JSON: {error}"]
    return []


def _all_faulty(rows: Sequence[Fault], where: str) -> InputError:
    """The error for a corpus without a good row: each fault once, with its first place."""
    places: dict[str, list[str]] = {}
    for row in rows:
        places.setdefault(row.what, []).append(row.where)
    lines = [
        f"{at[0]}: {fault}" + (f" (and {len(at) - 1} more rows)" if len(at) > 1 else "")
        for fault, at in places.items()
    ]
    if len(rows) == 1:
        return InputError(f"{where}: {lines[0]}")
    return InputError(f"{where}: none of its {len(rows)} rows can be read", *first_errors(lines))

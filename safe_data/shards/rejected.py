"""Rejected: the records that a build could not use, in a Parquet file beside the manifest, a row each.

index    place in the source
id, dataset, split, group
path     the medium that was looked for or is damaged, in the corpus; null for a row that names none
kind     the reason up to its first colon, by which reasons are counted
reason
"""

import textwrap
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from safe_data.core.errors import InputError
from safe_data.core.files import Root
from safe_data.core.numerals import cut
from safe_data.core.table import COLUMNS, Table, csv_text, render
from safe_data.core.terminal import escaped
from safe_data.shards import manifest
from safe_data.shards.layout import (
    MANIFEST,
    REJECTED,
    Dataset,
    Done,
    hash_fault,
    read_dataset,
    read_json,
    shards_of,
)
from safe_data.shards.manifest import read_parquet, reason_kind, write_parquet
from safe_data.shards.storage import Storage, open_storage

SCHEMA = pa.schema(
    [
        pa.field("index", pa.int64(), nullable=False),
        *(pa.field(name, pa.string(), nullable=False) for name in ("id", "dataset", "split", "group")),
        pa.field("path", pa.string()),
        *(pa.field(name, pa.string(), nullable=False) for name in ("kind", "reason")),
    ]
)


class Rejects(msgspec.Struct, frozen=True):
    """The rejected records of a dataset, or those of some kinds; `reasons` counts all of them by kind."""

    root: str
    rows: int
    reasons: dict[str, int]
    rejected: list[dict[str, Any]]


def rejected_of(rows: pa.Table) -> pa.Table:
    """The rejected records among the rows of a manifest.

    A manifest of an older version does not know the paths.
    """
    found = rows.filter(pc.equal(rows["status"], "rejected"))
    reasons = found["error"].to_pylist()
    columns = {name: found[name] for name in ("index", "id", "dataset", "split", "group")}
    columns |= {"path": found["source_path"], "kind": [reason_kind(reason) for reason in reasons]}
    return pa.table({**columns, "reason": reasons}, schema=SCHEMA)


def write_rejected(file: BinaryIO, manifests: Iterable[pa.Table]) -> None:
    """Write the rejected records of the manifest rows of all shards; without any, a table of no rows."""
    tables = [SCHEMA.empty_table(), *(rejected_of(rows) for rows in manifests)]
    write_parquet(file, SCHEMA, [pa.concat_tables(tables).combine_chunks()])


def read_rejected(root: Root, reason: str | None = None) -> Rejects:
    """Read the rejected records of a dataset; with a `reason`, those of this kind, or of kinds that begin so.

    Raises:
        InputError: there is no finished dataset, its file of rejected records is missing or damaged, or no
            record was rejected for such a reason.
    """
    storage = open_storage(root)
    dataset = read_dataset(storage)
    found = _stored(storage, dataset).to_pylist()
    reasons = dict(Counter(row["kind"] for row in found).most_common())
    if reason is not None:
        kinds = [reason] if reason in reasons else [kind for kind in reasons if kind.startswith(reason)]
        if not kinds:
            there = ", ".join(f"{kind} ({count})" for kind, count in reasons.items())
            hint = f"the reasons are {there}" if there else "no record was rejected at all"
            raise InputError(f"--reason {reason}: no record of {root} was rejected for it; {hint}")
        found = [row for row in found if row["kind"] in kinds]
    rows = sum(read_json(storage, paths.done, Done).rows for paths in shards_of(dataset))
    return Rejects(str(root).encode("utf-8", "backslashreplace").decode(), rows, reasons, found)


def _stored(storage: Storage, dataset: Dataset) -> pa.Table:
    if dataset.rejected_sha256 is None:  # of an older version, which wrote no such file
        return rejected_of(manifest.read_stored(storage, MANIFEST))
    if fault := hash_fault(storage, REJECTED, dataset.rejected_sha256):
        raise InputError(f"{storage}/{REJECTED}: {fault}; run the build again")
    return read_parquet(storage, Path(REJECTED), "a table of rejected records")


def rejected_lines(rejects: Rejects) -> list[str]:
    """At most 80 columns: how many of each kind; below, the id, the path and the details of each record."""
    total = sum(rejects.reasons.values())
    some = "" if len(rejects.rejected) == total else f", {len(rejects.rejected)} of them shown"
    lines = [escaped(rejects.root), f"  {total} of {rejects.rows} records rejected{some}"]
    if total:
        lines.append("  rejected  share  reason")
    for kind, count in rejects.reasons.items():
        lines.append(f"  {count:8}  {count / rejects.rows:5.1%}  {escaped(kind)}")
    for kind in rejects.reasons:
        of_kind = [row for row in rejects.rejected if row["kind"] == kind]
        lines += ["", f"  {escaped(kind)}"] if of_kind else []
        for row in of_kind:
            lines += _record_lines(row)
    return [cut(line, COLUMNS) for line in lines]


def _record_lines(row: dict[str, Any]) -> list[str]:
    """The id and the path of a record, and its details below where they say more."""
    path = "" if row["path"] is None else f"  {escaped(row['path'])}"
    details = row["reason"].removeprefix(row["kind"]).removeprefix(":").strip()
    about = [] if details in ("", row["path"]) else _wrapped(escaped(details), 6)
    return [*_wrapped(f"{row['id']}{path}", 4), *about]


def _wrapped(text: str, columns: int) -> list[str]:
    """Lines of at most 80 columns, indented by so many, which hold all of the text."""
    first, rest = " " * columns, " " * (columns + 4)
    wrapper = textwrap.TextWrapper(
        COLUMNS, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False
    )
    return wrapper.wrap(text)


def rejected_json(rejects: Rejects) -> list[str]:
    """All of it as JSON."""
    return render((), "json", rejects)


def rejected_csv(rejects: Rejects) -> list[str]:
    """The records as CSV; characters that no terminal shows are written as escapes such as `\\x1b`."""
    values = ([row[name] for name in SCHEMA.names] for row in rejects.rejected)
    rows = [[escaped(value) if isinstance(value, str) else value for value in row] for row in values]
    return csv_text([Table("rejected", tuple(SCHEMA.names), rows, name="rejected")]).splitlines()

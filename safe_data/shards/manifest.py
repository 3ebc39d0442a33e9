"""Manifest: a Parquet table with one row per input record; rejected records have their reason."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, get_args, get_type_hints

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from safe_data.core.errors import InputError
from safe_data.core.numerals import cut
from safe_data.core.table import COLUMNS
from safe_data.shards.storage import FileName, Folder, Storage

Text = Annotated[str, pa.string()]
Flag = Annotated[bool, pa.bool_()]
Real = Annotated[float, pa.float64()]
Int = Annotated[int, pa.int32()]
Long = Annotated[int, pa.int64()]


@dataclass(frozen=True, kw_only=True)
class Row:
    """One input record; offsets and sizes are bytes in the tar, `row` is the row in the sidecars.

    `json_sha256`, `audio_sha256` and `image_sha256` hash the stored files; `pcm_sha256` and `pixel_sha256`
    hash the decoded samples and pixels; `image_dhash` describes what a picture looks like. All facts are of
    the stored media. `source_path`, in the corpus, is the medium for which a record was rejected. `events` is
    the JSON list of what happens in the clip, as in the record.
    """

    index: Long
    id: Text
    dataset: Text
    split: Text
    group: Text
    label: Text | None = None
    difficulty: Text | None = None
    status: Annotated[Literal["ok", "rejected"], pa.string()]
    error: Text | None = None
    source_path: Text | None = None
    shard: Text
    row: Int | None = None
    has_audio: Flag = False
    has_image: Flag = False
    json_offset: Long | None = None
    json_size: Long | None = None
    json_sha256: Text | None = None
    audio_name: Text | None = None
    audio_offset: Long | None = None
    audio_size: Long | None = None
    image_name: Text | None = None
    image_offset: Long | None = None
    image_size: Long | None = None
    audio_sha256: Text | None = None
    pcm_sha256: Text | None = None
    image_sha256: Text | None = None
    pixel_sha256: Text | None = None
    image_dhash: Text | None = None
    duration_seconds: Real | None = None
    sample_rate_hz: Int | None = None
    channels: Int | None = None
    rms_db: Real | None = None
    peak: Real | None = None
    clipped_fraction: Real | None = None
    snr_db: Real | None = None
    silence_fraction: Real | None = None
    image_width: Int | None = None
    image_height: Int | None = None
    examples: Int = 0
    audio_examples: Int = 0
    events: Text | None = None
    transcript: Text | None = None


def _arrow_fields() -> list[pa.Field]:
    hints = get_type_hints(Row, include_extras=True)
    columns = []
    for field in fields(Row):
        hint = hints[field.name]
        optional = type(None) in get_args(hint)
        annotated = get_args(hint)[0] if optional else hint
        columns.append(pa.field(field.name, annotated.__metadata__[0], nullable=optional))
    return columns


SCHEMA = pa.schema(_arrow_fields())
LATER_COLUMNS = (
    "source_path",
    "json_sha256",
    "events",
    "transcript",
)  # which an older dataset lacks, and which are null there


def table(rows: Iterable[Row]) -> pa.Table:
    """Make one table of the rows."""
    return pa.Table.from_pylist([vars(row) for row in rows], schema=SCHEMA)


def write(file: BinaryIO, tables: Iterable[pa.Table]) -> None:
    """Write Parquet with one row group per table; the same rows give the same bytes."""
    write_parquet(file, SCHEMA, tables)


def write_parquet(file: BinaryIO, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Write Parquet with these columns, in the one way that gives the same rows the same bytes."""
    options: dict[str, Any] = {
        "compression": "zstd",
        "use_dictionary": False,  # nearly every value is unique
        "write_statistics": False,
        "store_schema": False,
    }
    with pq.ParquetWriter(file, schema, **options) as writer:
        for rows in tables:
            writer.write_table(rows)


def read(path: Path) -> pa.Table:
    """Read the manifest at a path.

    Raises:
        InputError: see `read_stored`.
    """
    return read_stored(Folder(path.parent), path.name)


def read_stored(storage: Storage, name: FileName) -> pa.Table:
    """Read a manifest, or the manifest rows of one shard, from a storage.

    Raises:
        InputError: it is not a Parquet file, or has other columns.
    """
    found = read_parquet(storage, name, "a manifest")
    for column in LATER_COLUMNS:
        if column not in found.schema.names:
            place = SCHEMA.get_field_index(column)
            found = found.add_column(place, SCHEMA.field(column), [pa.nulls(len(found), pa.string())])
    if not found.schema.equals(SCHEMA):
        odd = set(found.schema.names) ^ set(SCHEMA.names)
        raise InputError(
            f"{storage}/{name}: not the columns of a manifest ({', '.join(sorted(odd)) or 'other types'})"
        )
    return found


def read_parquet(storage: Storage, name: FileName, what: str) -> pa.Table:
    """Read a Parquet file of a dataset with whatever columns it has.

    Raises:
        InputError: it is missing, or not a Parquet file.
    """
    try:
        # As bytes, a path may be any; through a file of Python, Arrow's threads may end after Python does.
        with storage.local(name) as path, pa.OSFile(os.fsencode(path)) as opened:
            return pq.ParquetFile(opened).read()
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{storage}/{name}: cannot be read as {what} ({error}); build the dataset again"
        ) from None


@dataclass(frozen=True)
class Rejection:
    """A kind of reason, the number of records rejected for it, and the first of them."""

    kind: str
    count: int
    first: str


def reason_kind(reason: str) -> str:
    """The text before the first colon of a reason."""
    return reason.partition(":")[0]


def count_rejections(tables: Iterable[pa.Table]) -> tuple[Rejection, ...]:
    """Count rejected records by kind of reason (the text before the colon), most frequent first."""
    counts: Counter[str] = Counter()
    first: dict[str, str] = {}
    for rows in tables:
        rejected = rows.filter(pc.equal(rows["status"], "rejected")).select(["id", "error"])
        for row in rejected.to_pylist():
            kind = reason_kind(row["error"])
            counts[kind] += 1
            first.setdefault(kind, f"{row['id']!r}: {row['error']}")
    return tuple(Rejection(kind, count, first[kind]) for kind, count in counts.most_common())


def rejection_table(rejections: Sequence[Rejection], rows: int) -> list[str]:
    """Table lines: how many records, their share of all, the kind of reason, and below the first such record.

    >>> print(*rejection_table([Rejection("no such file", 3, "'a-1': no such file: a.wav")], 60), sep="\\n")
      rejected  share  reason
             3   5.0%  no such file
                       'a-1': a.wav
    """
    lines = ["  rejected  share  reason"] if rejections else []
    for rejection in rejections:
        lines.append(f"  {rejection.count:8}  {rejection.count / rows:5.1%}  {rejection.kind}")
        first = rejection.first.replace(f": {rejection.kind}: ", ": ", 1)
        lines.append(" " * 19 + cut(" ".join(first.split()), COLUMNS - 19))
    return lines

"""Splits file: which split each record of a corpus goes to, by id, in CSV or Parquet.

`safe-data split` writes one, `safe-data build --splits` applies it. Only the columns `id` and `split` are
needed; what `split` writes beside them says why.
"""

import io
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from safe_data.core.errors import InputError, first_errors
from safe_data.core.numerals import counted, cut
from safe_data.records import ID_PATTERN, LONGEST_ID, Record, Rejected

ID, SPLIT = "id", "split"


def splits_csv(table: pa.Table) -> bytes:
    """The table as CSV; text is quoted where it has to be, and null is an empty cell."""
    file = io.BytesIO()
    pa_csv.write_csv(table, file, pa_csv.WriteOptions(quoting_style="needed"))
    return file.getvalue()


def read_splits(path: Path) -> dict[str, str]:
    """The split of each id.

    Raises:
        InputError: the file is missing or unreadable, lacks a column, names an id twice, or names a split
            that cannot be one.
    """
    table = _read(path)
    if lacking := [name for name in (ID, SPLIT) if name not in table.schema.names]:
        has = ", ".join(table.schema.names)
        raise InputError(f"{path}: has no column {' and '.join(lacking)}, only {cut(has, LONGEST_ID)}")
    ids, splits = (_text(path, table, name) for name in (ID, SPLIT))
    faults = [
        f"{path}: {split!r} cannot be the name of a split; it may hold only A-Z a-z 0-9 _ and -"
        for split in pc.unique(splits).to_pylist()
        if not split or not ID_PATTERN.fullmatch(split)
    ]
    counts = pc.value_counts(ids)
    for row in counts.filter(pc.greater(counts.field("counts"), 1)).to_pylist():
        faults.append(f"{path}: {row['values']!r} is there {row['counts']} times; give each id one split")
    if faults:
        raise InputError(*first_errors(faults))
    return dict(zip(ids.to_pylist(), splits.to_pylist(), strict=True))


def with_splits(
    records: Iterable[Record | Rejected], splits: Mapping[str, str], path: Path
) -> Iterator[Record | Rejected]:
    """The records, each in the split that its id has there.

    Args:
        records: all rows of a corpus, rejected ones too, each with its own id
        splits: the split of each id
        path: where they were read, for messages

    Raises:
        InputError: an id is only in the corpus, or only in the file.
    """
    given = list(records)
    ids = [record.id for record in given]
    missing = [record_id for record_id in ids if record_id not in splits]
    unknown = sorted(splits.keys() - set(ids))
    lines = [f"{record_id!r} has no split" for record_id in missing]
    lines += [f"{record_id!r} is no record of the corpus" for record_id in unknown]
    if lines:
        faults = f"{counted(len(missing), 'record')} of the corpus without a split, and "
        faults += f"{counted(len(unknown), 'id')} that the corpus does not have"
        raise InputError(f"{path}: {faults}; split the same corpus again", *first_errors(lines))
    for record in given:
        yield record.model_copy(update={"split": splits[record.id]})


def _read(path: Path) -> pa.Table:
    if not path.is_file():
        raise InputError(f"{path}: no such file; `safe-data split` writes a splits.csv")
    try:
        with pa.OSFile(os.fsencode(path)) as file:  # as bytes, a path need not be UTF-8
            if path.suffix == ".parquet":
                return pq.read_table(file)
            options = pa_csv.ConvertOptions(column_types={ID: pa.string(), SPLIT: pa.string()})
            return pa_csv.read_csv(file, convert_options=options)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: cannot be read as splits ({error}); split the corpus again") from None


def _text(path: Path, table: pa.Table, column: str) -> pa.Array:
    try:
        return pc.fill_null(table[column].cast(pa.string()), "").combine_chunks()
    except pa.ArrowException as error:
        raise InputError(f"{path}: column {column!r} holds no text ({error})") from None

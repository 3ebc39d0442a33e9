"""Examples: every question and caption of the loaded records, read from the shards.

The manifest only counts them. What is asked is in the JSON member of each record, read here tar by tar in the
order in which the bytes lie.
"""

import os
from collections.abc import Iterator
from operator import attrgetter

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int
from numpy import ndarray

from safe_data.audit.corpus import Corpus
from safe_data.core.errors import InputError

LARGEST_JSON_BYTES = 2**24
SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("task", pa.string(), nullable=False),
        pa.field("prompt", pa.string(), nullable=False),
        pa.field("references", pa.list_(pa.string()), nullable=False),
        pa.field("choices", pa.list_(pa.string())),
        pa.field("question_type", pa.string()),
        pa.field("needs_audio", pa.bool_()),
    ]
)
_BATCH = 50_000  # examples that are Python objects at the same time


class _Example(msgspec.Struct, frozen=True, gc=False):
    id: str
    task: str
    prompt: str
    references: tuple[str, ...]
    choices: tuple[str, ...] | None = None
    question_type: str | None = None
    needs_audio: bool | None = None


class _Asked(msgspec.Struct, frozen=True, gc=False):
    examples: tuple[_Example, ...] = ()


def examples(corpus: Corpus) -> pa.Table:
    """All examples with the rows of their records, in the order of the manifest.

    Raises:
        InputError: a tar is missing or damaged, so that what is asked is not known.
    """
    found = [_table(rows) for rows in _batches(corpus)]
    table = pa.concat_tables(found or [SCHEMA.empty_table()]).combine_chunks()
    found.clear()
    pa.default_memory_pool().release_unused()
    rows = np.asarray(table["row"])
    if (rows[1:] >= rows[:-1]).all():
        return table
    return table.take(pc.sort_indices(table["row"]))  # stable


def column(asked: pa.Table, name: str) -> pa.Array:
    """A column of examples as one array; Arrow's `combine_chunks` would copy one that is whole already."""
    found = asked[name]
    return found.chunk(0) if found.num_chunks == 1 else found.combine_chunks()


def word_counts(texts: pa.Array) -> Int[ndarray, " texts"]:
    """How many words each text has, with blanks between them.

    >>> word_counts(pa.array([" a dog", " ", ""])).tolist()
    [2, 0, 0]
    """
    trimmed = pc.utf8_trim_whitespace(texts)
    counts = np.asarray(pc.list_value_length(pc.utf8_split_whitespace(trimmed)), np.int64)
    return np.where(np.asarray(pc.equal(trimmed, "")), 0, counts)


def _batches(corpus: Corpus) -> Iterator[list[tuple[int, _Example]]]:
    batch: list[tuple[int, _Example]] = []
    decode = msgspec.json.Decoder(_Asked).decode  # six times as fast as a new one for each
    for row, data in _members(corpus):
        try:
            asked = decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise InputError(
                f"{corpus.tar(row)}: the JSON of {corpus.label(row)} is damaged; see `safe-data verify`"
            ) from None
        batch += [(row, example) for example in asked.examples]
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _members(corpus: Corpus) -> Iterator[tuple[int, bytes]]:
    """The JSON of each loaded record, tar by tar."""
    manifest = corpus.manifest
    rows = np.flatnonzero(np.asarray(pc.equal(manifest["status"], "ok")))
    if corpus.described:
        yield from ((row, corpus.described[row]) for row in rows.tolist())
        return
    offsets, sizes = (manifest[name].fill_null(-1).to_numpy()[rows] for name in ("json_offset", "json_size"))
    if (offsets < 0).any() or (sizes < 0).any():
        raise ValueError("the manifest does not say where the records are; build the dataset again")
    for chosen in _by_tar(corpus, rows):
        tar = corpus.tar(int(rows[chosen[0]]))
        try:
            with open(os.fsencode(tar), "rb") as file:  # noqa: PTH123 - as bytes, a path need not be UTF-8
                ordered = chosen[np.argsort(offsets[chosen], kind="stable")]
                columns = (values[ordered].tolist() for values in (rows, sizes, offsets))
                for row, size, offset in zip(*columns, strict=True):
                    if size > LARGEST_JSON_BYTES:
                        raise InputError(f"{tar}: the JSON of a record is said to have {size} bytes")
                    yield row, os.pread(file.fileno(), size, offset)
        except OSError as error:
            raise InputError(f"{tar}: cannot be read ({error.strerror or error})") from None


def _by_tar(corpus: Corpus, rows: Int[ndarray, " records"]) -> list[Int[ndarray, " some"]]:
    """The places in `rows` of the records of each tar."""
    names = corpus.manifest.select(["split", "shard"]).take(pa.array(rows))
    joined = pc.binary_join_element_wise(names["split"], names["shard"], "/")
    numbers = np.asarray(pc.dictionary_encode(joined).combine_chunks().indices)
    keys = numbers + (int(numbers.max(initial=0)) + 1) * corpus.dataset_of[rows]
    order = np.argsort(keys, kind="stable")
    cuts = np.flatnonzero(np.diff(keys[order])) + 1
    return np.split(order, cuts) if len(order) else []


def _table(rows: list[tuple[int, _Example]]) -> pa.Table:
    fields = attrgetter(*SCHEMA.names[1:])
    columns = [[row for row, _ in rows], *zip(*(fields(example) for _, example in rows), strict=True)]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, SCHEMA, strict=True)]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)

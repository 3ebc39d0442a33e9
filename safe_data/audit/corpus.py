"""Corpus: the datasets that are audited together, as one table of records, and the media behind a record.

What is costly to find, such as the likeness of sounds, is found once for all facts that need it.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from jaxtyping import Int
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_data.shards.layout import MANIFEST, Dataset, ShardPaths, read_dataset

Found = TypeVar("Found")
Member = Literal["json", "audio", "image"]

_ROWS_AT_ONCE = 2**16


@dataclass(frozen=True)
class Given:
    """What a user gave besides the datasets: annotations, and a curriculum with what it draws from."""

    annotations: Path | None = None
    sampling: Path | None = None
    split: str = "train"
    batch_size: int = 256


@dataclass(frozen=True, eq=False)
class Corpus:
    """Datasets that are judged together; row i of `manifest` is a record of dataset `dataset_of[i]`.

    `manifest` holds the manifests one after another, rejected records too, in the order of `names`. Where
    only annotations are looked at, before there are shards, `described` holds the JSON of each record.
    """

    names: tuple[str, ...]
    roots: tuple[Path, ...]
    datasets: tuple[Dataset, ...]
    manifest: pa.Table
    dataset_of: Int[ndarray, " records"]
    given: Given = Given()
    described: tuple[bytes, ...] = ()
    _found: dict[Any, Any] = field(default_factory=dict, repr=False)

    def once(self, find: Callable[["Corpus"], Found]) -> Found:
        """What `find` finds in this corpus; it is called the first time only."""
        if find not in self._found:
            self._found[find] = find(self)
        found: Found = self._found[find]
        return found

    def label(self, row: int) -> str:
        """How a record is named in a finding: `split/id`, with the dataset in front if there are several."""
        split, name = self.manifest["split"][row].as_py(), self.manifest["id"][row].as_py()
        return f"{self._ahead[self.dataset_of[row]]}{split}/{name}"

    def labels(self) -> list[str]:
        """`label` of every row."""
        splits, ids = self.manifest["split"].to_pylist(), self.manifest["id"].to_pylist()
        rows = zip(self.dataset_of.tolist(), splits, ids, strict=True)
        return [f"{self._ahead[which]}{split}/{name}" for which, split, name in rows]

    @cached_property
    def _ahead(self) -> list[str]:
        return [f"{name}:" if len(self.names) > 1 else "" for name in self.names]

    def member(self, row: int, kind: Member) -> bytes | None:
        """The stored bytes of a record's JSON, sound or picture; None if it has none.

        Raises:
            InputError: the tar is missing or shorter than its manifest says.
        """
        if self.described:
            return self.described[row] or None if kind == "json" else None
        values = {name: self.manifest[f"{kind}_{name}"][row].as_py() for name in ("offset", "size")}
        if values["offset"] is None or values["size"] is None:
            return None
        tar = self.tar(row)
        try:
            with open(os.fsencode(tar), "rb") as file:  # noqa: PTH123 - as bytes, a path need not be UTF-8
                data = os.pread(file.fileno(), values["size"], values["offset"])
        except OSError as error:
            raise InputError(f"{tar}: cannot be read ({error.strerror or error})") from None
        if len(data) != values["size"]:
            raise InputError(f"{tar}: shorter than its manifest says; see `safe-data verify`")
        return data

    def tar(self, row: int) -> Path:
        """The tar in which a loaded record is stored."""
        split, shard = self.manifest["split"][row].as_py(), self.manifest["shard"][row].as_py()
        return ShardPaths(self.roots[self.dataset_of[row]], split, shard).tar


def open_corpus(roots: Sequence[str], given: Given = Given()) -> Corpus:
    """Open finished datasets, each given as ROOT or NAME=ROOT (default: the name in its dataset.json).

    Raises:
        InputError: none is given, one is no dataset or has no rows, or two have one name.
    """
    if not roots:
        raise InputError("no dataset is given; name the directory of a finished one")
    names, paths, datasets, manifests = [], [], [], []
    for root in roots:
        name, path = named_root(root)
        dataset = read_dataset(path)
        name = name or dataset.name
        if name in names:
            raise InputError(f"{path}: two datasets are called {name!r}; give one of them as NAME={path}")
        names.append(name)
        paths.append(path)
        datasets.append(dataset)
        manifests.append(read_manifest(path, dataset))
    try:
        table = pa.concat_tables(manifests, promote_options="permissive")
    except pa.ArrowException as error:
        raise InputError(f"the manifests of {', '.join(names)} do not fit together: {error}") from None
    numbers = np.repeat(np.arange(len(names)), [one.num_rows for one in manifests])
    return Corpus(tuple(names), tuple(paths), tuple(datasets), table, numbers, given)


def named_root(given: str) -> tuple[str, Path]:
    """The name, which may be empty, and the path of ROOT or NAME=ROOT; a folder's name may have an `=`."""
    name, equals, path = given.partition("=")
    if not equals or Path(given).exists():
        return "", Path(given)
    return name, Path(path)


def read_manifest(root: Path, dataset: Dataset) -> pa.Table:
    """Read the manifest with whatever columns it has: the suites say whether they are the format's.

    From now on Arrow gives back what it no longer needs: its own pool would keep as much as the table takes.

    Raises:
        InputError: it is missing, unreadable, without rows, or not the one that dataset.json names.
    """
    pa.set_memory_pool(pa.system_memory_pool())
    path = root / MANIFEST
    if not path.is_file():
        raise InputError(f"{path}: missing; build the dataset again")
    if file_sha256(path) != dataset.manifest_sha256:
        raise InputError(f"{path}: not the one the dataset was finished with; see safe-data verify {root}")
    try:
        with pa.OSFile(os.fsencode(path)) as file:  # as bytes, a path need not be UTF-8
            opened = pq.ParquetFile(file)
            batches = opened.iter_batches(_ROWS_AT_ONCE, use_threads=False)  # so few are decoded at once
            manifest = pa.Table.from_batches(batches, opened.schema_arrow)
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path}: cannot be read as a manifest ({error}); build the dataset again") from None
    if not manifest.num_rows:
        raise InputError(f"{path}: has no rows, so there is nothing to judge")
    pa.default_memory_pool().release_unused()
    return manifest.replace_schema_metadata(None)  # pandas would act on it, and strangers may have written it

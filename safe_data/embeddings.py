"""Embeddings: rows of a split's sidecars, in any order."""

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float16, Int
from numpy import ndarray

from safe_data.errors import InputError

MAPS_OPEN = 256  # each holds a file descriptor, and a process may read several datasets

Map = Float16[ndarray, "rows *shape"]
Shards = Int[ndarray, " n"]
Rows = Int[ndarray, " n"]


class Embeddings:
    """The sidecars of one encoder, one a shard, of `rows` rows each.

    The first 256 that are read stay memory-mapped. Of any more the rows are read one by one, and no file is
    held open: a shuffle over thousands of shards comes back to each too rarely for opening maps to pay.
    """

    def __init__(self, paths: Sequence[Path], rows: Sequence[int], shape: tuple[int, ...]) -> None:
        self._paths, self._rows, self._shape = [str(path) for path in paths], rows, shape
        self._row_bytes = np.dtype(np.float16).itemsize * int(np.prod(shape))
        self._maps: dict[int, Map] = {}
        self._offsets: dict[int, int] = {}  # where in a file its rows begin

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_maps": {}, "_offsets": {}}  # a map would be pickled as all it maps

    def read(self, shards: Shards, rows: Rows) -> Float16[ndarray, "n *shape"]:
        """The embeddings of these rows of these shards.

        Raises:
            InputError: a sidecar is missing, damaged, or not of this shape.
        """
        result = np.empty((len(rows), *self._shape), np.float16)
        order = np.argsort(shards, kind="stable")
        shards, rows = shards[order], rows[order]
        firsts = np.flatnonzero(np.diff(shards, prepend=-1))
        bounds = [*firsts.tolist(), len(order)]
        for shard, (first, end) in zip(shards[firsts].tolist(), pairwise(bounds), strict=True):
            if shard not in self._offsets:
                self._open(shard)
            if shard in self._maps:
                result[order[first:end]] = self._maps[shard][rows[first:end]]
            else:
                self._read_rows(shard, rows[first:end].tolist(), result, order[first:end].tolist())
        return result

    def _read_rows(self, shard: int, rows: list[int], result: ndarray, places: list[int]) -> None:
        start = self._offsets[shard]
        file = os.open(self._paths[shard], os.O_RDONLY)
        try:
            for row, place in zip(rows, places, strict=True):
                if os.preadv(file, [result[place]], start + row * self._row_bytes) != self._row_bytes:
                    raise InputError(f"{self._paths[shard]}: was cut short while it was read")
        finally:
            os.close(file)

    def _open(self, shard: int) -> None:
        """Check a sidecar, note where its rows begin, and keep it mapped if there is room."""
        path, expected = self._paths[shard], (self._rows[shard], *self._shape)
        try:
            found = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError) as error:
            raise InputError(
                f"{path}: cannot be read as embeddings ({error}); build the dataset again"
            ) from None
        if found.shape != expected or found.dtype != np.float16:
            raise InputError(f"{path}: is {found.dtype} {found.shape}, expected float16 {expected}")
        self._offsets[shard] = found.offset
        if len(self._maps) < MAPS_OPEN:
            self._maps[shard] = np.asarray(found)

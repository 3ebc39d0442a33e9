"""Sidecar: the embeddings of a shard's samples, one row each, in a .npy file beside the tar."""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from jaxtyping import Float16, Int
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.encoders.encoder import AudioEncoder
from safe_data.media.intake import Heard
from safe_data.shards.layout import Encoding, FileFacts, ShardPaths, hash_file
from safe_data.shards.storage import Storage

MAPS_OPEN = 256  # each map holds a file descriptor, and a process may read several datasets

Map = Float16[ndarray, "rows *shape"]
Shards = Int[ndarray, " n"]
Rows = Int[ndarray, " n"]


class SidecarWriter:
    """Encode clips batch by batch; a sample without sound gets zeros.

    numpy's header has room for a larger number of rows, so `close` fills that number in.
    """

    def __init__(self, file: BinaryIO, encoder: AudioEncoder) -> None:
        self.encoding = Encoding.of(encoder)
        self._file, self._encoder, self._rows = file, encoder, 0
        self._write_header()

    def add(self, clips: Sequence[Heard | None]) -> None:
        """Encode the next clips, one per sample; None for a sample without sound."""
        embeddings = np.zeros((len(clips), *self._encoder.shape), "<f2")
        heard = [row for row, clip in enumerate(clips) if clip is not None]
        if heard:
            rate = self._encoder.sample_rate_hz
            embeddings[heard] = self._encoder.encode([clip[rate] for clip in clips if clip is not None])
        self._file.write(embeddings.tobytes())
        self._rows += len(clips)

    def close(self) -> FileFacts:
        """Complete the header; return hash and size of the file."""
        self._file.seek(0)
        self._write_header()
        return hash_file(self._file)

    def _write_header(self) -> None:
        header = {"descr": "<f2", "fortran_order": False, "shape": (self._rows, *self._encoder.shape)}
        np.lib.format.write_array_header_1_0(self._file, header)


@contextmanager
def writing_sidecars(
    storage: Storage, paths: ShardPaths, encoders: Sequence[AudioEncoder]
) -> Iterator[list[SidecarWriter]]:
    """One open sidecar per encoder; the files appear whole or not at all."""
    with ExitStack() as stack:
        yield [
            SidecarWriter(
                stack.enter_context(storage.committing(paths.sidecar(Encoding.of(encoder)))), encoder
            )
            for encoder in encoders
        ]


class Embeddings:
    """Read the sidecars of one encoder: one file per shard, with `rows[i]` rows in file i.

    The first 256 files that are read stay memory-mapped. Rows of other files are read one by one, and no file
    stays open: a shuffle over thousands of shards returns to each too rarely for a map to pay off.
    """

    def __init__(self, paths: Sequence[Path], rows: Sequence[int], shape: tuple[int, ...]) -> None:
        self._paths, self._rows, self._shape = [str(path) for path in paths], rows, shape
        self._row_bytes = np.dtype(np.float16).itemsize * int(np.prod(shape))
        self._maps: dict[int, Map] = {}
        self._offsets: dict[int, int] = {}  # where the rows begin in each file

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_maps": {}, "_offsets": {}}  # a map would be pickled with all its data

    def read(self, shards: Shards, rows: Rows) -> Float16[ndarray, "n *shape"]:
        """The embeddings at row `rows[i]` of shard `shards[i]`.

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
        """Check a sidecar, note where its rows begin, and map it if fewer than 256 are mapped."""
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

"""Check AVI: its chunks follow one another, and are those that its index lists."""

import struct
from array import array
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from safe_data.core.errors import MediaError
from safe_data.media.checks.extents import Ahead, check_within, damaged, read_at

CHUNKS_READ = 2**20
_HAS_INDEX = 0x10  # in the flags of avih
_INDEX_BYTES = 16 * CHUNKS_READ

Chunk = tuple[bytes, int, int]  # its name, where its content starts, and how long it is


def check_avi(file: BinaryIO, size: int) -> None:
    """Refuse a file that is truncated, has a damaged chunk, or lacks one that its index lists.

    Source: Microsoft, AVI RIFF File Reference: RIFF, LIST movi, rec and idx1; OpenDML 1.02 for several RIFFs.

    Raises:
        MediaError: it is truncated or damaged.
    """
    media = array("q")  # of each chunk its name as a number, its place and its length
    index: tuple[int, int] | None = None
    has_index, origin, riff = False, 0, 0
    while riff + 12 <= size:
        head = read_at(file, riff, 12)
        if head[:4] != b"RIFF":
            break  # what was added after the end
        (length,) = struct.unpack_from("<I", head, 4)
        check_within("video", riff, 8 + length, size)
        for name, start, length_of in _chunks(file, riff + 12, riff + 8 + length):
            kind = read_at(file, start, 4) if name == b"LIST" else b""
            if kind == b"movi":
                origin = origin or start
                for chunk, at, size_of in _media(file, start + 4, start + length_of):
                    media.extend((int.from_bytes(chunk, "little"), at - 8, size_of))
                    if len(media) > 3 * CHUNKS_READ:
                        raise damaged("video", f"more than {CHUNKS_READ} chunks", at)
            elif kind == b"hdrl":
                has_index = _promises_index(file, start + 4, start + length_of)
            elif name == b"idx1":
                index = (start, length_of)
        riff += 8 + length + length % 2
    if not media:
        raise MediaError("empty video: no media data")
    if index is None and has_index:
        raise MediaError("truncated video: it has no index")
    if index is not None:
        _check_index(read_at(file, index[0], min(index[1], _INDEX_BYTES)), media, origin)


def _chunks(file: BinaryIO, at: int, end: int) -> Iterator[Chunk]:
    """The chunks from one place to another."""
    ahead = Ahead(file)
    for _ in range(CHUNKS_READ):
        if at + 8 > end:
            return
        name, length = struct.unpack("<4sI", ahead.read(at, 8))
        if not name.isascii() or not name.strip().isalnum() or at + 8 + length > end:
            raise damaged("video", "no chunk", at)
        yield name, at + 8, length
        at += 8 + length + length % 2
    raise damaged("video", f"more than {CHUNKS_READ} chunks", at)


def _media(file: BinaryIO, start: int, end: int) -> Iterator[Chunk]:
    """The chunks of sound and pictures: the number of a stream and two letters; some are grouped in lists."""
    for name, at, length in _chunks(file, start, end):
        if name == b"LIST":
            yield from _chunks(file, at + 4, at + length)
        elif name[:2].isdigit():
            yield name, at, length
        elif name[:2] != b"ix" and name != b"JUNK":
            raise damaged("video", "an unknown chunk", at - 8)


def _promises_index(file: BinaryIO, start: int, end: int) -> bool:
    """Check the headers: as many streams as the first says, each with two; whether it promises an index."""
    streams, flags, promised = 0, 0, 0
    for name, at, length in _chunks(file, start, end):
        if name == b"avih":
            flags, _, _, promised = struct.unpack_from("<4I", read_at(file, at + 12, 16).ljust(16, b"\0"))
        elif name == b"LIST" and read_at(file, at, 4) == b"strl":
            names = [name for name, _, _ in _chunks(file, at + 4, at + length)]
            streams += names[:2] == [b"strh", b"strf"]
    if streams != promised:
        raise MediaError(f"damaged video: {streams} streams are described, the header promises {promised}")
    return flags & _HAS_INDEX != 0


def _check_index(data: bytes, media: "array[int]", origin: int) -> None:
    """Compare the index with the chunks; it counts from the list, or from the start of the file."""
    rows = np.frombuffer(data[: len(data) // 16 * 16], "<u4").reshape(-1, 4)
    listed = rows[(rows[:, 1] & 1) == 0]  # others are lists
    there = np.array(media, np.int64).reshape(-1, 3)
    wanted: Int64[ndarray, "chunks 3"] = listed[:, [0, 2, 3]].astype(np.int64)
    if len(wanted) and wanted[0, 1] < origin:
        wanted[:, 1] += origin
    wanted = wanted[np.argsort(wanted[:, 1], kind="stable")]
    there = there[: len(wanted)]  # of several RIFFs, the index covers the first
    if len(there) < len(wanted):
        raise MediaError(f"truncated video: the index lists {len(wanted)} chunks, {len(there)} are there")
    wrong = (wanted != there).any(axis=1)
    if wrong.any():
        raise damaged("video", "a chunk that is not in the index", int(there[wrong.argmax(), 1]))

"""Read the boxes of an MP4, which lie in one another."""

import struct
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from safe_data.core.errors import MediaError
from safe_data.media.checks.extents import check_within, read_at

BOXES_READ = 2**16  # a fragmented file of ten minutes has some hundred
CHILDREN_READ = 2**12

Box = tuple[bytes, int, int]  # its type, where its content starts, and where it ends


def boxes_of(file: BinaryIO, offset: int, size: int) -> Iterator[Box]:
    """The boxes of a file, up to what is none.

    Size 1 means that a 64-bit size follows, and 0 that the box ends with the file.
    """
    for _ in range(BOXES_READ):
        head = read_at(file, offset, 16)
        if len(head) < 8:
            return
        (length,) = struct.unpack_from(">I", head)
        header = 8
        if length == 1 and len(head) == 16:
            (length,), header = struct.unpack_from(">Q", head, 8), 16
        if length == 0:
            length = size - offset
        if length < header or not head[4:8].isascii() or not any(head[4:8]):
            return
        check_within("video", offset, length, size)
        yield head[4:8], offset + header, offset + length
        offset += length


def children(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes in a box, each with its content."""
    at = 0
    for _ in range(CHILDREN_READ):
        if at + 8 > len(data):
            return
        length, kind = struct.unpack_from(">I4s", data, at)
        if length == 0 and not any(data[at:]):
            return  # QuickTime ends a list with four zeros
        if length < 8 or at + length > len(data):
            raise MediaError("damaged video: a box that ends after the box around it")
        yield kind, data[at + 8 : at + length]
        at += length
    raise MediaError(f"damaged video: more than {CHILDREN_READ} boxes in a box")


def found(data: bytes, *path: bytes) -> bytes:
    """The content of the first box of that path; empty if there is none."""
    for name in path:
        data = next((content for kind, content in children(data) if kind == name), b"")
    return data


def table_of(data: bytes, columns: int) -> Int64[ndarray, "rows columns"]:
    """A table of 32-bit integers, which begins with its version and its number of rows."""
    (count,) = struct.unpack_from(">I", data.ljust(8, b"\0"), 4)
    values = np.frombuffer(data[8 : 8 + 4 * columns * count], np.uint8)
    if len(values) != 4 * columns * count:
        raise MediaError("damaged video: a table is cut off")
    return values.view(">u4").reshape(-1, columns).astype(np.int64)


def scale_and_duration(header: bytes) -> tuple[int, int]:
    """The units per second and the duration of a movie or a track."""
    long = header[:1] == b"\1"
    if len(header) < (32 if long else 20):
        raise MediaError("damaged video: a header is cut off")
    scale, duration = struct.unpack_from(">IQ" if long else ">II", header, 20 if long else 12)
    return scale or 1, duration

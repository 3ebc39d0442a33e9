"""Read the elements of EBML, the binary XML of Matroska: a name, a size and a content each."""

import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

from safe_data.core.errors import MediaError
from safe_data.media.checks.extents import blocks_of, damaged, read_at

Read = Callable[[int, int], bytes]  # of an offset and a length
Element = tuple[int, int, int | None]  # what it is, where its content starts, and where it ends if known


def check_crc(file: BinaryIO, start: int, end: int) -> None:
    """Compare the checksum that an element begins with, if it has one, with the rest of it.

    Source: RFC 8794, section 11.3.1: the CRC-32 of IEEE 802.3, least significant byte first.
    """
    head = read_at(file, start, 6)
    if head[:2] != b"\xbf\x84":
        return
    checksum = 0
    for block in blocks_of(file, start + 6, end):
        checksum = zlib.crc32(block, checksum)
    if checksum != int.from_bytes(head[2:], "little"):
        raise damaged("video", "a wrong checksum", start)


def children(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        identity, start, stop = parsed(data[at : at + 12], at)
        if stop is None or stop > len(data):
            raise damaged("video", "a description that ends after its element", at)
        yield identity, data[start:stop]
        at = stop


def element(read: Read, at: int, end: int) -> Element:
    return parsed(read(at, min(12, end - at)), at)


def parsed(head: bytes, at: int) -> Element:
    """Read the name of an element and its size; a size of ones only is unknown."""
    width = 9 - head[0].bit_length() if head else 9
    length = 9 - head[width].bit_length() if len(head) > width else 9
    if len(head) < min(12, width + length):
        raise MediaError("truncated video: it ends within an element")
    if width > 4 or length > 8:
        raise damaged("video", "no element", at)
    ones = (1 << 7 * length) - 1
    size = int.from_bytes(head[width : width + length]) & ones
    start = at + width + length
    return int.from_bytes(head[:width]), start, None if size == ones else start + size


def reading(file: BinaryIO) -> Read:
    return lambda offset, length: read_at(file, offset, length)


def reading_at_once(data: bytes, start: int) -> Read:
    return lambda offset, length: data[offset - start : offset - start + length]

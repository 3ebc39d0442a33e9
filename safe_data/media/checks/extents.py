"""Read a part of an untrusted file, and refuse parts that end after the file."""

from collections.abc import Iterator
from typing import BinaryIO

from safe_data.core.errors import MediaError

BLOCK_BYTES = 2**20  # what is checked at once of a large part
MISSING_SECONDS = 0.5  # a medium that ends this much before its header says is truncated


def read_at(file: BinaryIO, offset: int, length: int) -> bytes:
    """The bytes from an offset on; fewer at the end of the file."""
    file.seek(offset)
    return file.read(length)


def blocks_of(file: BinaryIO, start: int, end: int, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """The bytes from `start` to `end` in blocks of bounded size."""
    for offset in range(start, end, block_bytes):
        yield read_at(file, offset, min(block_bytes, end - offset))


def check_within(kind: str, start: int, length: int, size: int) -> None:
    """Refuse a part that ends after its file.

    Raises:
        MediaError: the file ends within the part.
    """
    if start + length > size:
        there = max(0, size - start)
        raise MediaError(f"truncated {kind}: the header promises {length} bytes, {there} are there")


def check_seconds(kind: str, promised_seconds: float, there_seconds: float) -> None:
    """Refuse a medium that ends before its header says.

    Raises:
        MediaError: more than half a second is missing.
    """
    if promised_seconds - there_seconds > MISSING_SECONDS:
        raise MediaError(
            f"truncated {kind}: the header promises {promised_seconds:g} s, {there_seconds:g} s are there"
        )


def damaged(kind: str, what: str, offset: int) -> MediaError:
    """The error for a file whose structure is broken at an offset."""
    return MediaError(f"damaged {kind}: {what} at byte {offset}")

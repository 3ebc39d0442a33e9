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


class Ahead:
    """Reads small parts of a file, one after the other, from blocks of bounded size."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._block, self._start = file, b"", 0

    def read(self, offset: int, length: int) -> bytes:
        """The bytes from an offset on; fewer at the end of the file."""
        place = offset - self._start
        if place < 0 or place + length > len(self._block):
            self._block = read_at(self._file, offset, max(BLOCK_BYTES, length))
            self._start, place = offset, 0
        return self._block[place : place + length]


def check_within(kind: str, start: int, length: int, size: int) -> None:
    """Refuse a part that ends after its file.

    Raises:
        MediaError: the file ends within the part.
    """
    if start + length > size:
        raise truncated(kind, length, size - start)


def check_seconds(kind: str, promised_seconds: float, there_seconds: float) -> None:
    """Refuse a medium that ends before its header says.

    Raises:
        MediaError: more than half a second is missing.
    """
    if promised_seconds - there_seconds > MISSING_SECONDS:
        raise MediaError(
            f"truncated {kind}: the header promises {promised_seconds:g} s, {there_seconds:g} s are there"
        )


def truncated(kind: str, promised: int, there: int) -> MediaError:
    """The error for a file that ends before its header says; both are bytes."""
    return MediaError(f"truncated {kind}: the header promises {promised} bytes, {max(0, there)} are there")


def damaged(kind: str, what: str, offset: int) -> MediaError:
    """The error for a file whose structure is broken at an offset."""
    return MediaError(f"damaged {kind}: {what} at byte {offset}")

"""Spliced: parts of a file and bytes from elsewhere, read as one file.

So a decoder reads a header that tells the truth, or one stream of several, and the file stays as it is.
"""

import io
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import BinaryIO


class Spliced(io.RawIOBase):
    """Pieces in a row, each some bytes or a range of the offsets of a file."""

    def __init__(self, file: BinaryIO, pieces: Sequence[bytes | range]) -> None:
        """Name the pieces; nothing is read."""
        self._file = file
        self._pieces = [piece for piece in pieces if len(piece)]
        self._starts = [0, *accumulate(len(piece) for piece in self._pieces)]
        self._position = 0

    def readable(self) -> bool:
        """Whether it can be read: always."""
        return True

    def seekable(self) -> bool:
        """Whether it can be sought in: always."""
        return True

    def tell(self) -> int:
        """The offset of the next byte."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to an offset, counted as for any file; the new offset."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._starts[-1]}[whence]
        self._position = max(0, base + offset)
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """Fill a buffer; the number of bytes, fewer than asked for at the end only."""
        view, filled = memoryview(buffer).cast("B"), 0
        while filled < len(view) and self._position < self._starts[-1]:
            data = self._from_one_piece(len(view) - filled)
            if not data:
                break  # the file became shorter
            view[filled : filled + len(data)] = data
            filled += len(data)
            self._position += len(data)
        return filled

    def _from_one_piece(self, length: int) -> bytes:
        number = bisect_right(self._starts, self._position) - 1
        piece, inside = self._pieces[number], self._position - self._starts[number]
        if isinstance(piece, bytes):
            return piece[inside : inside + length]
        self._file.seek(piece.start + inside)
        return self._file.read(min(length, len(piece) - inside))


def view_of(file: BinaryIO, pieces: Sequence[bytes | range]) -> BinaryIO:
    """The pieces as one file to read."""
    return io.BufferedReader(Spliced(file, pieces))


def patched(file: BinaryIO, changes: Mapping[int, bytes], stop: int) -> BinaryIO:
    """A file up to an offset, with some bytes in it replaced by as many others."""
    pieces: list[bytes | range] = []
    end = 0
    for offset, new in sorted(changes.items()):
        pieces += [range(end, offset), new]
        end = offset + len(new)
    return view_of(file, [*pieces, range(end, stop)])

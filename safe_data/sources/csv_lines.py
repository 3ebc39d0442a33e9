"""Split a CSV file into rows such that a faulty line costs that line alone.

A quote that is not closed would take the following rows into its cell, up to the next quote or the end of
the file. Such a row is given up after its first line, and reading goes on with the second.
"""

import csv
from collections import deque
from collections.abc import Callable, Iterator
from typing import TextIO

LONGEST_LINE = 2**24  # characters
MOST_LINES, FEWER_LINES = 4096, 64  # of one row, before and after so many lines were read again in vain:
MOST_READ_AGAIN = 2**19  # bounds the work on a file in which no quote is closed
FIX = "close quotes, and double those within a cell"
UNCLOSED = f"not CSV: a quote is not closed; {FIX}"

IsRow = Callable[[list[str]], bool]


class _UnclosedError(Exception):
    """The next line is not of this row."""


def csv_lines(text: TextIO, is_row: IsRow, width: int = 0) -> Iterator[tuple[int, list[str] | str]]:
    """The cells of each row, or its fault, with the number of its first line; blank lines are skipped.

    A row of several lines is taken for a quote that is not closed if one of the others is a row by itself: it
    has as many cells as the file has columns, and `is_row` says so. A row of several lines with any other
    number of cells is given as it is, and its other lines are read again.

    Args:
        text: the file, opened with `errors="surrogateescape"`, so that a byte that is no text is a fault of
            its row alone, and with `newline=""`
        is_row: whether so many cells as there are columns can be a row
        width: the number of columns; by default that of the first row
    """
    ahead: deque[str] = deque()
    taken: list[str] = []
    most = MOST_LINES

    def feed() -> Iterator[str]:
        while line := ahead.popleft() if ahead else text.readline(LONGEST_LINE):
            if taken and (len(taken) >= most or _stands_alone(line, is_row, width)):
                ahead.appendleft(line)
                raise _UnclosedError
            taken.append(line)
            yield line

    reader = csv.reader(feed(), strict=True)
    number, read_again = 1, 0
    while True:
        taken.clear()
        found: list[str] | str | None
        try:
            found = next(reader, None)
        except _UnclosedError:
            found = UNCLOSED
        except csv.Error as error:
            found = UNCLOSED if len(taken) > 1 else f"not CSV: {error}; {FIX}"
        if found is None:
            return
        if len(taken) > 1 and (isinstance(found, str) or len(found) != (width or len(found))):
            ahead.extendleft(reversed(taken[1:]))
            read_again += len(taken) - 1
            most = MOST_LINES if read_again < MOST_READ_AGAIN else FEWER_LINES
            del taken[1:]
        if isinstance(found, str):
            reader = csv.reader(feed(), strict=True)
        if found:
            width = width or len(found)
            is_plain = len(taken) == 1 and taken[0].isascii()
            yield number, found if is_plain else _undecodable(taken) or found
        number += len(taken)


def _stands_alone(line: str, is_row: IsRow, width: int) -> bool:
    """Whether a line is a row by itself."""
    try:
        cells = next(csv.reader([line], strict=True), [])
    except csv.Error:
        return False
    return len(cells) == width > 0 and is_row(cells)


def _undecodable(lines: list[str]) -> str | None:
    """Which byte of a row is not UTF-8, if there is one; no other encoding used here has such bytes."""
    for line in lines:
        try:
            line.encode()
        except UnicodeEncodeError as error:
            return f"byte 0x{ord(line[error.start]) - 0xDC00:02x} is not UTF-8; save it as UTF-8"
    return None

"""Split a CSV file into rows such that a faulty line costs that line alone.

A quote that is not closed would take the following rows into its cell, up to the next quote or the end of
the file. Such a row is given up after its first line, and reading goes on with the second.
"""

import csv
import io
from collections import deque
from collections.abc import Callable, Iterator

MOST_LINES = 64  # of one row; bounds the work on a file in which no quote is closed
UNCLOSED = "a quote is not closed; close it, or double a quote that belongs to the text"


def csv_lines(
    data: bytearray, encoding: str, is_row: Callable[[list[str]], bool]
) -> Iterator[tuple[int, list[str] | str]]:
    """The cells of each row, or its fault, with the number of its last line; blank lines are skipped.

    A row of several lines, one of which `is_row` by itself, is taken for a quote that is not closed.
    """
    lines = io.TextIOWrapper(io.BytesIO(data), encoding, errors="surrogateescape", newline="")
    ahead: deque[str] = deque()
    taken: list[str] = []

    def feed() -> Iterator[str]:
        while line := ahead.popleft() if ahead else lines.readline():
            if len(taken) == MOST_LINES:
                raise csv.Error(f"a cell has more than {MOST_LINES} lines")
            taken.append(line)
            yield line

    reader = csv.reader(feed(), strict=True)
    number = 0
    while True:
        taken.clear()
        found: list[str] | str | None
        try:
            found = next(reader, None)
        except csv.Error as error:
            found = UNCLOSED if len(taken) > 1 else f"not CSV: {error}"
        if found is None:
            return
        if len(taken) > 1 and any(_stands_alone(line, is_row) for line in taken[1:]):
            found = UNCLOSED
        if isinstance(found, str):
            ahead.extendleft(reversed(taken[1:]))
            del taken[1:]
            reader = csv.reader(feed(), strict=True)
        number += len(taken)
        if found:
            is_plain = len(taken) == 1 and taken[0].isascii()
            yield number, found if is_plain else _undecodable(taken, encoding) or found


def _stands_alone(line: str, is_row: Callable[[list[str]], bool]) -> bool:
    try:
        return is_row(next(csv.reader([line], strict=True), []))
    except csv.Error:
        return False


def _undecodable(lines: list[str], encoding: str) -> str | None:
    """The fault of a row with bytes that are no text, if it has one."""
    for line in lines:
        if not line.isascii():
            try:
                line.encode("utf-8")
            except UnicodeEncodeError as error:
                byte = ord(line[error.start]) - 0xDC00
                return f"the byte 0x{byte:02x} is not {encoding.removesuffix('-sig')}; save the file anew"
    return None

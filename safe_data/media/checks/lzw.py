"""Count what an LZW stream of a GIF or TIFF decodes to, without decoding it.

The number of pixels is the only check that LZW has: a changed code mostly has another length. It is found
from arrays of codes: the width of each follows from how many came since the table was cleared, and its length
is one more than the length of the code that it extends.
"""

from dataclasses import dataclass

import numpy as np
from numpy import ndarray

from safe_data.core.errors import MediaError

MAX_BITS = 12
MAX_TABLES = 2**13  # cleared tables that are counted; a table of full size holds 3,800 codes

_FEWEST_CODES = 256  # read at once; twice as many after each block without a clear
_MOST_CODES = 2**18
_SPARE_BYTES = 16  # so that the last code can be read with bytes after it


@dataclass(frozen=True)
class Lzw:
    """How codes are packed: bits of a plain code, which bit comes first, and when codes become wider."""

    bits: int
    most_significant_first: bool

    @property
    def clear(self) -> int:
        return 1 << self.bits


def gif_length(data: bytearray, bits: int, size: int) -> tuple[int, bool]:
    """The number of pixels in a GIF's data, counted a little beyond `size`, and whether it has its end code.

    Raises:
        MediaError: a code is not in the table.

    Source: GIF89a specification, appendix F.
    """
    return _length(data, Lzw(bits, most_significant_first=False), size)


def tiff_length(data: bytearray, size: int) -> tuple[int, bool]:
    """The number of bytes in a strip of a TIFF, counted a little beyond `size`, and whether it has an end.

    Raises:
        MediaError: a code is not in the table.

    Source: TIFF 6.0, section 13; codes become wider one code earlier than in a GIF.
    """
    return _length(data, Lzw(8, most_significant_first=True), size)


def _length(data: bytearray, lzw: Lzw, size: int) -> tuple[int, bool]:
    end = 8 * len(data)
    padded = np.frombuffer(data + bytes(_SPARE_BYTES), np.uint8)
    at, found, expected = 0, 0, _FEWEST_CODES
    for _ in range(MAX_TABLES):
        codes, at, stop = _codes_of_a_table(padded, end, at, expected, lzw)
        found += int(_lengths(codes, lzw).sum())
        if stop != lzw.clear or found > size:
            return found, stop == lzw.clear + 1
        expected = max(len(codes) + 1, _FEWEST_CODES)
    return size, True  # too many tables to count them all


def _codes_of_a_table(
    padded: ndarray, end: int, at: int, expected: int, lzw: Lzw
) -> tuple[ndarray, int, int | None]:
    """The codes from bit `at` up to a clear code or the end, the bit after them, and the code that ends them.

    They are read in blocks, the first of `expected` codes.
    """
    parts: list[ndarray] = []
    done, block = 0, expected
    while True:
        number = np.arange(done, done + block)
        free = lzw.clear + 2 + np.maximum(number - 1, 0) + lzw.most_significant_first
        widths = np.clip(np.frexp(free)[1], lzw.bits + 1, MAX_BITS)
        ends = at + np.cumsum(widths)
        widths, ends = widths[ends <= end], ends[ends <= end]
        codes = _read(padded, ends - widths, widths, lzw)
        special = np.flatnonzero((codes == lzw.clear) | (codes == lzw.clear + 1))
        if len(special):
            parts.append(codes[: special[0]])
            return np.concatenate(parts), int(ends[special[0]]), int(codes[special[0]])
        parts.append(codes)
        if len(codes) < block:
            return np.concatenate(parts), end, None
        at, done, block = int(ends[-1]), done + block, min(2 * block, _MOST_CODES)


def _read(padded: ndarray, starts: ndarray, widths: ndarray, lzw: Lzw) -> ndarray:
    place, shift = starts >> 3, starts & 7
    one, two, three = (padded[place + n].astype(np.int64) for n in range(3))
    if lzw.most_significant_first:
        codes = (one << 16 | two << 8 | three) >> (24 - shift - widths)
    else:
        codes = (one | two << 8 | three << 16) >> shift
    return np.asarray(codes & ((1 << widths) - 1))


def _lengths(codes: ndarray, lzw: Lzw) -> ndarray:
    """The length of each code of a table; code `number` may use what the codes before it put there."""
    first = lzw.clear + 2
    room = 2**MAX_BITS - first
    extends = codes - first  # the earlier code that it extends by one; negative for a plain code
    if (extends >= np.minimum(np.arange(len(codes)), room)).any():
        raise MediaError("damaged picture: an LZW code that is not in its table")
    lengths = np.ones(min(len(codes), room), np.int64)
    parents = np.where(extends[: len(lengths)] < 0, -1, extends[: len(lengths)])
    while (reached := parents >= 0).any():
        steps = lengths.copy()
        lengths[reached] += steps[parents[reached]]
        parents[reached] = parents[parents[reached]]
    if len(codes) == len(lengths):
        return lengths
    rest = extends[len(lengths) :]
    return np.concatenate([lengths, np.where(rest < 0, 1, lengths[np.maximum(rest, 0)] + 1)])

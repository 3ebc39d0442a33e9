"""Check that a GIF is whole: its blocks up to the end, and the first frame, which is the picture.

GIF has no checksums; the number of pixels in a frame is what tells damage.
"""

import struct

from safe_data.core.errors import MediaError
from safe_data.media.checks.lzw import gif_length

MAX_BLOCKS = 2**21  # a file of 256 MiB has half as many full ones

_MOST_BYTES = 3  # per pixel, if the table is cleared for each
_SPARE = 2**10
_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B


def check_gif(data: bytes) -> None:
    """Check the blocks of a GIF, and that the first frame lies on the canvas and has all its pixels.

    Raises:
        MediaError: it is damaged or truncated.

    Source: GIF89a specification, sections 15 to 27.
    """
    at = 13 + _table_bytes(data[10])
    blocks, is_first = 0, True
    while is_first or at < len(data):  # some programs write no trailer
        kind = _byte(data, at)
        if kind == _TRAILER:
            break
        if kind == _EXTENSION:
            at, count = _skip(data, at + 2)
        elif kind == _IMAGE and at + 10 <= len(data):
            start = at + 10 + _table_bytes(data[at + 9])
            if is_first:
                _check_frame(data, struct.unpack_from("<HHHH", data, at + 1), start)
            is_first = False
            at, count = _skip(data, start + 1)
        else:
            raise MediaError(f"damaged picture: no GIF block where one should start, at byte {at}")
        blocks += count
        if blocks > MAX_BLOCKS:
            raise MediaError(f"picture too large: more than {MAX_BLOCKS} blocks")
    if is_first:
        raise MediaError("empty picture: a GIF without a frame")


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 128 else 0


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise MediaError("truncated picture: a GIF without its end")
    return data[at]


def _skip(data: bytes, at: int) -> tuple[int, int]:
    """Where a chain of sub-blocks ends, and how many there are."""
    count = 1
    while length := _byte(data, at):
        at += 1 + length
        count += 1
        if count > MAX_BLOCKS:
            break
    return at + 1, count


def _check_frame(data: bytes, frame: tuple[int, ...], start: int) -> None:
    canvas = struct.unpack_from("<HH", data, 6)
    left, top, width, height = frame
    if not (width and height) or left + width > canvas[0] or top + height > canvas[1]:
        raise MediaError(
            f"damaged picture: a GIF frame of {width}×{height} at {left}, {top} on a canvas of "
            f"{canvas[0]}×{canvas[1]}"
        )
    bits, pixels = _byte(data, start), width * height
    if not 1 <= bits <= 8:
        raise MediaError(f"damaged picture: a GIF frame with codes of {bits} bits")
    stream = bytearray()
    at = start + 1
    while (length := _byte(data, at)) and len(stream) <= _MOST_BYTES * pixels + _SPARE:
        stream += data[at + 1 : at + 1 + length]
        at += 1 + length
    found, ended = gif_length(stream, bits, pixels)
    if found < pixels:
        raise MediaError(f"truncated picture: a GIF frame has {found} of {pixels} pixels")
    if found > pixels or not ended or length:
        raise MediaError("damaged picture: the data of a GIF frame does not end with its last pixel")

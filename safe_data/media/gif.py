"""Check that a GIF is whole: its blocks up to the trailer, and the first frame, which is the picture.

GIF has no checksums; the number of pixels in a frame is what tells damage.
"""

import struct

from safe_data.core.errors import MediaError
from safe_data.media.lzw import gif_length

MAX_BLOCKS = 2**21  # a file of 256 MiB has half as many full ones

_EXTENSION, _IMAGE, _TRAILER = 0x21, 0x2C, 0x3B


def check_gif(data: bytes) -> None:
    """Check the blocks of a GIF, and that the first frame lies on the canvas and has all its pixels.

    Raises:
        MediaError: it is damaged or truncated.

    Source: GIF89a specification, sections 15 to 27.
    """
    at = 13 + _table_bytes(data[10])
    blocks, frames = 0, 0
    while True:
        kind = _byte(data, at)
        if kind == _TRAILER:
            break
        if kind == _EXTENSION:
            at, parts = _sub_blocks(data, at + 2, MAX_BLOCKS - blocks)
        elif kind == _IMAGE and at + 10 <= len(data):
            start = at + 10 + _table_bytes(data[at + 9])
            frame, bits = struct.unpack_from("<HHHH", data, at + 1), _byte(data, start)
            at, parts = _sub_blocks(data, start + 1, MAX_BLOCKS - blocks)
            frames += 1
            if frames == 1:
                _check_frame(data, frame, bits, parts)
        else:
            raise MediaError(f"damaged picture: no GIF block where one should start, at byte {at}")
        blocks += len(parts) + 1
    if not frames:
        raise MediaError("empty picture: a GIF without a frame")


def _table_bytes(flags: int) -> int:
    return 3 << (flags & 7) + 1 if flags & 128 else 0


def _byte(data: bytes, at: int) -> int:
    if at >= len(data):
        raise MediaError("truncated picture: a GIF without its end")
    return data[at]


def _sub_blocks(data: bytes, at: int, most: int) -> tuple[int, list[tuple[int, int]]]:
    """Where a chain of blocks ends, and where each of them starts and ends."""
    parts: list[tuple[int, int]] = []
    while length := _byte(data, at):
        parts.append((at + 1, at + 1 + length))
        if len(parts) > most:
            raise MediaError(f"picture too large: more than {MAX_BLOCKS} blocks")
        at += 1 + length
    return at + 1, parts


def _check_frame(data: bytes, frame: tuple[int, ...], bits: int, parts: list[tuple[int, int]]) -> None:
    canvas = struct.unpack_from("<HH", data, 6)
    left, top, width, height = frame
    if not (width and height) or left + width > canvas[0] or top + height > canvas[1]:
        raise MediaError(
            f"damaged picture: a GIF frame of {width}×{height} at {left}, {top} on a canvas of "
            f"{canvas[0]}×{canvas[1]}"
        )
    if not 1 <= bits <= 8:
        raise MediaError(f"damaged picture: a GIF frame with codes of {bits} bits")
    found, ended = gif_length(b"".join(data[first:last] for first, last in parts), bits, width * height)
    if found < width * height:
        raise MediaError(f"truncated picture: a GIF frame has {found} of {width * height} pixels")
    if found > width * height or not ended:
        raise MediaError("damaged picture: the data of a GIF frame does not end with its last pixel")

"""Check that a WebP is whole: the sizes of its file and chunks, and that its first frame is there.

WebP has no checksums. libwebp refuses data that ends early or contradicts itself, and cannot see more.
"""

import struct
from collections.abc import Iterator

from safe_data.core.errors import MediaError
from safe_data.media.checks.png import MAX_EXIF_BYTES

MAX_CHUNKS = 2**18

_PIXELS = (b"VP8 ", b"VP8L")
_SPARE = 1  # byte that fills up the file
_FRAME_HEADER = 16  # bytes of an ANMF chunk before its own chunks
_KEY_FRAME_HEADER = 10


def check_webp(data: bytes) -> None:
    """Check that every chunk of a WebP lies in its file, and that one of them is a picture.

    Raises:
        MediaError: it is damaged or truncated.

    Source: RFC 9649, sections 2.3 to 2.7; RFC 6386, section 9.1 (frame header of VP8).
    """
    (size,) = struct.unpack_from("<I", data, 4)
    if size + 8 > len(data):
        raise MediaError(f"truncated picture: a WebP promises {size + 8} bytes, {len(data)} are there")
    if len(data) - size - 8 > _SPARE:
        raise MediaError(f"damaged picture: a WebP promises {size + 8} bytes, {len(data)} are there")
    kinds = []
    for kind, start, end in _chunks(data, 12, size + 8):
        kinds.append(kind)
        if kind == b"EXIF" and end - start > MAX_EXIF_BYTES:
            raise MediaError(f"picture too large: its EXIF has {end - start} bytes of {MAX_EXIF_BYTES}")
        if kind == b"VP8 ":
            _check_lossy(data, start, end)
        elif kind == b"ANMF":
            inner = list(_chunks(data, start + _FRAME_HEADER, end))
            if not any(name in _PIXELS for name, _, _ in inner):
                raise MediaError("damaged picture: a WebP frame without pixels")
    if not kinds or kinds[0] not in (*_PIXELS, b"VP8X"):
        raise MediaError("damaged picture: a WebP that does not begin with its header")
    if not set(kinds) & {*_PIXELS, b"ANMF"}:
        raise MediaError("truncated picture: a WebP without pixels")


def _chunks(data: bytes, at: int, limit: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of the body of each chunk between two places."""
    for _ in range(MAX_CHUNKS):
        if at + 1 >= limit:  # the last chunk may lack its padding
            return
        if at + 8 > limit:
            raise MediaError(f"damaged picture: no WebP chunk where one should start, at byte {at}")
        kind = data[at : at + 4]
        (length,) = struct.unpack_from("<I", data, at + 4)
        if at + 8 + length > limit:
            there = limit - at - 8
            raise MediaError(f"truncated picture: a chunk promises {length} bytes, {there} are there")
        yield kind, at + 8, at + 8 + length
        at += 8 + length + length % 2
    raise MediaError(f"picture too large: more than {MAX_CHUNKS} chunks")


def _check_lossy(data: bytes, start: int, end: int) -> None:
    """Check that a lossy picture is a key frame whose first partition lies in its chunk."""
    if end - start < _KEY_FRAME_HEADER:
        raise MediaError("truncated picture: a WebP without pixels")
    tag = int.from_bytes(data[start : start + 3], "little")
    is_key = not tag & 1 and data[start + 3 : start + 6] == b"\x9d\x01\x2a"
    if not is_key or (tag >> 5) > end - start - _KEY_FRAME_HEADER:
        raise MediaError("damaged picture: the frame header of a WebP makes no sense")

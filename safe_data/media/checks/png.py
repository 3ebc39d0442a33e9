"""Check that a PNG is whole: its chunks, their checksums, and its stream of pixels.

Pillow checks neither the checksums of pixels nor whether the end of the file is there.
"""

import struct
import zlib
from collections.abc import Iterator

from safe_data.core.errors import MediaError

MAX_CHUNKS = 2**17  # a file of 256 MiB in chunks of 2 KiB; libpng's have 8
MAX_EXIF_BYTES = 2**22

_HEADER = 13  # bytes of IHDR
_PALETTE = 3  # the colour type that needs one
_CHANNELS = 4  # at most
_BLOCK_BYTES = 2**16  # that Pillow reads at once
_UNREAD_BYTES = 16  # of a last block that may hold no more than the end of the stream


def check_png(data: bytes) -> None:
    """Check every chunk of a PNG or APNG, and the order of those that make the picture.

    What follows the end of the picture is ignored, as viewers do.

    Raises:
        MediaError: it is damaged or truncated.

    Source: PNG specification (W3C, 2003), sections 5.3 (chunk layout), 5.6 (order) and 11.2.
    """
    kinds: list[bytes] = []
    split, tail = False, 0
    for kind, _, length in _chunks(data):
        if not kinds and (kind != b"IHDR" or length != _HEADER):
            raise MediaError("damaged picture: a PNG that does not begin with its header")
        split |= kind == b"IDAT" and b"IDAT" in kinds and kinds[-1] != b"IDAT"
        if kind == b"eXIf" and length > MAX_EXIF_BYTES:
            raise MediaError(f"picture too large: its EXIF has {length} bytes of {MAX_EXIF_BYTES}")
        if not kinds or kind != kinds[-1]:
            kinds.append(kind)
        if kind == b"IDAT":
            tail = length % _BLOCK_BYTES
    if split or kinds.count(b"IHDR") > 1:
        raise MediaError("damaged picture: the chunks of a PNG are out of order")
    if b"IDAT" not in kinds:
        raise MediaError("truncated picture: a PNG without pixels")
    if data[25] == _PALETTE and b"PLTE" not in kinds[: kinds.index(b"IDAT")]:
        raise MediaError("damaged picture: a PNG without its palette")
    if tail < _UNREAD_BYTES:
        _check_stream(data)


def _check_stream(data: bytes) -> None:
    """Compare the checksum of the pixels; Pillow does not read it if all rows come before its last block.

    Source: RFC 1950, section 2.2 (ADLER32).
    """
    width, height, depth = struct.unpack_from(">IIB", data, 16)
    room = 2 * height * (width * depth * _CHANNELS // 8 + 2) + _BLOCK_BYTES
    stream = zlib.decompressobj()
    for kind, start, length in _chunks(data):
        waiting = memoryview(data)[start : start + length] if kind == b"IDAT" else memoryview(b"")
        while waiting and not stream.eof and room > 0:
            try:
                room -= len(stream.decompress(waiting, _BLOCK_BYTES))
            except zlib.error:
                raise MediaError("damaged picture: the pixels of a PNG do not match their checksum") from None
            waiting = memoryview(stream.unconsumed_tail)


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and length of the body of each chunk up to IEND, after its checksum was compared."""
    view = memoryview(data)
    offset = 8
    for _ in range(MAX_CHUNKS):
        if offset + 12 > len(data):
            raise MediaError("truncated picture: a PNG without its end")
        (length,) = struct.unpack_from(">I", data, offset)
        end = offset + 8 + length
        if end + 4 > len(data):
            there = len(data) - offset - 8
            raise MediaError(f"truncated picture: a chunk promises {length} bytes, {there} are there")
        kind = data[offset + 4 : offset + 8]
        if zlib.crc32(view[offset + 4 : end]) != struct.unpack_from(">I", data, end)[0]:
            name = kind.decode("ascii") if kind.isalpha() else kind.hex()
            raise MediaError(f"damaged picture: the checksum of the {name} chunk at byte {offset} is wrong")
        yield kind, offset + 8, length
        if kind == b"IEND":
            return
        offset = end + 4
    raise MediaError(f"picture too large: more than {MAX_CHUNKS} chunks")

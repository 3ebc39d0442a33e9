"""Check that the first page of a TIFF is whole: its tags, its strips or tiles, and their compressed data.

TIFF has no checksums; only Deflate has one for each strip.
"""

import io
import zlib
from collections.abc import Sequence

from safe_data.core.errors import MediaError
from safe_data.media.checks.jpeg import check_strip
from safe_data.media.checks.lzw import tiff_length
from safe_data.media.checks.tiff_tags import MAX_VALUES, Tags, check_tags, first_directory
from safe_data.media.picture_head import MAX_PIXELS

NONE, LZW, JPEG, DEFLATE, PACKBITS = 1, 5, 7, (8, 32946), 32773
MAX_COUNTED_BYTES = 2**24  # of LZW and PackBits, which take longer to count than to decode
COMPRESSIONS = (NONE, LZW, JPEG, *DEFLATE, PACKBITS)

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _PHOTOMETRIC = 256, 257, 258, 259, 262
_STRIPS, _SAMPLES, _ROWS, _STRIP_BYTES, _PLANES = 273, 277, 278, 279, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILES, _TILE_BYTES = 322, 323, 324, 325
_SUBFILE, _SAMPLE_FORMAT, _YCBCR = 254, 339, 6
_COUNTED = (LZW, PACKBITS)
_BLOCK_BYTES = 2**16
_MOST_SAMPLES = 6
_TAIL_BYTES = 8  # that an encoder may leave in a strip


def check_tiff(data: bytes) -> None:
    """Check that the first page of a TIFF can be read and that all of it is in the file.

    Raises:
        MediaError: it is damaged or truncated, or its samples are of a kind that is not read.

    Source: TIFF 6.0, sections 3 to 8, 13 to 15; TIFF Technical Note 2 (JPEG).
    """
    tags = first_directory(io.BytesIO(data))
    check_tags(tags, len(data))
    _check_kind(tags)
    compression = tags.number(_COMPRESSION, NONE)
    sizes = _strip_sizes(tags)
    tiled = _TILES in tags.tags
    offsets = tags.numbers(_TILES if tiled else _STRIPS)
    lengths = tags.numbers(_TILE_BYTES if tiled else _STRIP_BYTES)
    if not len(offsets) == len(lengths) == len(sizes):
        raise MediaError(
            f"damaged picture: {len(sizes)} strips expected in a TIFF, {len(offsets)} offsets and "
            f"{len(lengths)} lengths found"
        )
    counted = 0
    for offset, length, size in zip(offsets, lengths, sizes, strict=True):
        if offset + length > len(data):
            raise MediaError(
                f"truncated picture: a strip of {length} bytes at byte {offset} of {len(data)} bytes"
            )
        counted += max(length, size)
        if compression not in _COUNTED or counted <= MAX_COUNTED_BYTES:
            _check_strip(memoryview(data)[offset : offset + length], compression, size)


def _check_kind(tags: Tags) -> None:
    """Refuse what cannot be shown in one way: samples without a known range, and rare compressions."""
    compression = tags.number(_COMPRESSION, NONE)
    if compression not in COMPRESSIONS:
        raise MediaError(
            f"unknown picture format: TIFF with compression {compression}; "
            "use none, LZW, Deflate, JPEG or PackBits"
        )
    if tags.number(_SAMPLES, 1) > _MOST_SAMPLES:
        raise MediaError(f"unknown picture format: TIFF with {tags.number(_SAMPLES)} samples per pixel")
    bits = set(tags.numbers(_BITS)) or {1}
    formats = set(tags.numbers(_SAMPLE_FORMAT)) or {1}
    photometric = tags.number(_PHOTOMETRIC, 0)
    if formats != {1} or not bits <= {1, 2, 4, 8, 16} or (bits == {16} and photometric == 0):
        raise MediaError(
            "unknown picture format: TIFF of signed, floating-point or unusual samples; "
            "use unsigned samples of 8 or 16 bits"
        )
    if photometric == _YCBCR and compression != JPEG:
        raise MediaError("unknown picture format: TIFF in YCbCr without JPEG; use RGB")
    if tags.number(_SUBFILE, 0) & 1:
        raise MediaError("unknown picture format: TIFF that begins with a thumbnail, as raw photos do")


def _strip_sizes(tags: Tags) -> Sequence[int]:
    """The number of bytes in each strip or tile when it is decompressed."""
    width, height = tags.number(_WIDTH), tags.number(_HEIGHT)
    bits = list(tags.numbers(_BITS)) or [1]
    samples = tags.number(_SAMPLES, 1)
    bits = bits * samples if len(bits) == 1 else bits[:samples]
    planes = [[one] for one in bits] if tags.number(_PLANES, 1) == 2 else [bits]
    if _TILES in tags.tags:
        across, down = tags.number(_TILE_WIDTH), tags.number(_TILE_HEIGHT)
        if not (across and down) or across * down > MAX_PIXELS:
            raise MediaError(f"damaged picture: tiles of {across}×{down} in a TIFF")
        count = -(-width // across) * -(-height // down)
        _check_count(count * len(planes))
        return [down * _row(across, plane) for plane in planes for _ in range(count)]
    rows = min(tags.number(_ROWS, height), height)
    if not rows:
        raise MediaError("damaged picture: strips without rows in a TIFF")
    _check_count(-(-height // rows) * len(planes))
    heights = [min(rows, height - top) for top in range(0, height, rows)]
    return [one * _row(width, plane) for plane in planes for one in heights]


def _check_count(strips: int) -> None:
    if strips > MAX_VALUES:
        raise MediaError(f"damaged picture: a TIFF in {strips} strips")


def _row(width: int, bits: Sequence[int]) -> int:
    return (width * sum(bits) + 7) // 8


def _check_strip(strip: memoryview, compression: int, size: int) -> None:
    """Check that a strip holds its size and no more, as far as its compression says."""
    if compression == NONE:
        found = len(strip)
        too_long = False
    elif compression in DEFLATE:
        found, too_long = _inflated(strip, size)
    elif compression == LZW:
        found, _ = tiff_length(bytearray(strip), size)
        found, too_long = min(found, size), found > size
    elif compression == JPEG:
        check_strip(bytes(strip))
        return
    else:
        found, too_long = _unpacked(strip, size)
    if found < size:
        raise MediaError(f"truncated picture: a strip of a TIFF has {found} of {size} bytes")
    if too_long:
        raise MediaError("damaged picture: data is left over in a strip of a TIFF")


def _inflated(strip: memoryview, size: int) -> tuple[int, bool]:
    """The length of a strip of Deflate up to `size`, and whether it has more; its checksum is compared."""
    stream = zlib.decompressobj()
    found = 0
    waiting: bytes | memoryview = strip
    while not stream.eof and found <= size:
        try:
            block = stream.decompress(waiting, _BLOCK_BYTES)
        except zlib.error:
            raise MediaError("damaged picture: the Deflate data of a TIFF is invalid") from None
        waiting = stream.unconsumed_tail
        found += len(block)
        if not block and not waiting:
            break
    if not stream.eof and found == size:
        raise MediaError("truncated picture: a strip of a TIFF ends before its checksum")
    return min(found, size), found > size


def _unpacked(strip: memoryview, size: int) -> tuple[int, bool]:
    """The length of a strip of PackBits up to `size`, and whether it has more."""
    if len(strip) > 2 * size + _TAIL_BYTES:
        return size, True  # not even single bytes take so many
    found = at = 0
    while at < len(strip) and found < size:
        code = strip[at]
        if code < 128:
            found += min(code + 1, len(strip) - at - 1)
            at += code + 2
        else:
            found += 257 - code if code > 128 else 0
            at += 2 if code > 128 else 1
    return min(found, size), found > size or len(strip) - at > _TAIL_BYTES

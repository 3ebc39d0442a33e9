"""Read the head of a picture: its format and size, and how much memory decoding it takes.

Nothing is decoded, and only the head is read, so that a build can count what is in flight before it decodes.
"""

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO, Literal

from safe_data.core.errors import MediaError
from safe_data.media.checks.tiff_tags import first_directory
from safe_data.media.file_kinds import kind_of

Format = Literal["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF"]

MAX_PIXELS = 2**25
MAX_DECODING_BYTES = (
    2**25 * 25 // 2
)  # 12.5 for each pixel: only some WebP, TIFF and progressive JPEG need more
MIN_SIDE = 2  # one pixel is a placeholder, and processors mistake a side of one for the channels
SECOND_OPINION_PIXELS = 2**24  # of a progressive JPEG; FFmpeg would need more than `av_max_alloc` for more
BAND_PIXELS = 2**19  # pictures are converted and measured in bands of so many pixels

_BAND_BYTES = 20  # per pixel of a band: its samples, as RGBA, on a white page, and as RGB
_FIXED_BYTES = 2**22  # tables of decoders
_RGB_BYTES = 4  # per pixel; Pillow pads RGB to four bytes
_SEGMENTS_READ = 2**12
_MOST_BITS = 96  # of a pixel of TIFF; more are refused
_FORMATS: dict[str, Format] = {
    "PNG": "PNG",
    "JPEG": "JPEG",
    "WebP": "WEBP",
    "GIF": "GIF",
    "BMP": "BMP",
    "TIFF": "TIFF",
}
_TOO_LITTLE = (struct.error, IndexError, KeyError, ValueError, ZeroDivisionError)


@dataclass(frozen=True)
class Head:
    """The format of a picture, its size, and bytes per pixel while it is decoded.

    `held` is what the decoder's picture takes, `beside` what the decoder needs while it decodes, and `rgb`
    what the RGB picture takes if it is another one.
    """

    format: Format
    width: int
    height: int
    held: float
    rgb: float = _RGB_BYTES
    beside: float = 0.0
    turned: bool = False


def picture_format(head: bytes) -> Format | None:
    """The format of a picture by its first bytes; None for anything else."""
    kind = kind_of(head)
    return _FORMATS.get(kind.name) if kind else None


def check_size(width: int, height: int) -> None:
    """Refuse a picture that is too large or too small.

    Raises:
        MediaError: it has more than 2²⁵ pixels, or a side under 2.
    """
    if width * height > MAX_PIXELS:
        raise MediaError(f"picture too large: {width}×{height} of {MAX_PIXELS} pixels")
    if min(width, height) < MIN_SIDE:
        raise MediaError(
            f"picture too small: {width}×{height}, with {MIN_SIDE} pixels a side or more expected"
        )


def check_head(head: Head) -> None:
    """Refuse a picture that is too large or too small, by its head.

    Raises:
        MediaError: see `check_size`; or decoding it takes more than 12.5 bytes for each of 2²⁵ pixels.
    """
    check_size(head.width, head.height)
    if (needs := _decoding_bytes(head)) > MAX_DECODING_BYTES:
        raise MediaError(
            f"picture too large: {head.width}×{head.height} takes {needs // 10**6} MB to decode as "
            f"{head.format}; store it as PNG"
        )


def read_head(file: BinaryIO) -> Head | None:
    """Read the head of a picture; None if there is no picture in a known format.

    Raises:
        MediaError: the head is cut off or makes no sense.
    """
    file.seek(0)
    head = file.read(64)
    kind = picture_format(head)
    try:
        match kind:
            case "PNG":
                return _png(file, head)
            case "JPEG":
                return _jpeg(file)
            case "WEBP":
                return _webp(head)
            case "GIF":
                width, height = struct.unpack_from("<HH", head, 6)
                return Head("GIF", width, height, held=1.0)
            case "BMP":
                return _bmp(head)
            case "TIFF":
                return _tiff(file)
            case _:
                return None
    except MediaError:
        raise
    except _TOO_LITTLE:
        raise MediaError(f"truncated picture: the head of a {kind} is cut off") from None


def decode_cost_bytes(media: bytes | BinaryIO) -> int:
    """Bound the memory that `decode_image`, `measure_image` and `encode_png` need for a picture, in bytes.

    The bytes of the file are not counted. 0 for what is no picture, or is refused before it is decoded.
    """
    try:
        head = read_head(io.BytesIO(media) if isinstance(media, bytes) else media)
        if head is None:
            return 0
        check_head(head)
    except MediaError:
        return 0
    return _decoding_bytes(head)


def _decoding_bytes(head: Head) -> int:
    pixels = head.width * head.height
    stored = 0.0 if head.format in ("PNG", "JPEG") else 1.2 * 3  # its PNG, which grows as it is written
    rgb = head.rgb or head.held
    peak = max(head.held + max(head.beside, head.rgb), (2 if head.turned else 1) * rgb, rgb + stored)
    return int(pixels * peak) + _FIXED_BYTES + _BAND_BYTES * min(pixels, BAND_PIXELS)


def _png(file: BinaryIO, head: bytes) -> Head:
    """Source: PNG specification (W3C, 2003), sections 11.2.2 (IHDR) and 11.3.2.1 (tRNS)."""
    width, height, depth, colour = struct.unpack_from(">IIBB", head, 16)
    kinds = []
    offset = 8
    for _ in range(_SEGMENTS_READ):
        file.seek(offset)
        (length,), kind = struct.unpack(">I", file.read(4)), file.read(4)
        kinds.append(kind)
        if kind in (b"IDAT", b"IEND"):
            break
        offset += 12 + length
    held = {0: 2.0 if depth == 16 else 1.0, 3: 1.0}.get(colour, 4.0)
    plain = colour == 2 and b"tRNS" not in kinds
    turned = bool({b"eXIf", b"zTXt", b"tEXt", b"iTXt"}.intersection(kinds))
    return Head("PNG", width, height, held, 0.0 if plain else _RGB_BYTES, turned=turned)


def _jpeg(file: BinaryIO) -> Head:
    """Source: ITU-T T.81, B.2.2 (frame header). Several scans keep their coefficients, two bytes each."""
    offset, turned = 2, False
    for _ in range(_SEGMENTS_READ):
        file.seek(offset)
        marker, length = struct.unpack(">HH", file.read(4))
        if marker == 0xFFFF:
            offset += 1
            continue
        if marker < 0xFF00:
            raise MediaError(f"damaged picture: no JPEG segment where one should start, at byte {offset}")
        turned |= marker == 0xFFE1
        if 0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC):
            break
        offset += 2 + length
    else:
        raise MediaError(f"picture too large: more than {_SEGMENTS_READ} segments before its frame")
    frame = file.read(length - 2)
    height, width, count = struct.unpack_from(">HHB", frame, 1)
    sides = [(frame[7 + 3 * n] >> 4, frame[7 + 3 * n] & 15) for n in range(count)]
    largest = max(h for h, _ in sides) * max(v for _, v in sides)
    samples = sum(h * v for h, v in sides) / largest
    file.seek(offset + 2 + length)
    several = marker not in (0xFFC0, 0xFFC1) or _first_scan(file) < count
    padding = (1 + 32 / max(width, 1)) * (1 + 32 / max(height, 1))  # whole blocks
    held = 1.0 if count == 1 else 4.0
    beside = 2 * samples * padding if several else 0.0
    if marker == 0xFFC2 and width * height <= SECOND_OPINION_PIXELS:
        # FFmpeg decodes it before: coefficients, picture, and two copies of the file
        beside = max(beside, 3 * samples * padding + 4 - held)
    return Head("JPEG", width, height, held, 0.0 if count == 3 else _RGB_BYTES, beside, turned)


def _first_scan(file: BinaryIO) -> int:
    """The number of components in the first scan."""
    for _ in range(_SEGMENTS_READ):
        marker, length = struct.unpack(">HH", file.read(4))
        if marker == 0xFFDA:
            return file.read(1)[0]
        file.seek(length - 2, 1)
    return 0


def _webp(head: bytes) -> Head:
    """Source: RFC 9649, sections 2.7 (VP8X), 2.5 and RFC 6386, section 9.1 (VP8), 2.6 and 3.4 (VP8L).

    libwebp holds two canvases of an animation and decodes into one; Pillow copies it twice.
    """
    kind = head[12:16]
    if kind == b"VP8X":
        width = int.from_bytes(head[24:27], "little") + 1
        height = int.from_bytes(head[27:30], "little") + 1
    elif kind == b"VP8L":
        (bits,) = struct.unpack_from("<I", head, 21)
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", head, 26))
    return Head("WEBP", width, height, held=4.0, beside=16.0)


def _bmp(head: bytes) -> Head:
    if head[14] == 12:
        width, height, _, bits = struct.unpack_from("<HHHH", head, 18)
    else:
        width, height, _, bits = struct.unpack_from("<iiHH", head, 18)
    held, beside = (4.0, 0.0) if bits > 8 else (1.0, 3.0)  # run lengths are decoded by Python
    return Head("BMP", max(width, 0), abs(height), held, _RGB_BYTES, beside)


def _tiff(file: BinaryIO) -> Head:
    tags = first_directory(file)
    width, height = tags.number(256), tags.number(257)
    bits = sum(tags.numbers(258) or [1])
    count = max(1, tags.number(277, 1))
    bits = min(bits * count if len(tags.numbers(258)) < 2 else bits, _MOST_BITS)
    held = {1: 2.0 if bits > 8 else 1.0}.get(count, 4.0)
    strip = min(1.0, tags.number(278, height) / height) if tags.number(322, 0) == 0 else 1.0
    beside = strip * max(bits / 8, 4.0)
    return Head("TIFF", width, height, held, _RGB_BYTES, beside, turned=tags.number(274, 1) != 1)

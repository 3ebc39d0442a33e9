"""Decode an untrusted picture to RGB in bounded memory, as a viewer would show it on a white page.

A picture is decoded only after its size and structure were checked: decoders fill up what is missing and pass
over what is damaged.
"""

import io
import re
import struct
import warnings
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image, UnidentifiedImageError

from safe_data.core.errors import MediaError
from safe_data.media.checks.bmp import check_bmp
from safe_data.media.checks.gif import check_gif
from safe_data.media.checks.jpeg import ScanFile, check_jpeg, check_progressive
from safe_data.media.checks.png import check_png
from safe_data.media.checks.tiff import check_tiff
from safe_data.media.checks.webp import check_webp
from safe_data.media.decoder_noise import quietly
from safe_data.media.file_kinds import HEAD_BYTES
from safe_data.media.formats import unread
from safe_data.media.picture_head import (
    BAND_PIXELS,
    MAX_PIXELS,
    Format,
    check_head,
    check_size,
    picture_format,
    read_head,
)

PICTURE_SUFFIXES = {"PNG": "png", "JPEG": "jpg"}  # of the formats that a shard holds as they are

_CHECKS = {"PNG": check_png, "WEBP": check_webp, "GIF": check_gif, "BMP": check_bmp, "TIFF": check_tiff}
_ORIENTATION = 0x0112
_UPRIGHT = {  # how to turn a picture upright; orientations of EXIF 2.32, section 4.6.4
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PILLOW_WARNS = ("ignore", None, Warning, re.compile(r"PIL\."), 0)  # as `warnings` keeps a filter
_BROKEN = (OSError, SyntaxError, EOFError, struct.error, zlib.error, ValueError)
_DEFECTS = (*_BROKEN, IndexError, KeyError, TypeError, AttributeError)  # what Pillow raises for broken files


def picture_suffix(data: bytes) -> str | None:
    """`png` or `jpg` by the first bytes; None for anything else, which a shard holds as a PNG."""
    return PICTURE_SUFFIXES.get(picture_format(data[:16]) or "")


@quietly
def decode_image(data: bytes) -> Image.Image:
    """Decode a PNG, JPEG, WebP, GIF, BMP or TIFF to RGB.

    Transparent parts become white, EXIF orientation is applied, 16-bit samples are scaled to 8 bits, and of
    several frames or pages the first is taken.

    Raises:
        MediaError: it is none of these, damaged, truncated, smaller than 2×2, or larger than 2²⁵ pixels.
    """
    try:
        _silence_pillow()
        head = read_head(io.BytesIO(data))
        if head is None:
            raise unread(data[:HEAD_BYTES], "picture") or MediaError(
                "undecodable picture: its header is damaged"
            )
        check_head(head)
        return _decode(_checked(data, head.format), head.format)
    except MediaError:
        raise
    except Image.DecompressionBombError:
        raise MediaError(f"picture too large: more than {MAX_PIXELS} pixels") from None
    except UnidentifiedImageError:
        raise MediaError("undecodable picture: its header makes no sense") from None
    except _DEFECTS as error:
        raise MediaError(f"undecodable picture: {error}") from None


def _checked(data: bytes, kind: Format) -> io.BytesIO:
    """The file to decode a picture from, after all that can be checked without decoding it."""
    if kind != "JPEG":
        _CHECKS[kind](data)
        return io.BytesIO(data)
    frame = check_jpeg(data)
    check_progressive(data, frame)
    return ScanFile(data, frame.scans[0]) if frame.is_one_scan else io.BytesIO(data)


def _decode(file: io.BytesIO, kind: Format) -> Image.Image:
    picture = Image.open(file, formats=(kind,))
    check_size(picture.width, picture.height)
    picture.load()
    if isinstance(file, ScanFile):
        file.check_all_read()
    turn = _turn(picture)
    flat = _flatten(picture)
    del picture  # not both at once while it is turned
    return flat if turn is None else flat.transpose(turn)


def _silence_pillow() -> None:
    """Ignore what Pillow warns of: broken metadata, and large pictures, which are bounded here.

    Not by `catch_warnings`, which is for one thread: two that decode at once would leave every warning of the
    process ignored.
    """
    if _PILLOW_WARNS not in warnings.filters:
        warnings.filterwarnings("ignore", module=r"PIL\.")


def _flatten(picture: Image.Image) -> Image.Image:
    """The RGB picture, made in bands where it is another one; it says nothing but its pixels."""
    if picture.mode == "RGB" and not picture.has_transparency_data:
        flat = Image.Image()._new(picture.im)  # the same pixels, without the file that they came from
    elif picture.width * picture.height <= BAND_PIXELS:
        flat = _flatten_band(picture)
    else:
        flat = Image.new("RGB", picture.size)
        for top, band in bands(picture):
            flat.paste(_flatten_band(band), (0, top))
    flat.info = {}
    return flat


def _flatten_band(band: Image.Image) -> Image.Image:
    if band.mode.startswith("I;16"):  # Pillow would clip 16-bit greys at 255 instead of scaling them
        return Image.fromarray((np.asarray(band) >> 8).astype(np.uint8)).convert("RGB")
    if not band.has_transparency_data:
        return band.convert("RGB")
    page = Image.new("RGBA", band.size, "white")
    page.alpha_composite(band.convert("RGBA"))
    return page.convert("RGB")


def bands(picture: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """The rows of a picture from the top, in bands of half a million pixels, each with its first row."""
    rows = max(1, BAND_PIXELS // picture.width)
    if rows >= picture.height:
        yield 0, picture
        return
    for top in range(0, picture.height, rows):
        yield top, picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def _turn(picture: Image.Image) -> Image.Transpose | None:
    try:
        orientation = picture.getexif().get(_ORIENTATION)
    except _DEFECTS:  # unreadable EXIF turns nothing
        return None
    return _UPRIGHT.get(orientation) if isinstance(orientation, int) else None

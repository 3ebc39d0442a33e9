"""Decode an untrusted picture to RGB in bounded memory, as a viewer would show it on a white page."""

import io
import re
import struct
import warnings
import zlib

import numpy as np
from PIL import Image, UnidentifiedImageError

from safe_data.core.errors import MediaError
from safe_data.media.formats import HEAD_BYTES, unread

MAX_PIXELS = 2**25
MIN_SIDE = 2  # one pixel is a placeholder, and processors mistake a side of one for the channels
PICTURE_FORMATS = ("PNG", "JPEG")

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


def picture_suffix(data: bytes) -> str | None:
    """`png` or `jpg` by the first bytes; None for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    return "jpg" if data.startswith(b"\xff\xd8\xff") else None


def decode_image(data: bytes) -> Image.Image:
    """Decode a PNG or JPEG to RGB.

    Transparent parts become white, EXIF orientation is applied, 16-bit samples are scaled to 8 bits, and of
    several frames (APNG, MPO) the first is taken.

    Raises:
        MediaError: it is neither, truncated, smaller than 2×2, or larger than 2²⁵ pixels.
    """
    try:
        _silence_pillow()
        picture = Image.open(io.BytesIO(data), formats=PICTURE_FORMATS)
        check_size(picture.width, picture.height)
        picture.load()
        return _upright(_flatten(picture), picture)
    except MediaError:
        raise
    except Image.DecompressionBombError:
        raise MediaError(f"picture too large: more than {MAX_PIXELS} pixels") from None
    except UnidentifiedImageError:
        reason = unread(data[:HEAD_BYTES], "picture")
        raise reason or MediaError("undecodable picture: its header is damaged") from None
    except _BROKEN as error:
        raise MediaError(f"undecodable picture: {error}") from None


def _silence_pillow() -> None:
    """Ignore what Pillow warns of: broken metadata, and large pictures, which are bounded here.

    Not by `catch_warnings`, which is for one thread: two that decode at once would leave every warning of the
    process ignored.
    """
    if _PILLOW_WARNS not in warnings.filters:
        warnings.filterwarnings("ignore", module=r"PIL\.")


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


def _flatten(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # Pillow would clip 16-bit greys at 255 instead of scaling them
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    page = Image.new("RGBA", picture.size, "white")
    page.alpha_composite(picture.convert("RGBA"))
    return page.convert("RGB")


def _upright(flat: Image.Image, picture: Image.Image) -> Image.Image:
    try:
        orientation = picture.getexif().get(_ORIENTATION)
    except (*_BROKEN, TypeError, KeyError):  # unreadable EXIF turns nothing
        return flat
    turn = _UPRIGHT.get(orientation) if isinstance(orientation, int) else None
    return flat if turn is None else flat.transpose(turn)

"""Small pictures in every format and mode."""

import io
import struct
from typing import Any

import numpy as np
from PIL import Image


def saved(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    others = [other.copy() for other in options.pop("append_images", [])]
    # Copies, since Pillow leaves the settings of one format for the next.
    picture.copy().save(file, kind, append_images=others, **options)
    return file.getvalue()


def photo(width: int = 60, height: int = 45, noise: float = 6.0) -> Image.Image:
    """A picture with slopes and grain, as photos have; always the same."""
    rng = np.random.default_rng(0)
    hills = rng.normal(size=(height // 8 + 2, width // 8 + 2, 3)).cumsum(0).cumsum(1)
    hills = (hills - hills.min()) / np.ptp(hills) * 255
    smooth = Image.fromarray(hills.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    grain = np.asarray(smooth) + rng.normal(0, noise, (height, width, 3))
    return Image.fromarray(np.clip(grain, 0, 255).astype(np.uint8))


def see_through(picture: Image.Image) -> Image.Image:
    clear = picture.copy()
    clear.putalpha(picture.convert("L"))
    return clear


def deep(picture: Image.Image) -> Image.Image:
    """The grey picture in 16 bits."""
    return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)


def pictures() -> dict[str, bytes]:
    """Every format, with its variants; the name begins with the format."""
    plain = photo()
    few, clear, turned = plain.quantize(64), see_through(plain), plain.rotate(180)
    two = {"save_all": True, "append_images": [turned]}
    return {
        "png": saved(plain),
        "png-palette": saved(few, transparency=3),
        "png-alpha": saved(clear),
        "png-16": saved(deep(plain)),
        "png-animated": saved(plain, **two),
        "jpeg": saved(plain, "JPEG"),
        "jpeg-444": saved(plain, "JPEG", quality=95, subsampling="4:4:4"),
        "jpeg-progressive": saved(plain, "JPEG", progressive=True),
        "jpeg-restarts": saved(plain, "JPEG", restart_marker_rows=1),
        "jpeg-cmyk": saved(plain.convert("CMYK"), "JPEG"),
        "jpeg-grey": saved(plain.convert("L"), "JPEG"),
        "jpeg-mpo": saved(plain, "MPO", **two),
        "webp": saved(plain, "WEBP"),
        "webp-lossless": saved(plain, "WEBP", lossless=True),
        "webp-alpha": saved(clear, "WEBP"),
        "webp-animated": saved(plain, "WEBP", **two),
        "gif": saved(few, "GIF"),
        "gif-transparent": saved(few, "GIF", transparency=2),
        "gif-animated": saved(few, "GIF", save_all=True, append_images=[few.rotate(180)]),
        "bmp": saved(plain, "BMP"),
        "bmp-8": saved(few, "BMP"),
        "bmp-4": saved(plain.quantize(16), "BMP"),
        "bmp-1": saved(plain.convert("1"), "BMP"),
        "bmp-32": saved(clear, "BMP"),
        "bmp-runs": bmp_of_runs(),
        "tiff": saved(plain, "TIFF"),
        "tiff-lzw": saved(plain, "TIFF", compression="tiff_lzw"),
        "tiff-deflate": saved(plain, "TIFF", compression="tiff_adobe_deflate"),
        "tiff-packbits": saved(few, "TIFF", compression="packbits"),
        "tiff-jpeg": saved(plain, "TIFF", compression="jpeg"),
        "tiff-16": saved(deep(plain), "TIFF", compression="tiff_lzw"),
        "tiff-1": saved(plain.convert("1"), "TIFF"),
        "tiff-alpha": saved(clear, "TIFF", compression="tiff_lzw"),
        "tiff-cmyk": saved(plain.convert("CMYK"), "TIFF"),
        "tiff-pages": saved(plain, "TIFF", compression="tiff_lzw", **two),
    }


def bmp_of_runs() -> bytes:
    """A BMP of 16×8 pixels in run lengths, from the bottom: eight rows of two runs of eight."""
    rows = b"".join(bytes((8, row, 8, row + 8)) + b"\0\0" for row in range(8)) + b"\0\1"
    table = b"".join(bytes((entry, 255 - entry, entry // 2, 0)) for entry in range(256))
    head = struct.pack(
        "<IIIIiiHHIIIIII", 54 + 1024 + len(rows), 0, 1078, 40, 16, 8, 1, 8, 1, len(rows), 0, 0, 0, 0
    )
    return b"BM" + head + table + rows

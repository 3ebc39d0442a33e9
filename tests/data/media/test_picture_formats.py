"""Every picture format gives the pixels that it holds; hostile ones are refused."""

import io
import struct
from typing import Any

import numpy as np
import pytest
from pictures import deep, photo, pictures, saved, see_through
from PIL import Image

from safe_data.build.pack import encode_png
from safe_data.core.errors import MediaError
from safe_data.media.measure import measure_image
from safe_data.media.picture import decode_image
from safe_data.media.picture_head import BAND_PIXELS, picture_format

PICTURES = pictures()
REFUSED = r"^(((truncated|damaged|undecodable|empty|not a) picture)|unknown picture format): "


def shown(data: bytes) -> Image.Image:
    """What Pillow shows on a white page, in one step."""
    picture = Image.open(io.BytesIO(data))
    if picture.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    page = Image.new("RGBA", picture.size, "white")
    page.alpha_composite(picture.convert("RGBA"))
    return page.convert("RGB")


@pytest.mark.parametrize("name", PICTURES)
def test_a_whole_picture_is_read_and_known_by_its_content(name: str) -> None:
    picture = decode_image(PICTURES[name])
    assert picture.mode == "RGB"
    assert picture.tobytes() == shown(PICTURES[name]).tobytes()
    assert picture_format(PICTURES[name]) == name.partition("-")[0].upper()


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_that_is_cut_off_anywhere_is_refused(name: str) -> None:
    data = PICTURES[name]
    end = len(data) * 2 // 5 if name in ("jpeg-mpo", "tiff-pages") else len(data)  # of the first picture
    for cut in np.linspace(1, end - 5, 40).astype(int):
        with pytest.raises(
            MediaError,
            match=REFUSED,
        ):
            decode_image(data[:cut])


def test_stored_as_png_a_picture_keeps_its_pixels_and_nothing_else() -> None:
    for name in ("webp-alpha", "gif-transparent", "bmp-runs", "tiff-16"):
        picture = decode_image(PICTURES[name])
        stored = encode_png(picture)
        assert measure_image(decode_image(stored)) == measure_image(picture)
        assert stored == encode_png(decode_image(stored))
    with_profile = saved(
        photo(), "WEBP", icc_profile=b"secret" * 9, exif=b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"
    )
    assert b"iCCP" not in encode_png(decode_image(with_profile))


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16"])
def test_a_picture_made_in_bands_has_the_same_pixels_and_hashes(
    mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = photo(61, 53)
    picture = deep(plain) if mode == "I;16" else see_through(plain).convert(mode)
    data = saved(picture, "JPEG" if mode == "CMYK" else "PNG")
    whole = decode_image(data)
    facts = measure_image(whole)
    assert whole.width * whole.height < BAND_PIXELS
    monkeypatch.setattr("safe_data.media.picture.BAND_PIXELS", 61 * 4)
    assert decode_image(data).tobytes() == whole.tobytes()
    assert measure_image(decode_image(data)) == facts


def tiff(tags: dict[int, tuple[int, int, int]], data: bytes = b"", following: int = 0) -> bytes:
    """A TIFF from its tags: type, count and value of each."""
    entries = [struct.pack("<HHII", name, *tag) for name, tag in sorted(tags.items())]
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries)
    return head + struct.pack("<I", following) + data


def grey(width: int, height: int, **others: tuple[int, int, int]) -> dict[int, tuple[int, int, int]]:
    """The tags of an uncompressed grey TIFF in one strip, which begins right after them."""
    tags = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1)}
    tags |= {273: (4, 1, 0), 277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, width * height)}
    tags |= {int(name[1:]): value for name, value in others.items()}
    return tags | {273: (4, 1, 14 + 12 * len(tags))}


def gif(width: int, height: int, frame: tuple[int, int, int, int], data: bytes) -> bytes:
    head = b"GIF89a" + struct.pack("<HH", width, height) + b"\xf0\0\0" + bytes(6)
    return head + b"," + struct.pack("<HHHH", *frame) + b"\0\2" + data + b"\0;"


def webp(kind: bytes, body: bytes) -> bytes:
    chunk = kind + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


def bmp(width: int, height: int, bits: int, compression: int, data: bytes) -> bytes:
    head = struct.pack("<IIIIiiHHII", 0, 0, 54, 40, width, height, 1, bits, compression, 0)
    return b"BM" + head + bytes(16) + data


DOT = b"\3\4\0\5"  # four pixels, and the end code
HOSTILE: dict[str, tuple[bytes, str]] = {
    "GIF of fewer pixels": (
        gif(2, 2, (0, 0, 2, 2), b"\2\4\5"),
        "truncated picture: a GIF frame has 3 of 4 pixels",
    ),
    "GIF frame outside": (
        gif(8, 8, (4, 4, 8, 8), DOT),
        "damaged picture: a GIF frame of 8×8 at 4, 4 on a canvas of 8×8",
    ),
    "GIF canvas": (gif(65535, 65535, (0, 0, 2, 2), DOT), "picture too large: 65535×65535 of 33554432 pixels"),
    "GIF without frames": (gif(8, 8, (0, 0, 1, 1), b"")[:19] + b";", "empty picture: a GIF without a frame"),
    "GIF of tiny blocks": (
        gif(8, 8, (0, 0, 8, 8), b"\1\4" * 100_000),
        "damaged picture: the data of a GIF frame does not end with its last pixel",
    ),
    "WebP canvas": (
        webp(b"VP8X", bytes(4) + b"\xff" * 6),
        "picture too large: 16777216×16777216 of 33554432 pixels",
    ),
    "WebP without pixels": (
        webp(b"VP8X", bytes(4) + b"\7\0\0\7\0\0"),
        "truncated picture: a WebP without pixels",
    ),
    "WebP with a tail": (
        PICTURES["webp"] + b"more",
        r"damaged picture: a WebP promises \d+ bytes, \d+ are there",
    ),
    "BMP canvas": (bmp(2**31 - 1, 2**31 - 1, 24, 0, b""), "picture too large: 2147483647×2147483647 of"),
    "BMP too short": (
        bmp(4, 4, 24, 0, bytes(47)),
        "truncated picture: 48 bytes of pixels expected, 47 are there",
    ),
    "BMP too long": (bmp(4, 4, 24, 0, bytes(60)), "damaged picture: 48 bytes of pixels expected, 60 found"),
    "BMP as JPEG": (bmp(4, 4, 24, 4, bytes(48)), "unknown picture format: BMP with compression 4"),
    "BMP of runs without end": (
        PICTURES["bmp-runs"][:-2],
        "truncated picture: the run lengths of a BMP do not end",
    ),
    "BMP of endless runs": (
        bmp(9, 9, 8, 1, bytes(2**22 + 1)),
        "picture too large: 4194305 bytes of run lengths",
    ),
    "TIFF tag of gigabytes": (
        tiff(grey(8, 8, t700=(7, 2**31, 8)), bytes(64)),
        "truncated picture: TIFF tag 700 lies beyond the end of the file",
    ),
    "TIFF tags that share bytes": (
        tiff(grey(8, 8, **{f"t{name}": (7, 60_000, 8) for name in range(40_000, 40_900)}), bytes(60_000)),
        r"damaged picture: its TIFF tags promise \d+ bytes in a file of 70922",
    ),
    "TIFF strip outside": (
        tiff(grey(8, 8), bytes(63)),
        "truncated picture: a strip of 64 bytes at byte 122 of 185 bytes",
    ),
    "TIFF of endless strips": (
        tiff(grey(2, 2**24, t278=(4, 1, 1)), bytes(64)),
        "damaged picture: a TIFF in 16777216 strips",
    ),
    "TIFF tile": (
        tiff(grey(8, 8, t322=(4, 1, 2**31), t323=(4, 1, 2**31), t324=(4, 1, 8), t325=(4, 1, 64)), bytes(64)),
        "damaged picture: tiles of 2147483648×2147483648 in a TIFF",
    ),
    "TIFF of floats": (
        tiff(grey(8, 8, t339=(3, 1, 3)), bytes(64)),
        "unknown picture format: TIFF of signed, floating-point or unusual samples",
    ),
    "TIFF of a fax": (
        tiff(grey(8, 8, t259=(3, 1, 4)), bytes(64)),
        "unknown picture format: TIFF with compression 4; use none, LZW, Deflate, JPEG or PackBits",
    ),
    "TIFF thumbnail": (
        tiff(grey(8, 8, t254=(4, 1, 1)), bytes(64)),
        "unknown picture format: TIFF that begins with a thumbnail, as raw photos do",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_picture_is_refused_with_a_reason(name: str) -> None:
    data, reason = HOSTILE[name]
    with pytest.raises(MediaError, match=reason):
        decode_image(data)


def test_pages_that_point_back_to_the_first_are_not_followed() -> None:
    again: dict[str, Any] = {"following": 8}
    assert decode_image(tiff(grey(8, 8), bytes(64), **again)).size == (8, 8)


def test_the_first_frame_is_shown_on_its_canvas() -> None:
    data = gif(8, 8, (2, 2, 2, 2), DOT)
    assert decode_image(data).size == (8, 8)
    assert decode_image(data[:-1]).size == (8, 8)  # some programs write no trailer
    with pytest.raises(MediaError, match="truncated picture: a GIF without its end"):
        decode_image(data[:-2])

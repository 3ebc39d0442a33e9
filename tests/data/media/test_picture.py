"""Pictures are decoded as a viewer shows them on a white page, or refused with a reason."""

import contextlib
import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from folders import picture_bytes
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from safe_data.core.errors import MediaError
from safe_data.media.picture import decode_image, picture_suffix


def saved(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def two_colours() -> Image.Image:
    """Red above, blue below, wider than high."""
    picture = Image.new("RGB", (48, 32), (255, 0, 0))
    picture.paste((0, 0, 255), (0, 16, 48, 32))
    return picture


def test_transparency_shows_a_white_page() -> None:
    assert decode_image(picture_bytes(mode="RGBA", colour=(10, 20, 30, 0))).getpixel((0, 0)) == (
        255,
        255,
        255,
    )
    assert decode_image(picture_bytes(mode="LA", colour=(0, 255))).getpixel((0, 0)) == (0, 0, 0)
    half = decode_image(picture_bytes(mode="RGBA", colour=(0, 0, 0, 128))).getpixel((0, 0))
    assert half == (127, 127, 127)


def test_a_transparent_palette_colour_is_white_too() -> None:
    data = saved(Image.new("P", (2, 2), 0), transparency=0)
    assert decode_image(data).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bit_greys_are_scaled_not_clipped() -> None:
    picture = decode_image(saved(Image.fromarray(np.array([[0, 30_000, 65_535]] * 2, np.uint16))))
    assert [picture.getpixel((x, 0)) for x in range(3)] == [(0, 0, 0), (117, 117, 117), (255, 255, 255)]


@pytest.mark.parametrize(("orientation", "corner"), [(1, "top"), (3, "bottom"), (6, "right"), (8, "left")])
def test_a_picture_that_was_taken_sideways_is_turned_upright(orientation: int, corner: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = saved(two_colours(), "JPEG", exif=exif, quality=95)
    picture = decode_image(data)
    assert picture.size == ((48, 32) if orientation in (1, 3) else (32, 48))
    middle = (picture.width // 2, picture.height // 2)
    edges = {
        "top": (middle[0], 2),
        "bottom": (middle[0], picture.height - 3),
        "left": (2, middle[1]),
        "right": (picture.width - 3, middle[1]),
    }
    for edge, place in edges.items():
        red, _, blue = picture.getpixel(place)
        if edge == corner:
            assert red > 200 > 60 > blue
    from PIL import ImageOps

    theirs = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    assert picture.tobytes() == theirs.convert("RGB").tobytes()


def test_exif_that_cannot_be_read_turns_nothing() -> None:
    data = saved(two_colours(), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\xff" + b"\xff" * 30)
    assert decode_image(data).size == (48, 32)
    exif = Image.Exif()
    exif[0x0112] = 77
    assert decode_image(saved(two_colours(), "JPEG", exif=exif)).size == (48, 32)


def test_print_colours_become_screen_colours() -> None:
    data = saved(two_colours().convert("CMYK"), "JPEG", quality=95)
    red, green, blue = decode_image(data).getpixel((24, 4))
    assert red > 220
    assert max(green, blue) < 40


def test_the_first_picture_of_an_animation_is_taken() -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "lime", "blue")]
    data = saved(frames[0], save_all=True, append_images=frames[1:], duration=100)
    assert decode_image(data).getpixel((0, 0)) == (255, 0, 0)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_becomes_rgb(mode: str) -> None:
    picture = Image.new(mode, (3, 2), 0 if mode in ("1", "L", "P", "I;16") else None)
    assert (decode_image(saved(picture)).mode, decode_image(saved(picture)).size) == ("RGB", (3, 2))


def test_a_picture_is_known_by_its_content() -> None:
    assert picture_suffix(picture_bytes()) == "png"
    assert picture_suffix(picture_bytes(kind="JPEG")) == "jpg"
    assert picture_suffix(b"GIF89a") is None


def png_of_size(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that promises any number of pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(4096)))
        + chunk(b"IEND", b"")
    )


HOSTILE_PICTURES = {
    "no bytes": (b"", "empty picture: the file has no bytes"),
    "text": (b"no picture" * 20, "not a picture: a text file"),
    "other format": (picture_bytes(kind="ICO"), "unknown picture format: ICO; convert it to one of PNG"),
    "cut off PNG": (
        picture_bytes(side=64)[:60],
        r"truncated picture: a chunk promises \d+ bytes, \d+ are there",
    ),
    "cut off JPEG": (picture_bytes(side=64, kind="JPEG")[:400], "truncated picture: "),
    "PNG without its end": (picture_bytes()[:-12], "truncated picture: a PNG without its end"),
    "JPEG without its end": (picture_bytes(kind="JPEG")[:-2], "truncated picture: a JPEG without its end"),
    "large": (png_of_size(10_000, 5_000), "picture too large: 10000×5000 of 33554432 pixels"),
    "a bomb": (png_of_size(60_000, 60_000), "picture too large: 60000×60000 of 33554432 pixels"),
    "no pixels": (png_of_size(0, 8), "picture too small: 0×8, with 2 pixels a side or more expected"),
    "a place holder": (
        picture_bytes(side=1),
        "picture too small: 1×1, with 2 pixels a side or more expected",
    ),
    "a line": (png_of_size(300, 1), "picture too small: 300×1"),
    "fewer pixels than promised": (png_of_size(5_000, 5_000), "undecodable picture"),
}


@pytest.mark.parametrize("name", HOSTILE_PICTURES)
def test_a_hostile_picture_is_refused_with_a_reason(name: str) -> None:
    data, reason = HOSTILE_PICTURES[name]
    with pytest.raises(MediaError, match=reason):
        decode_image(data)


@settings(max_examples=100, deadline=None)
@given(
    cut=st.floats(0, 1),
    place=st.floats(0, 1),
    value=st.integers(0, 255),
    kind=st.sampled_from(["PNG", "JPEG"]),
)
def test_damaged_pictures_decode_or_are_refused_but_never_crash(
    cut: float, place: float, value: int, kind: str
) -> None:
    whole = picture_bytes(side=16, kind=kind)
    data = bytearray(whole[: max(1, int(cut * len(whole)))])
    data[int(place * (len(data) - 1))] = value
    with contextlib.suppress(MediaError):
        assert decode_image(bytes(data)).mode == "RGB"


def test_threads_that_decode_leave_the_warnings_of_others_as_they_are() -> None:
    data, before = saved(two_colours()), list(warnings.filters)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(decode_image, [data] * 400))
    everything = ("ignore", None, Warning, None, 0)
    assert everything not in warnings.filters or everything in before


def test_pixels_that_do_not_match_their_checksum_are_refused_however_they_are_cut() -> None:
    """Each chunk is right; Pillow would not read the last one."""
    rows = zlib.compress(bytes(range(13)) * 4)
    wrong = rows[:-1] + bytes([rows[-1] ^ 1])
    for cut in (1, 2, 3, 4, 5, len(rows)):
        for pixels, refused in ((rows, False), (wrong, True)):
            data = png_of_chunks(pixels[:-cut], pixels[-cut:])
            with pytest.raises(MediaError, match="picture: ") if refused else contextlib.nullcontext():
                assert decode_image(data).size == (4, 4)


def png_of_chunks(*pixels: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", 4, 4, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), *((b"IDAT", part) for part in pixels), (b"IEND", b"")]
    made = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)

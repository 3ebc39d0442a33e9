"""The memory that a picture takes is known from its head, before it is decoded."""

import io
from pathlib import Path

import pytest
from effort import STATUS, Counting, peak_bytes
from pictures import photo, pictures, saved, see_through
from PIL import Image

from safe_data.build.pack import encode_png
from safe_data.core.errors import MediaError
from safe_data.media.measure import measure_image
from safe_data.media.picture import decode_image, picture_suffix
from safe_data.media.picture_head import MAX_PIXELS, decode_cost_bytes, read_head

PICTURES = pictures()
needs_proc = pytest.mark.skipif(not STATUS.exists(), reason="memory is measured through /proc")
LARGEST = (5792, 5792)

FORGET_PEAK = Path("/proc/self/clear_refs")


def variants(width: int, height: int, *names: str) -> dict[str, bytes]:
    """What takes most memory in each format, or some of it."""
    plain = photo(256, 256).resize((width, height))
    turned = Image.Exif()
    turned[0x0112] = 6
    clear = see_through(plain)
    made = {
        "png": lambda: saved(plain, compress_level=1),
        "png-alpha": lambda: saved(clear, compress_level=1),
        "png-palette": lambda: saved(plain.quantize(16), compress_level=1, transparency=1),
        "jpeg": lambda: saved(plain, "JPEG"),
        "jpeg-turned": lambda: saved(plain, "JPEG", exif=turned),
        "jpeg-progressive": lambda: saved(plain, "JPEG", progressive=True, subsampling="4:4:4"),
        "jpeg-cmyk": lambda: saved(plain.convert("CMYK"), "JPEG"),
        "webp": lambda: saved(clear, "WEBP", quality=20, method=0),
        "gif": lambda: saved(plain.quantize(16), "GIF"),
        "bmp": lambda: saved(plain, "BMP"),
        "tiff": lambda: saved(clear, "TIFF", compression="tiff_lzw"),
    }
    return {name: made[name]() for name in names or made}


def peak_of(data: bytes) -> int:
    """By how much this process grows at most while it decodes, measures and encodes a picture."""
    FORGET_PEAK.write_text("5")
    before = peak_bytes()
    picture = decode_image(data)
    measure_image(picture)
    if picture_suffix(data) is None:
        encode_png(picture)
    return peak_bytes() - before


def peaks(large: dict[str, bytes]) -> dict[str, float]:
    """How much of what its head says each picture takes at its peak."""
    for name in ("jpeg-progressive", "gif", "tiff-lzw", "webp"):
        peak_of(PICTURES[name])  # everything is loaded now
    return {name: peak_of(data) / decode_cost_bytes(data) for name, data in large.items()}


@needs_proc
def test_decoding_and_measuring_take_no_more_than_the_head_says() -> None:
    found = peaks(variants(1500, 1200, "png-alpha", "jpeg-progressive", "jpeg-cmyk", "jpeg-turned"))
    assert max(found.values()) <= 1, found


@needs_proc
@pytest.mark.slow
def test_the_largest_pictures_take_no_more_than_the_head_says() -> None:
    found = peaks(variants(*LARGEST))
    assert 0.9 < max(found.values()) <= 1, found


def test_bytes_per_pixel_of_each_kind() -> None:
    """RGB as Pillow holds it takes four; what is converted takes the decoder's picture and that."""
    found = {}
    for name in ("png", "png-alpha", "png-palette", "png-16", "jpeg-cmyk", "jpeg-grey", "jpeg-progressive"):
        head = read_head(io.BytesIO(PICTURES[name]))
        assert head is not None
        found[name] = head.held + max(head.beside, head.rgb)
    assert {name: round(value) for name, value in found.items()} == {
        "png": 4,
        "png-alpha": 8,
        "png-palette": 5,
        "png-16": 6,
        "jpeg-cmyk": 8,
        "jpeg-grey": 5,
        "jpeg-progressive": 16,
    }


@pytest.mark.parametrize("name", PICTURES)
def test_only_the_head_is_read(name: str) -> None:
    big = PICTURES[name] + bytes(2**20)
    file = Counting(big)
    head = read_head(file)
    assert head is not None
    assert (head.width, head.height) == ((16, 8) if name == "bmp-runs" else (60, 45))
    assert file.bytes_read < 5_000
    assert decode_cost_bytes(io.BytesIO(big)) == decode_cost_bytes(big) > 60 * 45


def test_what_is_refused_before_it_is_decoded_costs_nothing() -> None:
    larger = bytearray(PICTURES["bmp"])
    larger[18:26] = MAX_PIXELS.to_bytes(4, "little") * 2
    for data in (b"", b"no picture", bytes(larger), PICTURES["png"][:20]):
        assert decode_cost_bytes(data) == 0


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "gif", "bmp", "tiff"])
def test_a_head_that_is_cut_off_is_refused(name: str) -> None:
    with pytest.raises(MediaError, match="truncated picture: "):
        read_head(io.BytesIO(PICTURES[name][: {"gif": 9, "tiff": 7}.get(name, 13)]))

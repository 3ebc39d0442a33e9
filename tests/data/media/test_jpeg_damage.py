"""JPEG has no checksums: what can be known of damage is known, and good pictures of every kind are read."""

import io
import re

import pytest
from pictures import photo, pictures, saved
from PIL import Image

from safe_data.core.errors import MediaError
from safe_data.media.checks.jpeg import check_jpeg
from safe_data.media.picture import decode_image

SEQUENTIAL = {
    "plain": {},
    "fine": {"quality": 95, "subsampling": "4:4:4"},
    "restarts": {"restart_marker_rows": 1},
}

# Slopes of 9×8 pixels, coded by `cjpeg -arithmetic`, which Pillow reads and cannot write.
ARITHMETIC = (
    "ffd8ffe000104a46494600010100000100010000ffdb0043000d090a0b0a080d0b0a0b0e0e0d0f13201513121213271c"
    "1e17202e2931302e292d2c333a4a3e333646372c2d405741464c4e525352323e5a615a50604a51524fffdb0043010e0e"
    "0e131113261515264f352d354f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f4f"
    "4f4f4f4f4f4f4f4f4f4f4f4f4f4fffc90011080008000903012200021101031101ffcc000a0010100501101105ffda00"
    "0c03010002110311003f00feedff007757508c98e64f1e38164c184bc70816e9fc1a8b9b40ffd9"
)
ARITHMETIC_PROGRESSIVE = (
    "ffd8ffe000104a46494600010100000100010000ffdb0043000d090a0b0a080d0b0a0b0e0e0d0f13201513121213271c"
    "1e17202e2931302e292d2c333a4a3e333646372c2d405741464c4e525352323e5a615a50604a51524fffca000b080008"
    "000901011100ffcc00040010ffda0008010100000001fddc40ffcc00041005ffda0008010100010502181a02ffcc0004"
    "1005ffda0008010100063f02c0ffcc00041005ffda0008010100013f214c64ffda0008010100000010ffcc00041005ff"
    "da0008010100013f105492df0c40ffd9"
)


def scan_of(data: bytes) -> tuple[int, int]:
    return check_jpeg(data).scans[0]


def without(data: bytes, start: int, end: int) -> bytes:
    return data[:start] + data[end:]


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("size", [(2, 2), (8, 8), (17, 9), (64, 48), (65, 47)])
def test_good_pictures_of_every_kind_are_read(subsampling: str, size: tuple[int, int]) -> None:
    picture = photo(*size)
    for options in ({}, {"progressive": True}, {"optimize": True}, {"restart_marker_blocks": 3}):
        for mode in ("RGB", "L", "CMYK"):
            data = saved(picture.convert(mode), "JPEG", subsampling=subsampling, **options)
            expected = Image.open(io.BytesIO(data)).convert("RGB")
            assert decode_image(data).tobytes() == expected.tobytes()


@pytest.mark.parametrize("code", [ARITHMETIC, ARITHMETIC_PROGRESSIVE])
def test_arithmetic_coding_is_read_and_its_end_checked(code: str) -> None:
    data = bytes.fromhex(code)
    assert decode_image(data).tobytes() == Image.open(io.BytesIO(data)).convert("RGB").tobytes()
    with pytest.raises(MediaError, match="truncated picture: a JPEG without its end"):
        decode_image(data[:-1])


@pytest.mark.parametrize("kind", SEQUENTIAL)
def test_lost_bytes_are_noticed_though_the_end_is_there(kind: str) -> None:
    """libjpeg would fill up the picture, and only warn."""
    data = saved(photo(), "JPEG", **SEQUENTIAL[kind])
    start, end = scan_of(data)
    for lost in (20, 60, (end - start) // 2):
        short = without(data, end - lost, end)
        assert Image.open(io.BytesIO(short)).convert("RGB").size == (60, 45)
        with pytest.raises(MediaError, match="damaged picture: "):
            decode_image(short)


def test_bytes_that_are_left_over_are_noticed() -> None:
    data = saved(photo(), "JPEG")
    _, end = scan_of(data)
    with pytest.raises(MediaError, match="damaged picture: JPEG data is left over after its last row"):
        decode_image(data[:end] + data[end - 40 : end] + data[end:])


def test_bytes_that_fill_up_a_scan_are_no_damage() -> None:
    data = saved(photo(), "JPEG")
    whole = decode_image(data).tobytes()
    _, end = scan_of(data)
    for filler in (b"\0", b"\0" * 12, b"\x55\xaa", b"\xff", b"\xff\xff\xff"):
        assert decode_image(data[:end] + filler + data[end:]).tobytes() == whole
    assert decode_image(data + b"anything").tobytes() == whole


def test_a_changed_size_is_noticed() -> None:
    data = saved(photo(64, 48), "JPEG")
    frame = data.index(b"\xff\xc0") + 5
    for height, reason in ((16, "left over after its last row"), (200, "ends before its last row")):
        with pytest.raises(MediaError, match=reason):
            decode_image(data[:frame] + height.to_bytes(2) + data[frame + 2 :])


def test_restart_markers_come_in_order() -> None:
    data = saved(photo(64, 96), "JPEG", restart_marker_rows=1)
    start, end = scan_of(data)
    first = re.search(rb"\xff[\xd0-\xd7]", data[start:end])
    assert first
    place = start + first.start()
    for changed in (without(data, place, place + 2), data[: place + 1] + b"\xd3" + data[place + 2 :]):
        with pytest.raises(MediaError, match="damaged picture: the restart markers of a JPEG are not those"):
            decode_image(changed)


def test_a_progressive_picture_lacks_no_scan_and_ffmpeg_agrees() -> None:
    data = pictures()["jpeg-progressive"]
    frame = check_jpeg(data)
    assert len(frame.scans) > 5
    last = data.rindex(b"\xff\xda")
    with pytest.raises(MediaError, match="truncated picture: a progressive JPEG that ends before"):
        decode_image(without(data, last, frame.scans[-1][1]))
    start, end = frame.scans[1]
    with pytest.raises(MediaError, match="damaged picture: the data of a progressive JPEG is invalid"):
        decode_image(without(data, start, (start + end) // 2))


def test_what_is_between_the_segments_is_damage() -> None:
    data = saved(photo(), "JPEG")
    with pytest.raises(MediaError, match="no JPEG segment where one should start, at byte 20"):
        decode_image(data[:20] + b"junk" + data[20:])
    table = data.index(b"\xff\xdb")
    with pytest.raises(MediaError, match="damaged picture: an unknown JPEG marker, 0x01, at byte "):
        decode_image(data[: table + 1] + b"\x01" + data[table + 2 :])


def test_scans_and_segments_without_end_are_refused() -> None:
    data = pictures()["jpeg-progressive"]
    last = data.rindex(b"\xff\xda")
    with pytest.raises(MediaError, match="picture too large: more than 128 scans"):
        decode_image(data[:-2] + data[last:-2] * 130 + data[-2:])
    many = b"\xff\xe1\xff\xff" + b"Exif\0\0".ljust(65533, b"\0")
    with pytest.raises(MediaError, match="picture too large: its EXIF has 4259645 bytes of 4194304"):
        decode_image(data[:2] + many * 65 + data[2:])

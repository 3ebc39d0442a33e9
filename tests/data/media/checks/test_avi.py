"""AVI: its chunks follow one another, and are those of its index."""

import io
import struct

import pytest
from videos import sample

from safe_data.core.errors import MediaError
from safe_data.media.containers import check_whole


def check(data: bytes) -> None:
    check_whole(io.BytesIO(data))


def resized(data: bytes, start: int, end: int) -> bytes:
    """Take out a part, and correct the sizes of the file and of its list of chunks."""
    movi = data.index(b"movi")
    changed = bytearray(data[:start] + data[end:])
    for place in (4, movi - 4):
        struct.pack_into("<I", changed, place, struct.unpack_from("<I", data, place)[0] - (end - start))
    return bytes(changed)


def test_a_lost_chunk_is_seen() -> None:
    data = sample("avi")
    start = data.index(b"01wb", data.index(b"01wb") + 2_000)
    (length,) = struct.unpack_from("<I", data, start + 4)
    with pytest.raises(MediaError, match=r"^truncated video: the index lists \d+ chunks, \d+ are there$"):
        check(resized(data, start, start + 8 + length + length % 2))


@pytest.mark.parametrize("offset", [0, 2, 5])
def test_a_damaged_chunk_is_seen(offset: int) -> None:
    data = bytearray(sample("avi"))
    data[data.index(b"01wb", 9_000) + offset] ^= 0x4
    with pytest.raises(
        MediaError, match=r"^(damaged video: (no|an unknown|a) chunk|truncated video: the index)"
    ):
        check(bytes(data))


def test_an_index_that_is_promised_must_be_there() -> None:
    data = sample("avi")
    index = data.rindex(b"idx1")
    (size,) = struct.unpack_from("<I", data, 4)
    cut = data[:4] + struct.pack("<I", size - (len(data) - index)) + data[8:index]
    with pytest.raises(MediaError, match=r"^truncated video: it has no index$"):
        check(cut)
    flags = data.index(b"avih") + 20
    (value,) = struct.unpack_from("<I", cut, flags)
    check(cut[:flags] + struct.pack("<I", value & ~0x10) + cut[flags + 4 :])


def test_an_index_may_count_from_the_start_of_the_file() -> None:
    data = sample("avi")
    index, movi = data.rindex(b"idx1") + 8, data.index(b"movi")
    changed = bytearray(data)
    for row in range(index, len(data) - 15, 16):
        struct.pack_into("<I", changed, row + 8, struct.unpack_from("<I", data, row + 8)[0] + movi)
    check(bytes(changed))


def test_what_follows_the_end_does_not_matter() -> None:
    check(sample("avi") + b"some text")
    with pytest.raises(MediaError, match=r"^truncated video: the header promises \d+ bytes, \d+ are there$"):
        check(sample("avi")[:-1])

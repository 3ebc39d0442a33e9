"""FLV: each tag must be as long as it says, and none may be missing."""

import io

import pytest
from videos import sample, video_bytes

from safe_data.core.errors import MediaError
from safe_data.media.containers import check_whole


def tags(data: bytes) -> list[int]:
    """Where each tag begins, and the end."""
    starts = [13]
    while starts[-1] < len(data):
        starts.append(starts[-1] + 15 + int.from_bytes(data[starts[-1] + 1 : starts[-1] + 4]))
    return starts


def check(data: bytes) -> None:
    check_whole(io.BytesIO(data))


def unstated(data: bytes) -> bytes:
    """The same without what the header says about the size of the file."""
    return data.replace(b"filesize", b"fillsize")


def test_what_is_lost_is_seen() -> None:
    data = video_bytes("flv", None, "aac", seconds=3)
    starts = tags(data)
    assert starts[-1] == len(data)
    middle = data[: starts[40]] + data[starts[80] :]
    with pytest.raises(MediaError, match=r"^truncated video: the header promises \d+ bytes, \d+ are there$"):
        check(middle)
    with pytest.raises(MediaError, match=r"^damaged sound: nothing is there from 0\.\d+ s to 1\.\d+ s$"):
        check(unstated(middle))
    with pytest.raises(
        MediaError, match=r"^truncated video: the header promises 3\.\d+ s, 1\.\d+ s are there$"
    ):
        check(unstated(data[: starts[80]]))
    with pytest.raises(MediaError, match=r"^truncated video: the header promises \d+ bytes, \d+ are there$"):
        check(data[: starts[80] - 1])


@pytest.mark.parametrize("offset", [0, 3, 8])
def test_a_damaged_tag_is_seen(offset: int) -> None:
    data = bytearray(sample("flv"))
    data[tags(data)[9] + offset] ^= 0x44
    with pytest.raises(
        MediaError, match=r"^damaged video: (no tag|a tag that is not as long as it says) at byte"
    ):
        check(bytes(data))


def test_some_programs_count_no_header() -> None:
    data = bytearray(sample("flv"))
    for start, end in zip(tags(data)[:-1], tags(data)[1:], strict=True):
        data[end - 4 : end] = (end - start - 15).to_bytes(4)
    check(bytes(data))

"""MP4 and MOV: tables that contradict each other or the file, and lost fragments, are refused."""

import io
import struct
from typing import Any

import pytest
from videos import sample, video_bytes

from safe_data.core.errors import MediaError
from safe_data.media.containers import check_whole


def check(data: bytes) -> None:
    check_whole(io.BytesIO(data))


def changed(data: bytes, box: bytes, offset: int, layout: str, *values: Any) -> bytes:
    """Write values into the last box of a kind, which is that of the sound."""
    written = bytearray(data)
    struct.pack_into(layout, written, data.rindex(box) + 4 + offset, *values)
    return bytes(written)


@pytest.mark.parametrize(
    ("box", "offset", "layout", "value", "reason"),
    [
        (b"stts", 8, ">I", 7, r"damaged video: \d+ times for \d+ samples"),
        (b"stts", 12, ">I", 9_999, r"damaged video: the header promises 1.\d+ s, its samples last \d+.*"),
        (b"stsz", 12, ">I", 2**20, r"truncated video: a sample ends at byte \d+ of \d+"),
        (
            b"stsz",
            12,
            ">I",
            2_000,
            r"damaged video: (two samples overlap|a sample outside of the media data) at .*",
        ),
        (b"stsz", 8, ">I", 2**31, r"damaged video: \d+ (times|sizes) for \d+ samples"),
        (b"stco", 8, ">I", 8, r"damaged video: a sample outside of the media data at byte 8"),
        (b"stco", 4, ">I", 2**31, r"damaged video: its table of chunks is cut off"),
        (b"stsc", 8, ">I", 2, r"damaged video: its table of chunks is not in order"),
        (b"stsc", 12, ">I", 2**31, r"damaged video: chunks of \d+ samples for \d+ samples"),
        (b"mdhd", 16, ">I", 2**31, r"damaged video: the header promises \d+.* s, its samples last 1.\d+ s"),
        (b"elst", 12, ">i", 40_000, r"damaged video: an edit shows 2.\d+ s of 1.\d+ s"),
    ],
)
def test_a_damaged_table_is_refused(box: bytes, offset: int, layout: str, value: int, reason: str) -> None:
    check(sample("mp4"))
    with pytest.raises(MediaError, match=f"^{reason}$"):
        check(changed(sample("mp4"), box, offset, layout, value))


def test_a_recording_that_was_interrupted_has_no_index() -> None:
    data = sample("mp4")
    with pytest.raises(
        MediaError, match=r"^truncated video: it has no index, which some programs write last$"
    ):
        check(data[: data.rindex(b"moov") - 4])


def fragments(data: bytes) -> list[int]:
    return [at - 4 for at in range(len(data)) if data.startswith(b"moof", at)]


@pytest.fixture(scope="module")
def parts() -> bytes:
    options = {"movflags": "empty_moov+default_base_moof", "frag_duration": "300000"}
    return video_bytes("mp4", None, "aac", seconds=3, options=options)


def test_the_index_at_the_end_tells_that_the_last_fragment_is_lost(parts: bytes) -> None:
    last, index = fragments(parts)[-1], parts.rindex(b"mfra") - 4
    with pytest.raises(
        MediaError, match=rf"^damaged video: no fragment where the index has one, at byte {last}$"
    ):
        check(parts[:last] + parts[index:])
    check(changed(parts, b"tfra", 12, ">I", 2**31))  # more entries than are there
    check(parts[:last])  # without the index, nothing tells


def test_zeros_behind_a_fragmented_file_that_is_complete_are_passed_over(parts: bytes) -> None:
    assert b"mfra" in parts
    check(parts + bytes(1000))
    with pytest.raises(MediaError, match=r"^damaged video: no box at byte \d+$"):
        check(parts[: parts.rindex(b"mfra") - 4] + bytes(1000))


def test_a_lost_fragment_is_a_loss(parts: bytes) -> None:
    check(parts)
    starts = fragments(parts)
    with pytest.raises(
        MediaError, match=r"^damaged video: a fragment that begins 0\.\d+ s after the one before at"
    ):
        check(parts[: starts[2]] + parts[starts[3] :])


def test_a_fragment_must_hold_what_it_lists(parts: bytes) -> None:
    count = parts.index(b"trun", fragments(parts)[2]) + 8
    (samples,) = struct.unpack_from(">I", parts, count)
    for wrong, reason in (
        (samples - 1, r"a fragment of \d+ samples does not list them"),
        (2**30, r"a fragment of more than \d+ samples"),
    ):
        data = parts[:count] + struct.pack(">I", wrong) + parts[count + 4 :]
        with pytest.raises(MediaError, match=f"^damaged video: {reason}$"):
            check(data)
    head = bytearray(parts)
    place = parts.index(b"moof", fragments(parts)[3])
    head[place : place + 4] = b"moou"
    with pytest.raises(
        MediaError, match=r"^damaged video: a fragment that begins 0\.\d+ s after the one before"
    ):
        check(bytes(head))


def test_a_pause_within_a_fragment_without_pictures_is_damage() -> None:
    data = sample("mp4-cmaf")  # which says of each frame how long it is
    lasts = data.index(struct.pack(">I", 1024), data.index(b"trun") + 100)
    data = data[:lasts] + struct.pack(">I", 1024 + 2**17) + data[lasts + 4 :]
    with pytest.raises(MediaError, match=r"^damaged sound: nothing is there from \d\.\d+ s to \d\.\d+ s$"):
        check(data)


def test_bytes_after_the_end_do_not_matter() -> None:
    check(sample("mp4") + bytes(1_000))
    check(sample("mp4") + b"\xff" * 1_000)
    with pytest.raises(MediaError, match=r"^damaged video: no box at byte \d+$"):
        check(sample("mp4-fragments") + b"\xff" * 1_000)

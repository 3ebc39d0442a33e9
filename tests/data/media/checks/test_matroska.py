"""Matroska and WebM: what is lost or damaged is refused, and a pause of the sound is none of both."""

import io
import struct

import pytest
from videos import sample, video_bytes

from safe_data.core.errors import MediaError
from safe_data.media.containers import check_whole
from safe_data.media.decode import decode_pcm

CLUSTER = b"\x1f\x43\xb6\x75"
SEGMENT = b"\x18\x53\x80\x67"
SHORT_CLUSTERS = {"cluster_time_limit": "200"}


@pytest.fixture(scope="module")
def sound() -> bytes:
    """Three seconds of Opus in clusters of 0.2 s; WebM has no checksums."""
    return video_bytes("webm", None, "libopus", seconds=3, rate=48_000, options=SHORT_CLUSTERS)


def clusters(data: bytes) -> list[int]:
    """Where each cluster starts, and where the last ends."""
    starts = [at for at in range(len(data)) if data.startswith(CLUSTER, at)]
    width = 9 - data[starts[-1] + 4].bit_length()
    size = int.from_bytes(data[starts[-1] + 4 :][:width]) & ((1 << 7 * width) - 1)
    return [*starts, starts[-1] + 4 + width + size]


def without(data: bytes, start: int, end: int) -> bytes:
    """Take out a part and correct the size of the segment, as a program that copies elements does."""
    place = data.index(SEGMENT) + 4
    size = int.from_bytes(data[place + 1 : place + 8]) - (end - start)
    return data[:place] + b"\x01" + size.to_bytes(7) + data[place + 8 : start] + data[end:]


def check(data: bytes, *clip: float) -> None:
    check_whole(io.BytesIO(data), *clip)


def test_lost_clusters_are_a_loss(sound: bytes) -> None:
    starts = clusters(sound)
    with pytest.raises(MediaError, match=r"^damaged sound: nothing is there from 0\.\d+ s to 1\.\d+ s$"):
        check(without(sound, starts[4], starts[8]))
    with pytest.raises(
        MediaError, match=r"^truncated video: the header promises 3\.\d+ s, 2\.\d+ s are there$"
    ):
        check(without(sound, starts[-5], starts[-1]))


def test_a_pause_of_the_sound_while_pictures_go_on_is_silence() -> None:
    data = video_bytes("matroska", "libx264", "flac", rate=8_000, seconds=2, sound_delay_seconds=1.5)
    whole = decode_pcm(data)
    assert not whole.samples[: whole.sample_rate_hz].any()


def test_one_flipped_bit_anywhere_is_seen_by_the_checksums() -> None:
    data = sample("mkv")
    first = clusters(data)[0]
    for place in (first + 20, first + 5_000, len(data) // 2):
        changed = bytearray(data)
        changed[place] ^= 4
        with pytest.raises(MediaError, match=r"^damaged video: "):
            check(bytes(changed))


@pytest.fixture(scope="module")
def long() -> bytes:
    """Twenty-four seconds in clusters of 0.2 s, each with a checksum."""
    return video_bytes("matroska", None, "flac", seconds=24, rate=4_000, channels=1, options=SHORT_CLUSTERS)


def test_damage_far_from_a_clip_does_not_matter(long: bytes) -> None:
    data = bytearray(long)
    data[clusters(long)[2] + 100] ^= 1
    check(bytes(data), 20.0, 1.0)
    for clip in ((), (1.0, 2.0)):
        with pytest.raises(MediaError, match=r"^damaged video: a wrong checksum at byte \d+$"):
            check(bytes(data), *clip)


def test_what_is_lost_at_the_end_is_seen_by_a_clip_from_the_start(long: bytes) -> None:
    starts = clusters(long)
    check(long, 1.0, 1.0)
    with pytest.raises(
        MediaError, match=r"^truncated video: the header promises 24 s, 2[23]\.?\d* s are there$"
    ):
        check(without(long, starts[-6], starts[-1]), 1.0, 1.0)


def test_a_damaged_cluster_size_is_seen(sound: bytes) -> None:
    place = clusters(sound)[3] + 4
    for value in (sound[place + 1] ^ 0x01, sound[place + 1] ^ 0x40):
        changed = bytearray(sound)
        changed[place + 1] = value
        with pytest.raises(MediaError, match=r"^(damaged|truncated) video: "):
            check(bytes(changed))


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        (0x90, "a block with unknown flags"),
        (0x82, "a block whose frames do not fit"),
        (0x86, "a block whose frames do not fit"),
    ],
)
def test_a_block_that_ffmpeg_would_drop_is_refused(sound: bytes, flags: int, reason: str) -> None:
    block = sound.index(b"\x80\xfc", clusters(sound)[2])  # the flags, and the first byte of Opus
    changed = bytearray(sound)
    changed[block] = flags
    with pytest.raises(MediaError, match=f"^damaged video: {reason} at byte "):
        check(bytes(changed))
    changed[block : block + 2] = b"\x80\xff\x00"[:2]
    changed[block + 2] = 0
    with pytest.raises(
        MediaError, match=r"^damaged video: a packet of Opus whose frames do not fit at byte "
    ):
        check(bytes(changed))


def test_laced_blocks_are_read() -> None:
    from safe_data.media.checks.matroska_frames import check_laced

    head = b"\x81\0\0"
    check_laced(head + b"\x02" + bytes([1]) + bytes([5]) + bytes(9), 0x02, 0)
    check_laced(head + b"\x04" + bytes([2]) + bytes(9), 0x04, 0)
    check_laced(head + b"\x06" + bytes([2]) + b"\x83\xbf" + bytes(9), 0x06, 0)
    for lacing, body in (
        (0x02, bytes([1, 9]) + bytes(9)),
        (0x04, bytes([1]) + bytes(9)),
        (0x06, b"\x02\x8f\xbf\0"),
    ):
        with pytest.raises(MediaError, match=r"^damaged video: a block whose frames do not fit at byte 7$"):
            check_laced(head + bytes([lacing]) + body, lacing, 7)


def test_two_files_in_one_are_refused(sound: bytes) -> None:
    with pytest.raises(MediaError, match=r"^damaged video: another file begins at byte \d+$"):
        check(sound + sound)
    check(sound + b"\0" * 100)


def test_absurd_headers_take_no_time() -> None:
    void = sample("webm")[: sample("webm").index(SEGMENT)] + SEGMENT + b"\x01" + b"\xff" * 7
    with pytest.raises(MediaError, match=r"^damaged video: more than 65536 elements"):
        check(void + b"\xec\x80" * 100_000)
    scale = sample("webm").replace(b"\x2a\xd7\xb1\x83" + (10**6).to_bytes(3), b"\x2a\xd7\xb1\x83\0\0\0")
    check(scale)
    huge = struct.pack(">d", 1e300)
    place = sample("webm").index(b"\x44\x89\x88") + 3
    with pytest.raises(MediaError, match=r"^truncated video: the header promises 1e\+297 s"):
        check(sample("webm")[:place] + huge + sample("webm")[place + 8 :])

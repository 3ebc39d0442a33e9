"""Recognise and check sounds that are nothing but frames: AC-3, E-AC-3, and AAC in ADTS.

Each frame says how long it is, so that the next must begin where it ends. The decoder checks the checksums of
AC-3 and E-AC-3; AAC has none.
"""

from typing import BinaryIO, Literal

from safe_data.core.errors import MediaError
from safe_data.media.checks.extents import Ahead, damaged, read_at
from safe_data.media.checks.whole import ID3_HEADER, id3v2_bytes

FramesOf = Literal["ac3", "eac3", "aac"]

HEADER_BYTES = 7
FRAMES_READ = 2**20  # six hours of AAC

# Source: ETSI TS 102 366, table 4.13: kilobits per second by frmsizecod // 2; AC-3 has 1536 samples a frame.
_AC3_KBPS = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640)
_AC3_RATES = (48_000, 44_100, 32_000)


def frames_of(file: BinaryIO) -> FramesOf | None:
    """What the frames are, if the file begins with one and another follows it, or the file ends there."""
    start = id3v2_bytes(read_at(file, 0, ID3_HEADER))
    head = read_at(file, start, HEADER_BYTES)
    found = _frame(head)
    if found is None:
        return None
    kind, length, _ = found
    following = read_at(file, start + length, HEADER_BYTES)
    if following:
        after = _frame(following)
        return kind if after is not None and after[0] == kind else None
    whole = len(read_at(file, start, length)) == length
    return kind if whole else None


def check_frames(file: BinaryIO, size: int) -> None:
    """Refuse a sound in which a frame does not follow the one before, or differs in its rate or its channels.

    Raises:
        MediaError: it is truncated or damaged.
    """
    at = start = id3v2_bytes(read_at(file, 0, ID3_HEADER))
    ahead, first = Ahead(file), None
    for _ in range(FRAMES_READ):
        head = ahead.read(at, HEADER_BYTES)
        if not head or (first and first[0] == "aac" and _is_tag(head, size - at)):
            return
        found = _frame(head)
        if found is None:
            if len(head) < HEADER_BYTES:
                raise MediaError(f"truncated sound: its last frame has {len(head)} bytes")
            raise damaged("sound", "no frame", at)
        first = first or (found[0], found[2])
        if (found[0], found[2]) != first:
            raise damaged("sound", "a frame of another format", at)
        if at + found[1] > size:
            raise MediaError(f"truncated sound: its last frame has {size - at} of {found[1]} bytes")
        at += found[1]
    raise damaged("sound", f"more than {FRAMES_READ} frames", start)


def _is_tag(head: bytes, left: int) -> bool:
    """Whether the rest of the file is a tag: ID3v1, which has 128 bytes, or APE."""
    return (head[:3] == b"TAG" and left == 128) or head == b"APETAGE"


def _frame(head: bytes) -> tuple[FramesOf, int, tuple[int, ...]] | None:
    """What a frame is, its length in bytes, and what all frames of a sound have in common."""
    if len(head) < HEADER_BYTES:
        return None
    if head[:2] == b"\x0b\x77":
        return _dolby(head)
    if head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return _adts(head)
    return None


def _adts(head: bytes) -> tuple[FramesOf, int, tuple[int, ...]] | None:
    """Source: ISO/IEC 13818-7, section 6.2: profile, sampling_frequency_index, channels and length."""
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    rate = head[2] >> 2 & 15
    if rate > 12 or length <= HEADER_BYTES:
        return None
    return "aac", length, (head[1], head[2] >> 6, rate, (head[2] & 1) << 2 | head[3] >> 6)


def _dolby(head: bytes) -> tuple[FramesOf, int, tuple[int, ...]] | None:
    """Source: ETSI TS 102 366, sections 4.4.1 and E.1.3.1: fscod, frmsizecod, frmsiz and bsid."""
    version = head[5] >> 3
    if 10 < version <= 16:
        return "eac3", 2 * (((head[2] & 7) << 8 | head[3]) + 1), (head[4] >> 6,)
    rate, size = head[4] >> 6, head[4] & 63
    if version > 10 or rate == 3 or size >= 2 * len(_AC3_KBPS):
        return None
    kbps = _AC3_KBPS[size // 2]
    words = 1536 * kbps * 1000 // (16 * _AC3_RATES[rate])
    return "ac3", 2 * (words + (size & 1 if rate == 1 else 0)), (rate, version, head[6] >> 5)

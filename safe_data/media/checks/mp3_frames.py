"""Walk the frames of an MP3 file, and check its length and its checksums.

libmpg123 passes over what it does not understand until something looks like a frame again, and believes the
length in the first frame. So each frame must follow the one before, and a length that is a frame off is put
right.
Source: ISO/IEC 11172-3, section 2.4.3.1 (error_check).
"""

from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

from safe_data.core.errors import MediaError
from safe_data.media.checks.crc16 import crc16_reflected, crc16_rows
from safe_data.media.checks.extents import read_at
from safe_data.media.checks.mp3_header import Header, header_of
from safe_data.media.checks.mp3_tag import read_tag
from safe_data.media.checks.spliced import view_of
from safe_data.media.checks.whole import Whole, before_tags, damaged

READ_BYTES = 2**20
MAX_TAG_BYTES = 2**20  # behind the frames

_START = 0xFFFF  # of the checksum of a frame


@dataclass
class _Walk:
    """What the frames of a file are: how many, where they end, and how many checksums are right and wrong."""

    frames: int
    stop: int
    right: int = 0
    wrong: int = 0
    largest: int = 0
    music_crc: int = 0


def check_mp3(file: BinaryIO) -> Whole:
    """Check that frame follows frame up to the end of the file, or to the tags there.

    Raises:
        MediaError: frames are damaged or missing, or the bitrate is free.
    """
    end = before_tags(file, 0)
    first = header_of(read_at(file, 0, 4))
    assert first is not None
    if not first.frame_bytes:
        raise MediaError("unknown sound format: MP3 with a free bitrate; use a stated one")
    tag = read_tag(read_at(file, 0, min(first.frame_bytes, end)), first, end)
    music = first.frame_bytes if tag else 0
    walk = _walk(file, music, end, checks=tag is not None and bool(tag.music_crc))
    if walk.frames <= 1 and walk.stop < end and tag is None:
        return Whole((file,))  # by chance, its first bytes look like a frame
    if walk.stop > end:
        raise MediaError(f"truncated sound: its last frame ends at byte {walk.stop}, the file at byte {end}")
    if walk.wrong and walk.right:
        raise damaged(f"the checksums of {walk.wrong} of {walk.wrong + walk.right} frames are wrong")
    if walk.stop < end and (tag is None or tag.frames != walk.frames):
        raise damaged(f"{end - walk.stop} bytes at byte {walk.stop} are no frame")
    if tag is None:
        return Whole((_long_enough(file, music, walk),), ("MP3",), walk.frames * first.frames)
    true = tag.checked(walk.frames, walk.stop, None if _has_other_gain(file, end) else walk.music_crc)
    if true == tag and walk.stop == end:
        return Whole((file,), ("MP3",))
    return Whole((view_of(file, [true.data, range(music, walk.stop)]),), ("MP3",))


def _has_other_gain(file: BinaryIO, end: int) -> bool:
    """Whether the tags say that mp3gain has changed the loudness of all frames, but not LAME's checksum.

    Source: mp3gain's apetag.c.
    """
    return b"MP3GAIN_" in read_at(file, end, MAX_TAG_BYTES)


def _long_enough(file: BinaryIO, start: int, walk: _Walk) -> BinaryIO:
    """The frames alone; libmpg123 guesses their number from the bytes of one, and must not guess too few."""
    missing = walk.frames * walk.largest - (walk.stop - start)
    zeros = bytes(min(READ_BYTES, missing)) if missing > 0 else b""
    count = -(-missing // READ_BYTES) if missing > 0 else 0
    return view_of(file, [range(start, walk.stop), *[zeros] * count])


def _walk(file: BinaryIO, start: int, end: int, checks: bool) -> _Walk:
    """Go from frame to frame; `checks` asks for the checksum over all of them."""
    template = header_of(read_at(file, start, 4))
    walk = _Walk(0, start)
    known: dict[bytes, int] = {}
    before = 0  # the length of the frame before
    data, offset = b"", start
    file.seek(start)
    while template is not None:
        more = file.read(min(READ_BYTES, end - offset - len(data)))
        data, place, protected = data + more, 0, []
        while place + 4 <= len(data):
            head = data[place : place + 4]
            length = known.get(head, -1)
            if length < 0:
                header = header_of(head)
                fits = header is not None and header.kind == template.kind
                length = known[head] = header.frame_bytes if header and fits else 0
            if not length or (place + length > len(data) and more):
                break
            if length != before:
                inside = place + before if length > before else place - before + length
                if before and known.get(data[inside : inside + 4]):
                    break  # a wrong bitrate, and a frame swallowed
                before = length
            if not head[1] & 1:
                protected.append(place)
            place += length
            walk.frames += 1
            walk.largest = max(walk.largest, length)
        _check_protected(walk, data, protected, template)
        if checks:
            walk.music_crc = crc16_reflected(data[:place], walk.music_crc)
        walk.stop = offset + place
        if not more or not place:
            break
        data, offset = data[place:], offset + place
    return walk


def _check_protected(walk: _Walk, data: bytes, places: list[int], header: Header) -> None:
    """Count right and wrong checksums; that of layer III covers half the header and the side information."""
    if not places or header.kind[1] != 3:
        return
    array = np.frombuffer(data, np.uint8)
    length = 6 + header.side_bytes
    starts = np.array([place for place in places if place + length <= len(data)])
    if not len(starts):
        return
    rows = array[starts[:, None] + np.array([2, 3, *range(6, length)])]
    stored = array[starts + 4].astype(np.uint16) << 8 | array[starts + 5]
    right = int((crc16_rows(rows, _START) == stored).sum())
    walk.right += right
    walk.wrong += len(starts) - right

"""Check the fragments of an MP4: each has the samples that it lists, and none is lost in between."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from jaxtyping import Int64
from numpy import ndarray

from safe_data.core.errors import MediaError
from safe_data.media.checks.extents import MISSING_SECONDS, damaged, read_at
from safe_data.media.checks.mp4_boxes import Box, children, found, scale_and_duration
from safe_data.media.checks.pauses import Packets, check_pauses

HEADER_BYTES = 2**24  # of the largest moof
_SAMPLES_READ = 2**21  # in all fragments

# Source: ISO/IEC 14496-12, sections 8.8.7 and 8.8.8: the flags of tfhd and trun say which fields follow.
_BASE, _DESCRIPTION, _LASTS, _SIZE = 0x1, 0x2, 0x8, 0x10
_OFFSET, _FIRST_FLAGS, _EACH_LASTS, _EACH_SIZE, _EACH_FLAGS, _EACH_SHIFT = (
    0x1,
    0x4,
    0x100,
    0x200,
    0x400,
    0x800,
)

Defaults = dict[int, tuple[int, int]]  # of a track: how long a sample lasts, and its size


@dataclass(frozen=True)
class _Part:
    """What a fragment holds of a track: when it starts, how long each sample lasts, and its bytes."""

    track: int
    start: int | None
    lasts: Int64[ndarray, " samples"]
    size: int


def check_fragments(file: BinaryIO, moov: bytes, boxes: list[Box]) -> None:
    """Refuse a file that lost a fragment, or a fragment that does not hold what it lists.

    A sound may pause while pictures go on.

    Raises:
        MediaError: a fragment is lost or damaged.
    """
    defaults, tracks = _defaults(moov), _tracks(moov)
    packets: dict[int, Packets] = {}
    ends: dict[int, int] = {}
    last, samples = None, 0
    for (kind, start, end), following in zip(boxes, [*boxes[1:], (b"", 0, 0)], strict=True):
        if kind != b"moof":
            continue
        if end - start > HEADER_BYTES:
            raise damaged("video", f"a fragment's header of {end - start} bytes", start)
        moof = read_at(file, start, end - start)
        (number,) = struct.unpack_from(">I", found(moof, b"mfhd").ljust(8, b"\0"), 4)
        parts = [_part(traf, defaults) for kind, traf in children(moof) if kind == b"traf"]
        samples += sum(len(part.lasts) for part in parts)
        if samples > _SAMPLES_READ:
            raise damaged("video", f"more than {_SAMPLES_READ} samples in fragments", start)
        held = following[2] - following[1] if following[0] == b"mdat" else 0
        listed = sum(part.size for part in parts)
        if listed != held:
            raise damaged("video", f"a fragment that lists {listed} bytes and holds {held}", start)
        for part in parts:
            if part.track not in tracks:
                raise damaged("video", f"a fragment of track {part.track}, which does not exist,", start)
            scale = tracks[part.track][0]
            expected = ends.get(part.track)
            begin = part.start if part.start is not None else expected or 0
            if expected is not None:
                in_a_row = last is not None and number == last + 1
                _check_gap((begin - expected) / scale, in_a_row, start)
            starts = begin + np.cumsum(part.lasts) - part.lasts
            packets.setdefault(part.track, Packets()).starts.extend((starts / scale).tolist())
            ends[part.track] = begin + int(part.lasts.sum())
        last = number
    _check_index(file, boxes)
    pictures = [times for track, times in packets.items() if tracks[track][1] == b"vide"]
    for sound in (times for track, times in packets.items() if tracks[track][1] == b"soun"):
        check_pauses(sound, pictures)


def _check_index(file: BinaryIO, boxes: list[Box]) -> None:
    """Compare the index at the end, if there is one, with the fragments.

    Source: ISO/IEC 14496-12, section 8.8.10 (tfra).
    """
    kind, begin, end = boxes[-1]
    if kind != b"mfra" or end - begin > HEADER_BYTES:
        return
    starts = {start - head for kind, start, _ in boxes if kind == b"moof" for head in (8, 16)}
    for name, content in children(read_at(file, begin, end - begin)):
        if name != b"tfra" or len(content) < 16:
            continue
        lengths, count = struct.unpack_from(">II", content, 8)
        width = 8 if content[0] == 1 else 4
        entry = 2 * width + sum((lengths >> shift & 3) + 1 for shift in (0, 2, 4))
        listed = content[16 : 16 + min(count, (len(content) - 16) // entry) * entry]
        rows = np.frombuffer(listed, np.uint8).reshape(-1, entry)
        places = rows[:, width : 2 * width].copy().view(f">u{width}").ravel().tolist()
        lost = [place for place in places if place not in starts]
        if lost:
            raise damaged("video", "no fragment where the index has one,", lost[0])


def _check_gap(gap_seconds: float, in_a_row: bool, offset: int) -> None:
    if gap_seconds < -MISSING_SECONDS or (gap_seconds > MISSING_SECONDS / 10 and not in_a_row):
        raise damaged("video", f"a fragment that begins {gap_seconds:g} s after the one before", offset)


def _defaults(moov: bytes) -> Defaults:
    extends = [content for kind, content in children(found(moov, b"mvex")) if kind == b"trex"]
    fields = [struct.unpack_from(">IIII", content.ljust(24, b"\0"), 4) for content in extends]
    return {track: (lasts, size) for track, _, lasts, size in fields}


def _tracks(moov: bytes) -> dict[int, tuple[int, bytes]]:
    """The units per second of each track, and what it is."""
    tracks = {}
    for trak in (content for kind, content in children(moov) if kind == b"trak"):
        header = found(trak, b"tkhd").ljust(32, b"\0")
        (track,) = struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)
        kind = found(trak, b"mdia", b"hdlr")[8:12]
        tracks[track] = (scale_and_duration(found(trak, b"mdia", b"mdhd"))[0], kind)
    return tracks


def _part(traf: bytes, defaults: Defaults) -> _Part:
    header = found(traf, b"tfhd").ljust(40, b"\0")
    flags, track = struct.unpack_from(">II", header)
    at = 8 + (8 if flags & _BASE else 0) + (4 if flags & _DESCRIPTION else 0)
    lasts, size = defaults.get(track, (0, 0))
    if flags & _LASTS:
        (lasts,), at = struct.unpack_from(">I", header, at), at + 4
    if flags & _SIZE:
        (size,) = struct.unpack_from(">I", header, at)
    time = found(traf, b"tfdt")
    start = int.from_bytes(time[4:]) if len(time) in (8, 12) else None
    contents = [content for kind, content in children(traf) if kind == b"trun"]
    if sum(int.from_bytes(content[4:8]) for content in contents) > _SAMPLES_READ:
        raise MediaError(f"damaged video: a fragment of more than {_SAMPLES_READ} samples")
    runs = [_run(content, lasts, size) for content in contents]
    each = np.concatenate([np.zeros(0, np.int64), *(lasts for lasts, _ in runs)])
    return _Part(track, start, each, sum(size for _, size in runs))


def _run(data: bytes, lasts: int, size: int) -> tuple[Int64[ndarray, " samples"], int]:
    """How long each sample of a run lasts, and the bytes of all."""
    flags, count = struct.unpack_from(">II", data.ljust(8, b"\0"))
    at = 8 + (4 if flags & _OFFSET else 0) + (4 if flags & _FIRST_FLAGS else 0)
    fields = [flag for flag in (_EACH_LASTS, _EACH_SIZE, _EACH_FLAGS, _EACH_SHIFT) if flags & flag]
    if len(data) != at + 4 * len(fields) * count:
        raise MediaError(f"damaged video: a fragment of {count} samples does not list them")
    values = np.frombuffer(data, ">u4", offset=at).reshape(count, len(fields)).astype(np.int64)
    columns = dict(zip(fields, values.T, strict=True))
    sizes = columns.get(_EACH_SIZE, np.full(count, size))
    return columns.get(_EACH_LASTS, np.full(count, lasts)), int(sizes.sum())

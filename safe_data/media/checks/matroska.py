"""Check Matroska and WebM: sizes, checksums, the stated duration, and whether anything is lost in between.

FFmpeg skips what it does not understand up to the next cluster, without an error. The headers of all clusters
are read, but the content only of those that a clip may need.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from safe_data.core.errors import MediaError
from safe_data.media.checks.ebml import Read, check_crc, children, element, parsed, reading, reading_at_once
from safe_data.media.checks.extents import check_seconds, check_within, damaged
from safe_data.media.checks.matroska_frames import check_laced, check_opus
from safe_data.media.checks.pauses import Packets, check_pauses

ELEMENTS_READ = 2**16  # clusters of a second make 18 hours
BLOCKS_READ = 2**20  # of the clusters that are checked
LEAD_SECONDS = 10.0  # checked before a clip: its pictures depend on an earlier key frame
CLUSTER_BYTES = 2**23  # a larger one is read in parts

# Source: RFC 9559, section 5: what a segment, a cluster, and a description may contain.
_EBML, _SEGMENT, _CLUSTER, _VOID, _CRC = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0xEC, 0xBF
_INFO, _TRACKS = 0x1549A966, 0x1654AE6B
_IN_SEGMENT = {_CLUSTER, _INFO, _TRACKS, _VOID, _CRC} | {
    0x114D9B74,  # SeekHead
    0x1C53BB6B,  # Cues
    0x1941A469,  # Attachments
    0x1043A770,  # Chapters
    0x1254C367,  # Tags
}
_TIME, _SIMPLE, _GROUP, _BLOCK, _LASTS = 0xE7, 0xA3, 0xA0, 0xA1, 0x9B
_IN_CLUSTER = {_TIME, _SIMPLE, _GROUP, 0x5854, 0xA7, 0xAB, 0xAF, _VOID, _CRC}
_SCALE, _DURATION, _ENTRY, _NUMBER, _TYPE, _FRAME_LASTS = 0x2AD7B1, 0x4489, 0xAE, 0xD7, 0x83, 0x23E383
_CODEC = 0x86
_PICTURE, _SOUND = 1, 2
_RESERVED, _LACING = 0x70, 0x06  # of the flags of a block


@dataclass
class _Segment:
    """What the headers say, and the packets of each track as far as they were read."""

    tick_seconds: float = 1e-3
    duration: float = 0.0  # in ticks; 0 if it is not stated
    kinds: dict[int, int] = field(default_factory=dict)  # of tracks
    frame_seconds: dict[int, float] = field(default_factory=dict)  # of tracks
    opus: set[int] = field(default_factory=set)  # tracks
    read: int = 0  # elements of clusters
    packets: dict[int, Packets] = field(default_factory=dict)

    def of_kind(self, kind: int) -> list[Packets]:
        return [packets for track, packets in self.packets.items() if self.kinds[track] == kind]


@dataclass(frozen=True)
class _Cluster:
    start: int
    end: int
    time: int
    walked: bool  # one without a size is, to find its end


def check_matroska(
    file: BinaryIO, size: int, start_seconds: float = 0.0, duration_seconds: float | None = None
) -> None:
    """Refuse a file that is truncated, or damaged where the clip is.

    Source: RFC 8794, sections 4, 6.2 and 11.3.1: sizes, unknown sizes and checksums; RFC 9559, section 5.

    Raises:
        MediaError: the file or an element ends early, a checksum does not match, or a part is lost.
    """
    read = reading(file)
    _, _, after = element(read, 0, size)
    identity, start, end = element(read, after or 0, size)
    if after is None or identity != _SEGMENT:
        raise damaged("video", "no segment", after or 0)
    if end is not None:
        check_within("video", start, end - start, size)
        if read(end, 4) == _EBML.to_bytes(4):
            raise damaged("video", "another file begins", end)
    segment = _Segment()
    clusters = list(_clusters(file, segment, start, size if end is None else end))
    if not clusters:
        raise MediaError("empty video: no clusters")
    times = [(cluster.time - clusters[0].time) * segment.tick_seconds for cluster in clusters]
    until = math.inf if duration_seconds is None else start_seconds + duration_seconds + 1
    ends = [*times[1:], math.inf]
    needed = [
        begin <= until and end > start_seconds - LEAD_SECONDS for begin, end in zip(times, ends, strict=True)
    ]
    _walk_all(file, segment, [cluster for cluster, need in zip(clusters, needed, strict=True) if need])
    for sound in segment.of_kind(_SOUND):
        check_pauses(sound, segment.of_kind(_PICTURE))
    last = [cluster for cluster, need in zip(clusters[-2:], needed[-2:], strict=True) if not need]
    if last:
        segment.packets = {}  # what is between the clip and them was not read
        _walk_all(file, segment, last)
    if segment.duration > 0 and segment.packets:
        there = max(float(packets.ends(longest=True).max()) for packets in segment.packets.values())
        check_seconds("video", segment.duration * segment.tick_seconds, there)


def _clusters(file: BinaryIO, segment: _Segment, at: int, end: int) -> Iterator[_Cluster]:
    """Walk over the children of the segment, and read what describes it."""
    read, time = reading(file), 0
    for _ in range(ELEMENTS_READ):
        if at >= end:
            return
        offset = at
        identity, start, stop = element(read, offset, end)
        if identity not in _IN_SEGMENT or (stop is None and identity != _CLUSTER):
            raise damaged("video", "an unknown element", offset)
        if stop is not None:
            check_within("video", start, stop - start, end)
        if identity == _CLUSTER:
            earlier, time = time, _time_of(read, start, end if stop is None else stop)
            if time < earlier:
                raise damaged("video", "a cluster earlier than the one before", offset)
            walked = stop is None
            at = _walk(read, segment, start, end, sized=False) if stop is None else stop
            yield _Cluster(start, at, time, walked)
        elif stop is not None:
            if identity != _VOID:
                check_crc(file, start, stop)
            if identity in (_INFO, _TRACKS):
                _describe(segment, identity, read(start, min(stop - start, CLUSTER_BYTES)))
            at = stop
    raise damaged("video", f"more than {ELEMENTS_READ} elements", at)


def _walk_all(file: BinaryIO, segment: _Segment, clusters: list[_Cluster]) -> None:
    for cluster in clusters:
        if cluster.walked:
            continue
        check_crc(file, cluster.start, cluster.end)
        read = reading(file)
        if cluster.end - cluster.start <= CLUSTER_BYTES:
            read = reading_at_once(read(cluster.start, cluster.end - cluster.start), cluster.start)
        _walk(read, segment, cluster.start, cluster.end)


def _walk(read: Read, segment: _Segment, at: int, end: int, sized: bool = True) -> int:
    """Note the blocks of a cluster; without a size, it ends before the next child of the segment."""
    time = 0
    while at < end:
        segment.read += 1
        if segment.read > BLOCKS_READ:
            raise damaged("video", f"more than {BLOCKS_READ} blocks", at)
        head = read(at, min(32, end - at))
        identity, start, stop = parsed(head, at)
        if not sized and identity in _IN_SEGMENT and identity not in _IN_CLUSTER:
            return at
        if identity not in _IN_CLUSTER or stop is None:
            raise damaged("video", "an unknown element in a cluster", at)
        if stop > end:
            if not sized:
                check_within("video", start, stop - start, end)
            raise damaged("video", "a block that ends after its cluster", at)
        if identity == _TIME:
            time = int.from_bytes(read(start, stop - start))
        elif identity == _SIMPLE:
            _note(read, segment, head[start - at :][: stop - start], start, stop, time, 0)
        elif identity == _GROUP:
            block, end_of_block, lasts = _group(read, start, stop)
            head = read(block, min(16, end_of_block - block))
            _note(read, segment, head, block, end_of_block, time, lasts)
        at = stop
    return at


def _group(read: Read, at: int, end: int) -> tuple[int, int, int]:
    """Where the block of a group starts and ends, and how many ticks it lasts; 0 if it does not say."""
    block, lasts = (at, at), 0
    while at < end:
        identity, start, stop = element(read, at, end)
        if stop is None or stop > end:
            raise damaged("video", "a block that ends after its group", at)
        if identity == _BLOCK:
            block = (start, stop)
        elif identity == _LASTS:
            lasts = int.from_bytes(read(start, min(stop - start, 8)))
        at = stop
    return *block, lasts


def _note(read: Read, segment: _Segment, head: bytes, start: int, stop: int, time: int, lasts: int) -> None:
    """Note when a block begins, and check it: its track, 16 bits relative to its cluster, flags, frames."""
    width = 9 - head[0].bit_length() if head else 9
    if len(head) < width + 3:
        raise damaged("video", "a block without a time", start)
    track = head[0] & 127 if width == 1 else int.from_bytes(head[:width]) & ((1 << 7 * width) - 1)
    if track not in segment.kinds:
        raise damaged("video", f"a block of track {track}, which does not exist,", start)
    relative, flags = struct.unpack_from(">hB", head, width)
    if flags & _RESERVED:
        raise damaged("video", "a block with unknown flags", start)
    if flags & _LACING:
        check_laced(read(start, stop - start), flags & _LACING, start)
    elif track in segment.opus:
        check_opus(head[width + 3 :], stop - start - width - 3, start)
    length = lasts * segment.tick_seconds or segment.frame_seconds.get(track, 0.0)
    if track not in segment.packets:
        segment.packets[track] = Packets()
    segment.packets[track].add((time + relative) * segment.tick_seconds, length)


def _describe(segment: _Segment, identity: int, data: bytes) -> None:
    """Read the scale of time and the duration, or the tracks."""
    fields = dict(children(data))
    if identity == _INFO:
        segment.tick_seconds = (int.from_bytes(fields.get(_SCALE, b"")) or 10**6) / 1e9
        stated = fields.get(_DURATION, b"")
        if len(stated) in (4, 8):
            (value,) = struct.unpack(">f" if len(stated) == 4 else ">d", stated)
            segment.duration = value if value > 0 else 0.0
        return
    for entry in (dict(children(content)) for kind, content in children(data) if kind == _ENTRY):
        track = int.from_bytes(entry.get(_NUMBER, b""))
        segment.kinds[track] = int.from_bytes(entry.get(_TYPE, b""))
        if entry.get(_CODEC) == b"A_OPUS":
            segment.opus.add(track)
        segment.frame_seconds[track] = int.from_bytes(entry.get(_FRAME_LASTS, b"")) / 1e9


def _time_of(read: Read, at: int, end: int) -> int:
    """The time of a cluster, which is among its first elements."""
    for _ in range(4):
        identity, start, stop = element(read, at, end)
        if identity == _TIME and stop is not None:
            return int.from_bytes(read(start, min(stop - start, 8)))
        at = end if stop is None else stop
    raise damaged("video", "a cluster without a time", at)

"""Check MPEG transport streams: packets follow one another, and nothing of a stream is lost.

FFmpeg searches for the next packet that it understands, and decodes what is left of a frame.
"""

from dataclasses import dataclass, field
from functools import cache
from typing import BinaryIO

import numpy as np
from jaxtyping import Bool, Int64, UInt8
from numpy import ndarray

from safe_data.core.errors import MediaError
from safe_data.media.checks.extents import blocks_of, damaged

PACKET_BYTES = 188
SYNC = 0x47
PACKETS_AT_ONCE = 2**14
STREAMS_READ = 256
TABLES_READ = 2**12  # that differ

_NULL = 0x1FFF
_SECTION_BYTES = 183  # that fit in a packet
_PES = b"\0\0\1"  # the first bytes of a part of a stream

Rows = UInt8[ndarray, "packets 188"]
Numbers = Int64[ndarray, " packets"]


@dataclass
class _Stream:
    """What was read of the packets with one number."""

    is_media: bool  # others are tables
    counter: int | None = None
    expected: int = 0  # bytes of the part that is open; 0 if it does not say
    there: int = 0


@dataclass
class _Reading:
    streams: dict[int, _Stream] = field(default_factory=dict)
    tables: set[bytes] = field(default_factory=set)  # most are repeated every 100 ms


def packet_stride(head: bytes) -> int | None:
    """The bytes from packet to packet: 188, or 192 on Blu-ray; None if the first 600 bytes are no packets."""
    for stride in (PACKET_BYTES, PACKET_BYTES + 4):
        places = range(stride - PACKET_BYTES, 3 * stride, stride)
        if len(head) >= 3 * stride and all(head[place] == SYNC for place in places):
            return stride
    return None


def check_mpeg_ts(file: BinaryIO, size: int, stride: int) -> None:
    """Refuse a stream with damaged or lost packets, or a part that is shorter than it says.

    Source: ISO/IEC 13818-1, sections 2.4.3.2 (packets, continuity_counter), 2.4.3.6 (PES_packet_length) and
    2.4.4 (sections and their CRC_32).

    Raises:
        MediaError: it is truncated or damaged.
    """
    if size % stride:
        raise MediaError(f"truncated video: its last packet has {size % stride} of {stride} bytes")
    reading, offset = _Reading(), 0
    for block in blocks_of(file, 0, size, PACKETS_AT_ONCE * stride):
        rows = np.frombuffer(block, np.uint8).reshape(-1, stride)[:, stride - PACKET_BYTES :]
        _check_packets(reading, rows, offset, stride)
        offset += len(block)
    for stream in reading.streams.values():
        if stream.expected and stream.there < stream.expected:
            raise MediaError(f"truncated video: its last part has {stream.there} of {stream.expected} bytes")


def _check_packets(reading: _Reading, rows: Rows, offset: int, stride: int) -> None:
    wrong = (rows[:, 0] != SYNC) | (rows[:, 1] & 0x80 != 0)
    fill = np.where(rows[:, 3] & 0x20, rows[:, 4].astype(np.int64) + 1, 0)  # the adaptation field
    wrong |= fill > PACKET_BYTES - 4
    if wrong.any():
        raise damaged("video", "a damaged packet", offset + int(wrong.argmax()) * stride)
    numbers = (rows[:, 1].astype(np.int64) & 0x1F) << 8 | rows[:, 2]
    for number in np.unique(numbers):
        if number != _NULL:
            places = np.flatnonzero(numbers == number)
            where = offset + places * stride
            _check_stream(reading, int(number), rows[places], 4 + fill[places], where)


def _check_stream(reading: _Reading, number: int, rows: Rows, starts: Numbers, where: Numbers) -> None:
    """Check the packets of one stream: where the payload of each begins, and where it is in the file."""
    has_payload = rows[:, 3] & 0x10 != 0
    begins = (rows[:, 1] & 0x40 != 0) & has_payload
    first_bytes = [bytes(rows[at, starts[at] : starts[at] + 3]) for at in np.flatnonzero(begins)[:9]]
    if number not in reading.streams:
        if len(reading.streams) == STREAMS_READ:
            raise MediaError(f"damaged video: more than {STREAMS_READ} streams")
        is_media = 2 * first_bytes.count(_PES) > len(first_bytes)
        reading.streams[number] = _Stream(is_media)
    stream = reading.streams[number]
    _check_counters(stream, rows, has_payload, where)
    if stream.is_media:
        _check_parts(stream, rows, np.where(has_payload, PACKET_BYTES - starts, 0), starts, begins, where)
    else:
        _check_tables(reading, rows, starts, begins, where)


def _check_counters(
    stream: _Stream, rows: Rows, has_payload: Bool[ndarray, " packets"], where: Numbers
) -> None:
    """Every packet with a payload counts one on, but where a break is announced."""
    counters = rows[:, 3].astype(np.int64) & 0x0F
    before = np.concatenate([[counters[0] - 1 if stream.counter is None else stream.counter], counters[:-1]])
    announced = (rows[:, 3] & 0x20 != 0) & (rows[:, 4] > 0) & (rows[:, 5] & 0x80 != 0)
    lost = ((before + has_payload - counters) % 16 != 0) & ~announced
    if stream.counter is None:
        lost[0] = False
    if lost.any():
        raise damaged("video", "a packet is lost", int(where[lost.argmax()]))
    stream.counter = int(counters[-1])


def _check_parts(
    stream: _Stream,
    rows: Rows,
    lengths: Numbers,
    starts: Numbers,
    begins: Bool[ndarray, " packets"],
    where: Numbers,
) -> None:
    """Every part begins with its prefix, and is as long as it says."""
    at = np.flatnonzero(begins)
    sums = np.concatenate([[0], np.cumsum(lengths)])
    heads = rows[at[:, None], np.minimum(starts[at, None] + np.arange(6), PACKET_BYTES - 1)].astype(np.int64)
    wrong = (heads[:, :3] != np.frombuffer(_PES, np.uint8)).any(axis=1)
    if wrong.any():
        raise damaged("video", "a part of a stream without its prefix", int(where[at[wrong.argmax()]]))
    stated = heads[:, 4] << 8 | heads[:, 5]
    stated[stated > 0] += 6
    ends = np.concatenate([at, [len(rows)]])
    there = np.diff(sums[ends])
    open_bytes = stream.there + int(sums[ends[0]])
    expected = np.concatenate([[stream.expected], stated])
    there = np.concatenate([[open_bytes], there])
    closed = np.arange(len(there)) < len(at)
    wrong = closed & (expected > 0) & (there != expected)
    if wrong.any():
        place = int(at[wrong.argmax()])
        raise damaged("video", "a part of a stream that is not as long as it says ends", int(where[place]))
    stream.expected, stream.there = int(expected[-1]), int(there[-1])


def _check_tables(
    reading: _Reading, rows: Rows, starts: Numbers, begins: Bool[ndarray, " packets"], where: Numbers
) -> None:
    """The list of streams has a checksum; FFmpeg waits for a sound one, and loses what is before it."""
    for at in np.flatnonzero(begins):
        payload = rows[at, starts[at] :].tobytes()
        if payload in reading.tables or not payload:
            continue
        section = payload[1 + payload[0] :]
        length = 3 + (int.from_bytes(section[1:3]) & 0x0FFF)
        if length > len(section) or section[:1] not in (b"\0", b"\2"):
            continue  # of several packets, or of no interest
        if _crc(section[:length]):
            raise damaged("video", "a wrong checksum", int(where[at]))
        if len(reading.tables) == TABLES_READ:
            raise MediaError(f"damaged video: more than {TABLES_READ} lists of streams")
        reading.tables.add(payload)


def _crc(data: bytes) -> int:
    """The CRC-32 of ISO/IEC 13818-1, annex A: 0 for a section with its checksum."""
    value, table = 0xFFFFFFFF, _crc_table()
    for byte in data:
        value = (value << 8 & 0xFFFFFFFF) ^ table[value >> 24 ^ byte]
    return value


@cache
def _crc_table() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = value << 1 ^ (0x104C11DB7 if value & 0x80000000 else 0)
        table.append(value)
    return tuple(table)

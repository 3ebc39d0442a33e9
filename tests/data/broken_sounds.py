"""Small sounds of every format that libsndfile reads, and how to take them apart."""

import io
import struct
from itertools import pairwise

import numpy as np
import soundfile

from safe_data.media.checks.crc16 import REFLECT
from safe_data.media.checks.flac_frames import frame_header
from safe_data.media.checks.mp3_header import header_of
from safe_data.media.decode import decode_pcm
from safe_data.media.sound import Pcm


def tone(seconds: float = 0.5, rate: int = 16_000, channels: int = 1) -> np.ndarray:
    """A chord with noise, different in each channel and never zero for long."""
    time = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).normal(0, 0.02, (len(time), channels))
    return noise + 0.3 * np.sin(2 * np.pi * np.outer(time, 300 + 200 * np.arange(channels)))


def encoded(kind: str, subtype: str | None = None, samples: np.ndarray | None = None) -> bytes:
    """A file of half a second; Opus at 48 kHz, all others at 16 kHz."""
    rate = 48_000 if subtype == "OPUS" else 16_000
    file = io.BytesIO()
    soundfile.write(file, tone(rate=rate) if samples is None else samples, rate, subtype, format=kind)
    return file.getvalue()


def replaced(data: bytes, offset: int, new: bytes) -> bytes:
    """Data with some bytes replaced by as many others."""
    return data[:offset] + new + data[offset + len(new) :]


def same(one: Pcm, other: Pcm) -> bool:
    return same_shape(one, other) and np.array_equal(one.samples, other.samples)


def same_shape(one: Pcm, other: Pcm) -> bool:
    return (one.sample_rate_hz, one.stored.shape) == (other.sample_rate_hz, other.stored.shape)


def decoded(data: bytes) -> Pcm:
    return decode_pcm(data)


def ogg_pages(data: bytes) -> list[bytes]:
    """The pages of an Ogg file."""
    places = []
    at = 0
    while at < len(data):
        places.append(at)
        table = data[at + 27 : at + 27 + data[at + 26]]
        at += 27 + len(table) + sum(table)
    return [data[start:stop] for start, stop in pairwise([*places, len(data)])]


def ogg_page(body: bytes, flags: int, serial: int = 7, number: int = 0, granule: int = 0) -> bytes:
    """A page with a right checksum, of one packet of less than 255 bytes."""
    head = struct.pack("<4sBBqIII", b"OggS", 0, flags, granule, serial, number, 0)
    return with_checksum(head + bytes([1, len(body)]) + body)


def with_checksum(page: bytes) -> bytes:
    """An Ogg page with its checksum put right, bit by bit."""
    checksum = 0
    for byte in replaced(page, 22, bytes(4)):
        checksum ^= byte << 24
        for _ in range(8):
            checksum = checksum << 1 ^ (0x104C11DB7 if checksum & 0x80000000 else 0)
    return replaced(page, 22, struct.pack("<I", checksum))


def flac_frames(data: bytes) -> list[bytes]:
    """What precedes the frames of a FLAC, and each frame."""
    starts, due = [], 0
    for at in range(42, len(data) - 1):
        if data[at] == 0xFF and data[at + 1] == 0xF8:
            frame = frame_header(data[at : at + 16])
            if frame is not None and frame.number == due:
                starts.append(at)
                due += 1
    return [data[start:stop] for start, stop in pairwise([0, *starts, len(data)])]


def mp3_frames(data: bytes) -> list[bytes]:
    """Each frame of an MP3; of one by LAME, the first is its tag."""
    frames = []
    while data:
        header = header_of(data)
        assert header is not None
        frames.append(data[: header.frame_bytes])
        data = data[header.frame_bytes :]
    return frames


def crc16_bit_by_bit(data: bytes, checksum: int = 0, *, reflected: bool = False) -> int:
    """CRC-16 of the polynomial 0x8005 as it is defined."""
    for byte in data.translate(REFLECT) if reflected else data:
        checksum ^= byte << 8
        for _ in range(8):
            checksum = checksum << 1 ^ (0x18005 if checksum & 0x8000 else 0)
    return int(f"{checksum:016b}"[::-1], 2) if reflected else checksum

"""Check a FLAC file: that its header fits its frames, that no frame is missing, and the MD5 of its samples.

libFLAC checks the CRC-16 of each frame that it decodes, and nothing else: with a wrong block size in the
header, or without a frame, it gives zeros.
Source: RFC 9639, sections 8.2 (STREAMINFO), 9.1 (frame header) and 9.3 (frame footer).
"""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
from jaxtyping import Float32, Int16
from numpy import ndarray

from safe_data.core.errors import MediaError
from safe_data.media.checks.crc16 import crc16
from safe_data.media.checks.extents import read_at
from safe_data.media.checks.spliced import patched
from safe_data.media.checks.whole import Whole, before_tags, damaged

READ_BYTES = 2**20
MAX_METADATA = 1024  # blocks; real files have fewer than ten
MAX_FRAME = 2**21 + 2**16  # bytes; 65535 samples of 8 channels take as much if they cannot be compressed
DOUBTFUL = 64  # places that look like an earlier frame; by chance, one in ten megabytes
MAX_PLACES = 2**18  # that begin like a frame; ten minutes have some ten thousand frames

FLAC_BITS = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}  # by what libsndfile calls them

_HEADER = 16  # the longest frame header
_SYNC = re.compile(rb"\xff[\xf8\xf9]")
_RATES = (None, 88_200, 176_400, 192_000, 8_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000)
_BITS = (None, 8, 12, None, 16, 20, 24, 32)


@dataclass(frozen=True)
class StreamInfo:
    """What the header says about the samples; 0 frames and no MD5 if it does not say."""

    min_block: int
    max_block: int
    rate: int
    channels: int
    bits: int
    frames: int
    md5: bytes | None


@dataclass(frozen=True)
class Frame:
    """What a frame header says: its first sample, its length, and the rate and depth unless left open."""

    variable: bool
    number: int  # of its first sample if the block size varies, otherwise of the frame
    block: int
    rate: int | None
    channels: int
    bits: int | None


class Md5:
    """The MD5 of decoded samples at the width of the file, which FLAC keeps in its header."""

    def __init__(self, expected: bytes, bits: int) -> None:
        """Begin; `bits` is the depth of the file."""
        self._expected, self._bits = expected, bits
        self._md5 = hashlib.md5(usedforsecurity=False)

    def add(self, block: Int16[ndarray, "frames channels"] | Float32[ndarray, "frames channels"]) -> None:
        """Add the next samples."""
        if block.dtype == np.int16:
            self._md5.update(np.ascontiguousarray(block, "<i2").data)
            return
        whole = np.rint(block * np.float32(2 ** (self._bits - 1))).astype("<i4")
        width = (self._bits + 7) // 8
        self._md5.update(np.ascontiguousarray(whole.reshape(-1, 1).view(np.uint8)[:, :width]).data)

    def finish(self) -> None:
        """Compare, when all samples are added.

        Raises:
            MediaError: the samples are not those that were encoded.
        """
        if self._md5.digest() != self._expected:
            raise damaged("the MD5 of its samples is not the one in its header")


def check_flac(file: BinaryIO) -> Whole:
    """Check the header against the first frame, and that frame follows frame up to the length in the header.

    A header that does not say how many samples follow, as from a pipe, is completed from the last frame.

    Raises:
        MediaError: it is damaged or truncated.
    """
    info, begin = _metadata(file)
    first = frame_header(read_at(file, begin, _HEADER))
    if first is None:
        raise damaged(f"no frame begins at byte {begin}")
    _check_first(info, first)
    end = before_tags(file, begin)
    if not first.variable and info.min_block != info.max_block:
        # libFLAC would guess where it is, and after a damaged frame give a clip of another place
        file = patched(file, {8: first.block.to_bytes(2) * 2}, file.seek(0, 2))
    last = _last_frame(file, begin, end, to_the_end=not info.frames)
    frames = last.block + (last.number if last.variable else last.number * first.block)
    if info.frames and frames != info.frames:
        raise MediaError(f"truncated sound: the header promises {info.frames} frames, {frames} are there")
    if info.frames:
        return Whole((file,), ("FLAC",), info.frames, md5=info.md5)
    total = (read_at(file, 21, 1)[0] & 0xF0) << 32 | frames
    view = patched(file, {21: total.to_bytes(5)}, end)
    return Whole((view,), ("FLAC",), frames, unchanged=False, md5=info.md5)


def frame_header(data: bytes) -> Frame | None:
    """The frame header at the start of data, if it is one by its checksum."""
    if len(data) < 6 or data[0] != 0xFF or data[1] & 0xFE != 0xF8:
        return None
    number, used = _coded_number(data[4:11])
    block_code, rate_code, place = data[2] >> 4, data[2] & 15, 4 + used
    extra = {6: 1, 7: 2}.get(block_code, 0) + {12: 1, 13: 2, 14: 2}.get(rate_code, 0)
    if not used or len(data) <= place + extra or _crc8(data[: place + extra]) != data[place + extra]:
        return None
    tail = data[place : place + extra]
    if block_code in (6, 7):
        width = block_code - 5
        block, tail = int.from_bytes(tail[:width]) + 1, tail[width:]
    else:
        block = 192 if block_code == 1 else 144 << block_code if block_code < 6 else 1 << block_code
    channels = 2 if data[3] >> 4 > 7 else (data[3] >> 4) + 1
    rate = int.from_bytes(tail) * {12: 1000, 13: 1, 14: 10}[rate_code] if tail else _RATES[rate_code % 12]
    fits = block_code and rate_code < 15 and data[3] >> 4 < 11 and not data[3] & 1
    return Frame(bool(data[1] & 1), number, block, rate, channels, _BITS[data[3] >> 1 & 7]) if fits else None


def _metadata(file: BinaryIO) -> tuple[StreamInfo, int]:
    """STREAMINFO, and the offset of the first frame."""
    data, offset = read_at(file, 0, 42), 4
    if len(data) < 42 or data[4] & 0x7F or int.from_bytes(data[5:8]) != 34:
        raise damaged("its first block is not STREAMINFO")
    packed = int.from_bytes(data[18:26])
    info = StreamInfo(
        min_block=int.from_bytes(data[8:10]),
        max_block=int.from_bytes(data[10:12]),
        rate=packed >> 44,
        channels=(packed >> 41 & 7) + 1,
        bits=(packed >> 36 & 31) + 1,
        frames=packed & (2**36 - 1),
        md5=data[26:42] if any(data[26:42]) else None,
    )
    for _ in range(MAX_METADATA):
        head = read_at(file, offset, 4)
        if len(head) < 4:
            break
        offset += 4 + int.from_bytes(head[1:])
        if head[0] & 0x80:
            return info, offset
    raise damaged("its metadata have no end")


def _check_first(info: StreamInfo, first: Frame) -> None:
    """Check what the header says against the first frame, whose checksum is right."""
    for what, said, is_ in (
        ("rate", info.rate, first.rate),
        ("number of channels", info.channels, first.channels),
        ("depth", info.bits, first.bits),
    ):
        if is_ is not None and said != is_:
            raise damaged(f"the header says {said} as its {what}, the first frame says {is_}")
    alone = first.block == info.frames
    equal = info.min_block == info.max_block
    if first.number or (equal and not first.variable and first.block != info.max_block and not alone):
        raise damaged(f"the header says blocks of {info.max_block}, the first frame has {first.block}")


def _last_frame(file: BinaryIO, begin: int, end: int, to_the_end: bool) -> Frame:
    """Go from frame to frame: none is missing, none comes twice, and if `to_the_end`, the last is whole.

    A frame ends where its checksum is right; by chance, other bytes look like a header.
    """
    due, before, doubtful, last = 0, begin, 0, None
    for offset, frame in _frames(file, begin, end):
        if frame.number == due:
            due, before, last = due + (frame.block if frame.variable else 1), offset, frame
            continue
        doubtful += 1
        if doubtful > DOUBTFUL or _is_whole(file, before, offset):
            raise damaged(f"frame {frame.number} begins at byte {offset} instead of frame {due}")
    if last is None or (to_the_end and not _is_whole(file, before, end)):
        raise MediaError("truncated sound: its last frame is not whole")
    return last


def _is_whole(file: BinaryIO, begin: int, end: int) -> bool:
    return end - begin <= MAX_FRAME and crc16(read_at(file, begin, end - begin)) == 0


def _frames(file: BinaryIO, begin: int, end: int) -> Iterator[tuple[int, Frame]]:
    """Whatever looks like a frame header and has the right checksum, with its offset."""
    places = 0
    for offset in range(begin, end, READ_BYTES):
        data = read_at(file, offset, min(READ_BYTES + _HEADER, end - offset))
        for match in _SYNC.finditer(data, 0, READ_BYTES + 1):
            places += 1
            if places > MAX_PLACES:
                raise damaged(f"more than {MAX_PLACES} places look like frames")
            frame = frame_header(data[match.start() : match.start() + _HEADER])
            if frame is not None:
                yield offset + match.start(), frame


def _coded_number(data: bytes) -> tuple[int, int]:
    """A number of up to 36 bits as in UTF-8, and how many bytes it takes; 0 bytes if it is none."""
    ones = 8 - (data[0] ^ 0xFF).bit_length() if data else 8
    if ones == 0:
        return data[0], 1
    if ones in (1, 8) or len(data) < ones or any(byte & 0xC0 != 0x80 for byte in data[1:ones]):
        return 0, 0
    number = data[0] & (0x7F >> ones)
    for byte in data[1:ones]:
        number = number << 6 | byte & 0x3F
    return number, ones


def _crc8_table() -> bytes:
    table = list(range(256))
    for _ in range(8):
        table = [(value << 1 ^ (0x107 if value & 0x80 else 0)) for value in table]
    return bytes(table)


_CRC8 = _crc8_table()


def _crc8(data: bytes) -> int:
    checksum = 0
    for byte in data:
        checksum = _CRC8[checksum ^ byte]
    return checksum

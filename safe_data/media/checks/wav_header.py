"""Find the samples of a WAV, RF64 or W64 file, and check its sizes and its format against each other.

A program that writes into a pipe cannot go back to write the sizes. They are then 0, or within 4 KiB of 2³¹
or 2³²: the samples go on to the end of the file. A size that is too large by no more than the header is long,
in a file that is whole by its RIFF size, is a mistake of its writer. Any other size that leads beyond the end
of the file means that it was cut off. Zeros behind the RIFF chunk fill a sector, other bytes are damage.
Source: RIFF, Multimedia Programming Interface and Data Specifications 1.0; EBU Tech 3306 (RF64); the
description of Sony's Wave64.
"""

import re
import struct
from dataclasses import dataclass
from typing import BinaryIO

from safe_data.core.errors import MediaError
from safe_data.media.checks.extents import read_at, truncated
from safe_data.media.checks.spliced import patched
from safe_data.media.checks.whole import (
    Whole,
    before_tags,
    damaged,
    id3v2_bytes,
    is_zeros,
)

SECTOR_BYTES = 512
MAX_CHUNKS = 64  # before the samples, and after them; real sounds have fewer

_BLOCKS = (0x02, 0x11, 0x31)
_AFTER = (b"LIST", b"list", b"id3 ", b"ID3 ", b"bext", b"iXML", b"_PMX", b"cue ", b"smpl", b"PEAK", b"JUNK")
_AFTER_A_PIPE = re.compile(b"|".join(_AFTER))
_WHOLES = (b"RIFF", b"RIFX", b"RF64", b"BW64", b"FORM", b"riff")  # another file behind this one
_TAIL_BYTES = 2**16  # in which chunks behind the samples of a pipe are looked for
_GUIDS = {  # of W64, after the four letters
    b"riff": bytes.fromhex("2e91cf11a5d628db04c10000"),
    b"wave": bytes.fromhex("f3acd3118cd100c04f8edb8a"),
}
_ONE_SAMPLE = {1: None, 3: None, 6: 1, 7: 1}  # PCM, float, A-law, µ-law: bytes a sample; None: see bits


@dataclass(frozen=True)
class _Layout:
    """How chunks are written: byte order, bytes of a chunk's header, alignment, and what a size counts."""

    order: str
    head: int = 8
    align: int = 2
    size: str = "I"
    counts_head: bool = False

    def chunk(self, file: BinaryIO, offset: int) -> tuple[bytes, int] | None:
        """The name of a chunk, and the bytes in it as the file says; None if there is none."""
        head = read_at(file, offset, self.head)
        if len(head) < self.head:
            return None
        (size,) = struct.unpack_from(self.order + self.size, head, self.head - struct.calcsize(self.size))
        return head[:4], size - self.head if self.counts_head else size

    def after(self, file: BinaryIO, start: int, length: int) -> int:
        """Where the chunk after a body of so many bytes begins; some programs do not pad an odd one."""
        end, padding = start + length, -length % self.align
        unpadded = padding and self.align == 2 and read_at(file, end, 4) in _AFTER
        return end if unpadded else end + padding

    def stated(self, size: int) -> bytes:
        """A size as the file writes it."""
        return struct.pack(self.order + self.size, size + self.head if self.counts_head else size)


_RIFF, _RIFX = _Layout("<"), _Layout(">")
_W64 = _Layout("<", 24, 8, "Q", True)


@dataclass(frozen=True)
class _Samples:
    """Where the samples are: the offset of their first byte, and how many bytes the header says."""

    start: int
    stated: int
    frame_bytes: int | None  # None for compressed samples
    misstated: bool  # whether the header says another number of bytes a frame


def is_unstated(size: int) -> bool:
    """Whether a size is what a program writes that does not know it yet."""
    near = (2**31, 2**32)
    return size == 0 or any(top - 4096 <= size <= top + 64 for top in near) or size >= 2**62 or size < 0


def check_wav(file: BinaryIO) -> Whole:
    """Check a WAV (RIFF, RIFX) or RF64 file; one whose sizes are not true is read to its end.

    Raises:
        MediaError: it is truncated or damaged.
    """
    size = file.seek(0, 2)
    magic = read_at(file, 0, 4)
    layout, large = _RIFX if magic == b"RIFX" else _RIFF, magic in (b"RF64", b"BW64")
    samples, sizes = _find_samples(file, 12, layout, size)
    (riff,) = struct.unpack(layout.order + "I", read_at(file, 4, 4))
    stated = ds64_data = samples.stated
    if large and sizes is not None:
        riff, ds64_data = struct.unpack("<QQ", read_at(file, sizes, 16))
        stated = ds64_data if stated == 2**32 - 1 else stated
    end = _end_of_samples(file, samples, stated, 8 + riff, layout, size)
    if end == samples.start + stated and magic != b"BW64" and (sizes is None or stated == ds64_data):
        return Whole(
            (file,), ("WAV", "WAVEX", "RF64"), _frames(samples, end), not (large or samples.misstated)
        )
    length = end - samples.start
    if length >= 2**32 - 4096:
        raise MediaError(
            "unknown length: the header does not say how long the sound is; write the file again"
        )
    changes = {4: layout.stated(end - 8), samples.start - 4: layout.stated(length)}
    if large:
        changes = {0: b"RIFF", **changes}
        changes |= {} if sizes is None else {sizes - 8: b"JUNK"}
    view = patched(file, changes, end)
    return Whole((view,), ("WAV", "WAVEX"), _frames(samples, end), unchanged=False)


def check_w64(file: BinaryIO) -> Whole:
    """Check a W64 file; one whose sizes are not true is read to its end.

    Raises:
        MediaError: it is truncated or damaged.
    """
    size = file.seek(0, 2)
    head = read_at(file, 0, 40)
    if head[4:16] != _GUIDS[b"riff"] or head[28:40] != _GUIDS[b"wave"]:
        raise damaged("its identifiers are not those of W64")
    samples, _ = _find_samples(file, 40, _W64, size)
    (riff,) = struct.unpack_from("<Q", head, 16)
    end = _end_of_samples(file, samples, samples.stated, riff, _W64, size)
    changes = {16: struct.pack("<Q", end)}
    changes |= {samples.start - 8: _W64.stated(end - samples.start)}
    return Whole((patched(file, changes, end),), ("W64",), _frames(samples, end), unchanged=False)


def _find_samples(file: BinaryIO, offset: int, layout: _Layout, size: int) -> tuple[_Samples, int | None]:
    """Walk the chunks up to the samples; also the offset of the sizes of RF64."""
    frame_bytes, misstated, has_format, sizes = None, False, False, None
    for _ in range(MAX_CHUNKS):
        chunk = layout.chunk(file, offset)
        if chunk is None:
            break
        name, length = chunk
        if name == b"data":
            if not has_format:
                raise damaged("its samples come before their format")
            return _Samples(offset + layout.head, length, frame_bytes, misstated), sizes
        if length < 0 or offset + layout.head + length > size:
            raise truncated("sound", length, size - offset - layout.head)
        if name == b"fmt ":
            body = read_at(file, offset + layout.head, min(length, 40))
            (frame_bytes, misstated), has_format = _check_format(body, layout.order), True
        elif name == b"ds64" and length >= 24:
            sizes = offset + layout.head
        offset += -(-(layout.head + length) // layout.align) * layout.align
    raise damaged("it has no chunk with samples")


def _check_format(body: bytes, order: str) -> tuple[int | None, bool]:
    """Check that the format does not contradict itself; the bytes of a frame unless it is compressed.

    A number of bytes a frame that contradicts all else is misstated.
    """
    if len(body) < 16:
        raise damaged("its format is cut off")
    tag, channels, rate, bytes_a_second, frame_bytes, bits = struct.unpack_from(order + "HHIIHH", body)
    if tag == 0xFFFE and len(body) >= 26:
        (tag,) = struct.unpack_from(order + "H", body, 24)
    if tag not in _ONE_SAMPLE:
        _check_blocks(body, order, rate, bytes_a_second, frame_bytes)
        return None, False
    width = _ONE_SAMPLE[tag] or (bits + 7) // 8
    true_bytes = channels * width
    misstated = frame_bytes != true_bytes and (bits, frame_bytes) != (24, channels * 4)
    if misstated and bytes_a_second != rate * true_bytes and frame_bytes | bytes_a_second:
        raise damaged(f"its header says {frame_bytes} bytes for {channels} samples of {bits} bits")
    frame_bytes = true_bytes if misstated else frame_bytes
    if bytes_a_second not in (0, rate * frame_bytes, *_mistaken(rate, width, frame_bytes)):
        raise damaged(f"its header says {bytes_a_second} bytes a second for {rate} Hz of {frame_bytes} bytes")
    return frame_bytes or None, misstated


def _mistaken(rate: int, width: int, frame_bytes: int) -> tuple[int, ...]:
    """What programs write as bytes a second: samples, bytes of one channel, or bits."""
    return rate, rate * width, rate * frame_bytes * 8


def _check_blocks(body: bytes, order: str, rate: int, bytes_a_second: int, block_bytes: int) -> None:
    """Check the rate of ADPCM or GSM 6.10, whose blocks of bytes have a number of samples."""
    if struct.unpack_from(order + "H", body)[0] not in _BLOCKS or len(body) < 20:
        return
    samples, wanted = struct.unpack_from(order + "H", body, 18)[0], rate * block_bytes
    if bytes_a_second and abs(bytes_a_second * samples - wanted) > max(2 * samples, wanted // 1000):
        raise damaged(f"its header says {bytes_a_second} bytes a second for {rate} Hz")


def _end_of_samples(
    file: BinaryIO, samples: _Samples, stated: int, file_end: int, layout: _Layout, size: int
) -> int:
    """Where the samples end: where the header says, or at the end of the file if it does not say."""
    start, end = samples.start, samples.start + stated
    if stated > 0 and end <= size:
        after = layout.after(file, start, stated)
        stop = _before_padding(file, samples, max(after, file_end), before_tags(file, min(after, size)))
        if _only_chunks(file, after, layout, stop, file_end > size):
            return end
        raise damaged(f"{size - end} bytes after the samples are no chunk")
    if stated == 0 and _only_chunks(file, start, layout, size):
        return start
    by_mistake = end - size <= start and size <= file_end <= size + 8 and file_end < end
    if not by_mistake and not is_unstated(stated):
        raise truncated("sound", stated, size - start)
    if not by_mistake and (
        start < file_end < size - 1 or (file_end > size and not is_unstated(file_end - start))
    ):
        raise damaged(f"the file has {size} bytes, its header says {file_end}")
    stop = _before_chunks(file, start, layout, before_tags(file, start))
    surplus = (stop - start) % samples.frame_bytes if samples.frame_bytes else 0
    if surplus > 1 or (surplus and read_at(file, stop - 1, 1) != b"\0"):
        raise MediaError(f"truncated sound: {surplus} bytes of its last frame are there")
    return stop - surplus


def _before_padding(file: BinaryIO, samples: _Samples, whole: int, stop: int) -> int:
    """Where the file ends without zeros behind its RIFF chunk, or fewer than a frame behind its samples.

    More zeros within the RIFF chunk may be samples whose number is wrong. Zeros behind samples that end in
    silence may be samples too, moved there by bytes that were inserted, unless they fill a sector; the last
    block of ADPCM mostly ends so.
    """
    end, frame = samples.start + samples.stated, samples.frame_bytes or 0
    if end <= stop < end + frame and is_zeros(file, end, stop):
        return end
    known = frame > 0 and (stop % SECTOR_BYTES == 0 or not is_zeros(file, end - frame, end))
    known |= whole > end + 1
    return whole if known and whole < stop and is_zeros(file, whole, stop) else stop


def _before_chunks(file: BinaryIO, start: int, layout: _Layout, stop: int) -> int:
    """Where samples of unknown length end: before chunks that fill the rest of the file."""
    begin = max(start, stop - _TAIL_BYTES)
    for match in _AFTER_A_PIPE.finditer(read_at(file, begin, stop - begin)):
        if _only_chunks(file, begin + match.start(), layout, stop):
            return begin + match.start()
    return stop


def _only_chunks(file: BinaryIO, offset: int, layout: _Layout, stop: int, cut_off: bool = False) -> bool:
    """Whether nothing but chunks lies between two offsets, then zeros; the last one may be cut off."""
    for number in range(MAX_CHUNKS):
        if offset >= stop:
            return True
        if tag := id3v2_bytes(read_at(file, offset, 10)):
            offset += tag
            continue
        chunk = layout.chunk(file, offset)
        if chunk is None or chunk[1] < 0 or chunk[0] in _WHOLES or not _is_name(chunk[0]):
            return number > 0 and is_zeros(file, offset, stop)
        offset = layout.after(file, offset + layout.head, chunk[1])
        if offset > stop + layout.align:
            return cut_off and chunk[0] in _AFTER
    return False


def _is_name(name: bytes) -> bool:
    return name.isascii() and name.decode().isprintable()


def _frames(samples: _Samples, end: int) -> int | None:
    return (end - samples.start) // samples.frame_bytes if samples.frame_bytes else None

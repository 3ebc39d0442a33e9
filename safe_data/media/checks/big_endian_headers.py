"""Find the samples of an AIFF, AU or CAF file, and check its sizes and its format against each other.

As in `wav_header`, a size that a pipe left open is completed, and any other beyond the file is a truncation.
Source: Apple, Audio Interchange File Format 1.3 and AIFF-C; Sun's .au header; Apple Core Audio Format 1.0.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO

from safe_data.core.errors import MediaError
from safe_data.media.checks.extents import read_at, truncated
from safe_data.media.checks.spliced import patched
from safe_data.media.checks.wav_header import SECTOR_BYTES, is_unstated
from safe_data.media.checks.whole import Whole, damaged, is_zeros

MAX_CHUNKS = 256
SOX_UNSTATED = 0x7F000000  # what SoX writes into the sizes of an AIFF in a pipe

# Bytes a sample, where the format does not say it in bits.
_AIFC_PCM = (b"NONE", b"twos", b"sowt", b"raw ", b"in24", b"in32", b"fl32", b"FL32", b"fl64", b"FL64")
_AIFC_BYTES = {b"ima4": 34, b"ulaw": 1, b"ULAW": 1, b"alaw": 1, b"ALAW": 1, b"fl64": 8, b"FL64": 8}
_AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}
_AIFF_FIXED = 8  # bytes before the samples in their chunk
_CAF_EDITS = 4


def check_aiff(file: BinaryIO) -> Whole:
    """Check an AIFF or AIFC file.

    Raises:
        MediaError: it is truncated or damaged.
    """
    size = file.seek(0, 2)
    chunks = dict(_aiff_chunks(file, 12, size))
    if b"COMM" not in chunks or b"SSND" not in chunks:
        raise damaged("it has no chunk with samples, or none with their format")
    comm, (begin, stated) = chunks[b"COMM"][0], chunks[b"SSND"]
    common = read_at(file, comm, 22)
    if len(common) < 18:
        raise damaged("its format is cut off")
    channels, frames, bits = struct.unpack_from(">HIH", common)
    kind = common[18:22] if read_at(file, 8, 4) == b"AIFC" else b"NONE"
    width = _AIFC_BYTES.get(kind) or ((bits + 7) // 8 if kind in _AIFC_PCM else None)
    (skipped,) = struct.unpack(">I", read_at(file, begin, 4).ljust(4, b"\0"))
    first = begin + _AIFF_FIXED + skipped
    payload = stated - _AIFF_FIXED - skipped
    frame_bytes = channels * width if width else None
    if first > size:
        raise truncated("sound", stated, size - begin)
    if _left_open(stated) or (stated <= _AIFF_FIXED and first < size):
        end = _to_the_end(first, size, frame_bytes)
        if frame_bytes is None or kind == b"ima4":
            raise MediaError("unknown length: the header does not say how long the sound is; write it again")
        frames = (end - first) // frame_bytes
        changes = {
            4: struct.pack(">I", end - 8),
            comm + 2: struct.pack(">I", frames),
            begin - 4: struct.pack(">I", end - begin),
        }
        return Whole((patched(file, changes, end),), ("AIFF",), frames, unchanged=False)
    if begin + stated > size:
        raise truncated("sound", stated, size - begin)
    linear = frame_bytes is not None and kind != b"ima4"
    if frame_bytes is not None and not 0 <= payload - frames * frame_bytes < max(2, frame_bytes):
        raise damaged(
            f"its header says {frames} frames of {frame_bytes} bytes, and {payload} bytes of samples"
        )
    (form,) = struct.unpack(">I", read_at(file, 4, 4))
    if 8 + form > size and not _left_open(form):
        raise truncated("sound", form, size - 8)
    changes, end = {}, size
    if linear and frame_bytes and payload > frames * frame_bytes:  # Python's aifc counts a byte of padding
        end = first + frames * frame_bytes if comm < begin else size
        changes = {begin - 4: struct.pack(">I", first + frames * frame_bytes - begin)}
    return Whole((patched(file, changes, end),), ("AIFF",), frames if linear else None, unchanged=False)


def _aiff_chunks(file: BinaryIO, offset: int, size: int) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Each chunk: its name, where its body begins, and the length that it states."""
    for _ in range(MAX_CHUNKS):
        head = read_at(file, offset, 8)
        if not head or (not any(head[:4]) and _is_padding(file, offset, size)):
            return
        if len(head) < 8:
            raise damaged(f"{len(head)} bytes at byte {offset} are no chunk")
        (length,) = struct.unpack_from(">I", head, 4)
        yield head[:4], (offset + 8, length)
        offset += 8 + length + length % 2
        if head[:4] == b"SSND" and (_left_open(length) or offset > size + 1):
            return
        if offset > size + 1:
            raise truncated("sound", length, size - offset + length)


def _is_padding(file: BinaryIO, offset: int, size: int) -> bool:
    """Whether the rest of an AIFF is zeros that fill a sector, or that follow what does not end in zeros."""
    known = size % SECTOR_BYTES == 0 or not is_zeros(file, offset - _AIFF_FIXED, offset)
    form = int.from_bytes(read_at(file, 4, 4))
    return known and offset >= 8 + form and is_zeros(file, offset, size)


def check_au(file: BinaryIO) -> Whole:
    """Check an AU file, in either byte order.

    Raises:
        MediaError: it is truncated or damaged.
    """
    size = file.seek(0, 2)
    head = read_at(file, 0, 24)
    order = "<" if head[:4] == b"dns." else ">"
    if len(head) < 24:
        raise truncated("sound", 24, len(head))
    offset, stated, encoding, _, channels = struct.unpack_from(order + "5I", head, 4)
    first = offset
    frame_bytes = channels * _AU_BYTES[encoding] if encoding in _AU_BYTES else None
    if offset < 24 or first > size:
        raise damaged(f"its samples begin at byte {offset}")
    if is_unstated(stated) and first < size:
        end = _to_the_end(first, size, frame_bytes)
    else:
        end = first + stated
        if end > size:
            raise truncated("sound", stated, size - first)
        if size - end > stated % 2:
            raise damaged(f"{size - end} bytes after the samples")
    if frame_bytes and (end - first) % frame_bytes:
        raise damaged(f"{end - first} bytes of samples are no whole number of frames of {frame_bytes}")
    frames = (end - first) // frame_bytes if frame_bytes else None
    view = patched(file, {8: struct.pack(order + "I", end - first)}, end)
    return Whole((view,), ("AU",), frames, unchanged=False)


def check_caf(file: BinaryIO) -> Whole:
    """Check a CAF file.

    Raises:
        MediaError: it is truncated or damaged.
    """
    size = file.seek(0, 2)
    offset, frame_bytes, kind, frames = 8, 0, b"", None
    place: tuple[int, int] | None = None
    padded = False
    for _ in range(MAX_CHUNKS):
        head = read_at(file, offset, 12)
        if not head or (head == b"\0" and padded):
            break
        if len(head) < 12:
            raise damaged(f"{len(head)} bytes at byte {offset} are no chunk")
        name, length = head[:4], struct.unpack_from(">q", head, 4)[0]
        body = offset + 12
        offset, padded = body + length, length % 2 == 1
        if name == b"data":
            place = (body + _CAF_EDITS, size if length == -1 else offset)
            if length == -1:
                break
        if length < 0 or offset > size:
            raise truncated("sound", max(length, 0), size - body)
        if name == b"desc" and length == 32:
            kind, frame_bytes = _caf_format(read_at(file, body, 32))
        if name == b"pakt" and length >= 24:
            frames = struct.unpack(">q", read_at(file, body + 8, 8))[0]
    if place is None or not kind:
        raise damaged("it has no chunk with samples, or none with their format")
    first, end = place
    if end < first:
        raise damaged("its samples have a negative length")
    if frame_bytes:
        end = _to_the_end(first, end, frame_bytes)
        frames = (end - first) // frame_bytes
    changes = {first - _CAF_EDITS - 8: struct.pack(">q", end - first + _CAF_EDITS)}
    view = patched(file, changes, size)
    return Whole((view,), ("CAF",), frames, unchanged=False)


def _caf_format(body: bytes) -> tuple[bytes, int]:
    """The kind of samples, and the bytes of a frame; 0 if they are compressed."""
    kind, (packet, per_packet, channels, bits) = body[8:12], struct.unpack_from(">4I", body, 16)
    if kind not in (b"lpcm", b"ulaw", b"alaw"):
        return kind, 0
    if per_packet != 1 or packet != channels * ((bits + 7) // 8):
        raise damaged(f"its header says {packet} bytes for {channels} samples of {bits} bits")
    return kind, packet


def _left_open(size: int) -> bool:
    return is_unstated(size) or SOX_UNSTATED <= size <= SOX_UNSTATED + 4096


def _to_the_end(first: int, end: int, frame_bytes: int | None) -> int:
    """The end of the samples, which must be whole frames."""
    surplus = (end - first) % frame_bytes if frame_bytes else 0
    if surplus > 1:
        raise MediaError(f"truncated sound: {surplus} bytes of its last frame are there")
    return end - surplus

"""Recognise a media file by its first bytes, and check that it is complete.

Decoders read a truncated MP4 or Matroska file as a shorter one, without an error. `sound_file` checks sounds.
"""

import struct
from typing import BinaryIO, Literal

from safe_data.core.errors import MediaError

Container = Literal["mp4", "matroska"]

BOXES_READ = 2**16  # a fragmented MP4 of ten minutes has some hundred

_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"


def container_of(file: BinaryIO) -> Container | None:
    """The container if PyAV must read it: MP4 (also M4A, MOV, 3GP) or Matroska (also WebM); else None."""
    head = _read(file, 0, 8)
    if head[4:] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return "mp4"
    return "matroska" if head[:4] == _EBML else None


def check_whole(file: BinaryIO) -> None:
    """Refuse a truncated file.

    Raises:
        MediaError: the file is shorter than its header says.
    """
    size = file.seek(0, 2)
    head = _read(file, 0, 4)
    if head[:4] == _EBML:
        _check_matroska(file, size)
    elif container_of(file) == "mp4":
        _check_mp4(file, size)
    file.seek(0)


def _check_mp4(file: BinaryIO, size: int) -> None:
    """Check that every box lies within the file.

    Source: ISO/IEC 14496-12, section 4.2: size 1 means that a 64-bit size follows, 0 means up to the end.
    """
    offset = 0
    for _ in range(BOXES_READ):
        head = _read(file, offset, 16)
        if len(head) < 8:
            return
        (length,) = struct.unpack_from(">I", head)
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack_from(">Q", head, 8)
        if length < 8 or not head[4:8].isascii():
            return  # a box up to the end, or no box at all: left to the decoder
        _check_end("video", offset, length, size)
        offset += length


def _check_matroska(file: BinaryIO, size: int) -> None:
    """Check that the segment (everything after the header) lies within the file, if its size is known.

    Source: RFC 8794, sections 4 and 6.2: sizes have variable length; all ones mean unknown.
    """
    _, header, body = _element_size(_read(file, 4, 8))
    segment = 4 + body + header
    if _read(file, segment, 4) != _SEGMENT:
        return
    known, length, body = _element_size(_read(file, segment + 4, 8))
    if known:
        _check_end("video", segment + 4 + body, length, size)


def _element_size(data: bytes) -> tuple[bool, int, int]:
    """Whether a size is known, the size, and the number of bytes that encode it."""
    width = 9 - data[0].bit_length() if data and data[0] else 8
    bits = 7 * width
    value = int.from_bytes(data[:width].ljust(width, b"\0")) & ((1 << bits) - 1)
    return value != (1 << bits) - 1, value, width


def _check_end(kind: str, start: int, length: int, size: int) -> None:
    if start + length > size:
        there = max(0, size - start)
        raise MediaError(f"truncated {kind}: the header promises {length} bytes, {there} are there")


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)

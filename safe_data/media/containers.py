"""What a media file is by its first bytes, and whether it is all there.

Decoders read what is left of a WAV, an Ogg, an MP4 or a Matroska as a shorter one, without a word.
"""

import struct
from typing import BinaryIO, Literal

from safe_data.core.errors import MediaError

Container = Literal["mp4", "matroska"]

BOXES_READ = 2**16  # of a fragmented MP4 of ten minutes there are some hundred
OGG_PAGE = 27 + 255 + 255 * 255  # the largest
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"


def container_of(file: BinaryIO) -> Container | None:
    """The container that takes PyAV to read: MP4 (also M4A, MOV, 3GP) or Matroska (also WebM)."""
    head = _read(file, 0, 8)
    if head[4:] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return "mp4"
    return "matroska" if head[:4] == _EBML else None


def check_whole(file: BinaryIO) -> None:
    """Raise for a file that is not all there; the decoders of FLAC, MP3 and pictures see it themselves.

    Raises:
        MediaError: it was cut off, or its header promises more than there is.
    """
    size = file.seek(0, 2)
    head = _read(file, 0, 12)
    if head[:4] == b"RIFF" and head[8:] == b"WAVE":
        _check_riff(file, size)
    elif head[:4] == b"OggS":
        _check_ogg(file, size)
    elif head[:4] == _EBML:
        _check_matroska(file, size)
    elif container_of(file) == "mp4":
        _check_mp4(file, size)
    file.seek(0)


def _check_riff(file: BinaryIO, size: int) -> None:
    """Every chunk up to the samples lies within the file."""
    offset = 12
    for _ in range(64):  # chunks before the samples; more than that is no sound we know
        head = _read(file, offset, 8)
        if len(head) < 8:
            return
        (length,) = struct.unpack_from("<I", head, 4)
        if head[:4] == b"data":
            _check_end("sound", offset + 8, length, size)
            return
        offset += 8 + length + length % 2


def _check_ogg(file: BinaryIO, size: int) -> None:
    """The last page is complete and says that it ends the stream.

    Source: RFC 3533, section 6: header_type_flag, page_segments and segment_table.
    """
    tail = _read(file, max(0, size - OGG_PAGE), OGG_PAGE)
    page = tail.rfind(b"OggS")
    header = tail[page : page + 27] if page >= 0 else b""
    sizes = tail[page + 27 : page + 27 + header[26]] if len(header) == 27 else b""
    end = page + 27 + len(sizes) + sum(sizes)
    if len(header) < 27 or len(sizes) < header[26] or end > len(tail) or not header[5] & 0x04:
        raise MediaError("truncated sound: its last page does not end the stream")


def _check_mp4(file: BinaryIO, size: int) -> None:
    """Every box lies within the file.

    Source: ISO/IEC 14496-12, section 4.2: a size of 1 stands for a 64-bit one, of 0 for all that follows.
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
            return  # to the end, or no box: the decoder has its own view of that
        _check_end("video", offset, length, size)
        offset += length


def _check_matroska(file: BinaryIO, size: int) -> None:
    """The segment, which is all but the header, lies within the file; a live stream's has no size.

    Source: RFC 8794, section 4 and 6.2: lengths of variable size; all ones stand for an unknown one.
    """
    _, header, body = _element_size(_read(file, 4, 8))
    segment = 4 + body + header
    if _read(file, segment, 4) != _SEGMENT:
        return
    known, length, body = _element_size(_read(file, segment + 4, 8))
    if known:
        _check_end("video", segment + 4 + body, length, size)


def _element_size(data: bytes) -> tuple[bool, int, int]:
    """Whether a length is known, the length, and how many bytes it takes to say so."""
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

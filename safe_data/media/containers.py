"""Recognise a media file by its first bytes, and check that it is complete.

Decoders read a truncated file of most formats as a shorter one, and skip what is damaged, without an error.
"""

import struct
from typing import BinaryIO, Literal

from safe_data.core.errors import MediaError
from safe_data.media.avi import check_avi
from safe_data.media.flv import check_flv
from safe_data.media.matroska import check_matroska
from safe_data.media.mp4 import check_mp4
from safe_data.media.mpeg_ps import PACK, check_mpeg_ps
from safe_data.media.mpeg_ts import PACKET_BYTES, check_mpeg_ts, packet_stride
from safe_data.media.sound_frames import check_frames, frames_of

Container = Literal["mp4", "matroska", "mpegts", "mpeg", "flv", "avi", "ac3", "eac3", "aac"]

OGG_PAGE = 27 + 255 + 255 * 255  # bytes of the largest page

PICTURES_IN_BOXES = {b"ftyp" + brand for brand in (b"heic", b"heix", b"mif1", b"avif", b"avis", b"crx ")}

_EBML = b"\x1a\x45\xdf\xa3"


def container_of(file: BinaryIO) -> Container | None:
    """The container, as FFmpeg names it, if PyAV must read it; else None."""
    head = _read(file, 0, 600)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide"):
        return None if head[4:12] in PICTURES_IN_BOXES else "mp4"
    if head[:4] == _EBML:
        return "matroska"
    if head[:4] == b"FLV\1":
        return "flv"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[:4] == PACK:
        return "mpeg"
    return "mpegts" if packet_stride(head) else frames_of(file)


def check_whole(file: BinaryIO, start_seconds: float = 0.0, duration_seconds: float | None = None) -> None:
    """Refuse a file that is truncated or damaged by its own structure, before it is decoded.

    Of Matroska only the structure of the clip and its surroundings is read.

    Raises:
        MediaError: the file is shorter than its header says, or its parts do not fit together.
    """
    size = file.seek(0, 2)
    head = _read(file, 0, 600)
    container = container_of(file)
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        _check_riff(file, size)
    elif head[:4] == b"OggS":
        _check_ogg(file, size)
    elif container == "matroska":
        check_matroska(file, size, start_seconds, duration_seconds)
    elif container == "mpegts":
        check_mpeg_ts(file, size, packet_stride(head) or PACKET_BYTES)
    elif container is not None:
        _CHECKS[container](file, size)
    file.seek(0)


def _check_riff(file: BinaryIO, size: int) -> None:
    """Check that every chunk up to the samples lies within the file."""
    offset = 12
    for _ in range(64):  # chunks before the samples; real sounds have fewer
        head = _read(file, offset, 8)
        if len(head) < 8:
            return
        (length,) = struct.unpack_from("<I", head, 4)
        if head[:4] == b"data":
            _check_end("sound", offset + 8, length, size)
            return
        offset += 8 + length + length % 2


def _check_ogg(file: BinaryIO, size: int) -> None:
    """Check that the last page is complete and marks the end of the stream.

    Source: RFC 3533, section 6: header_type_flag, page_segments and segment_table.
    """
    tail = _read(file, max(0, size - OGG_PAGE), OGG_PAGE)
    page = tail.rfind(b"OggS")
    header = tail[page : page + 27] if page >= 0 else b""
    sizes = tail[page + 27 : page + 27 + header[26]] if len(header) == 27 else b""
    end = page + 27 + len(sizes) + sum(sizes)
    if len(header) < 27 or len(sizes) < header[26] or end > len(tail) or not header[5] & 0x04:
        raise MediaError("truncated sound: its last page does not end the stream")


def _check_end(kind: str, start: int, length: int, size: int) -> None:
    if start + length > size:
        there = max(0, size - start)
        raise MediaError(f"truncated {kind}: the header promises {length} bytes, {there} are there")


def _read(file: BinaryIO, offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


_CHECKS = {
    "mp4": check_mp4,
    "mpeg": check_mpeg_ps,
    "flv": check_flv,
    "avi": check_avi,
    "ac3": check_frames,
    "eac3": check_frames,
    "aac": check_frames,
}

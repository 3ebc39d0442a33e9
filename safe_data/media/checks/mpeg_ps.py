"""Check MPEG program streams (VOB, MPG): packs and packets follow one another up to the end of the file."""

from typing import BinaryIO

from safe_data.core.errors import MediaError
from safe_data.media.checks.extents import Ahead, damaged

PACK = b"\0\0\1\xba"
PACKETS_READ = 2**20
_PREFIX = b"\0\0\1"
_PROGRAM_END = 0xB9
_FIRST_PACKET = 0xBB  # the system header; what follows are the streams


def check_mpeg_ps(file: BinaryIO, size: int) -> None:
    """Refuse a stream that is truncated, or in which a packet does not follow the one before.

    Source: ISO/IEC 13818-1, sections 2.4.3.6 and 2.5.3.3; ISO/IEC 11172-1, section 2.4.3.2 for MPEG-1.

    Raises:
        MediaError: it is truncated or damaged.
    """
    at, ahead = 0, Ahead(file)
    for _ in range(PACKETS_READ):
        if at >= size:
            return
        length = _length(ahead.read(at, 14), at)
        if at + length > size:
            raise MediaError(f"truncated video: its last packet has {size - at} of {length} bytes")
        at += length
    raise damaged("video", f"more than {PACKETS_READ} packets", at)


def _length(head: bytes, at: int) -> int:
    """The length of a pack header, which has up to 7 bytes of filling in MPEG-2, or of a packet."""
    if head[:3] != _PREFIX[: len(head)]:
        raise damaged("video", "no packet", at)
    if len(head) < 4:
        raise MediaError(f"truncated video: its last packet has {len(head)} bytes")
    if head[3] == _PROGRAM_END:
        return 4
    if head[3] == PACK[3]:
        if len(head) < 12:
            raise MediaError(f"truncated video: its last packet has {len(head)} bytes")
        return 14 + (head[13] & 7) if head[4] >> 6 == 1 and len(head) == 14 else 12
    if head[3] < _FIRST_PACKET:
        raise damaged("video", "no packet", at)
    if len(head) < 6:
        raise MediaError(f"truncated video: its last packet has {len(head)} bytes")
    return 6 + int.from_bytes(head[4:6])

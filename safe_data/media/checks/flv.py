"""Check FLV: each tag is followed by its size, and the file ends where its header says."""

import math
import struct
from typing import BinaryIO

from safe_data.core.errors import MediaError
from safe_data.media.checks.extents import (
    BLOCK_BYTES,
    Ahead,
    check_seconds,
    check_within,
    damaged,
    read_at,
    truncated,
)
from safe_data.media.checks.pauses import Packets, check_pauses

TAGS_READ = 2**20
_SOUND, _PICTURE, _SCRIPT = 8, 9, 18
_TAG_BYTES = 11


def check_flv(file: BinaryIO, size: int) -> None:
    """Refuse a file with a damaged tag, with a part that is lost, or shorter than its header says.

    Source: Adobe Flash Video File Format Specification 10.1, sections E.2 to E.4.1; onMetaData in E.5.

    Raises:
        MediaError: it is truncated or damaged.
    """
    packets = {_SOUND: Packets(), _PICTURE: Packets()}
    stated: dict[str, float] = {}
    at = int.from_bytes(read_at(file, 5, 4)) + 4
    if at > size:
        raise MediaError("truncated video: it ends within its header")
    ahead = Ahead(file)
    for _ in range(TAGS_READ):
        if at >= size:
            break
        tag = ahead.read(at, _TAG_BYTES)
        kind, length = _tag(tag, at)
        check_within("video", at, _TAG_BYTES + length + 4, size)
        body = at + _TAG_BYTES
        if kind == _SCRIPT:
            stated = stated or _stated(read_at(file, body, min(length, BLOCK_BYTES)))
        elif length > 2:
            packets[kind].add((tag[7] << 24 | int.from_bytes(tag[4:7])) / 1000)
        at = body + length + 4
        end = int.from_bytes(ahead.read(at - 4, 4))
        if end not in (_TAG_BYTES + length, length):  # some programs leave out the header
            raise damaged("video", "a tag that is not as long as it says", body - _TAG_BYTES)
    else:
        raise damaged("video", f"more than {TAGS_READ} tags", at)
    if stated.get("filesize", 0) > size:
        raise truncated("video", round(stated["filesize"]), size)
    ends = [float(there.ends(longest=True).max()) for there in packets.values() if there.starts]
    if ends and "duration" in stated:
        check_seconds("video", stated["duration"], max(ends))
    check_pauses(packets[_SOUND], [packets[_PICTURE]])


def _tag(tag: bytes, at: int) -> tuple[int, int]:
    """The kind of a tag and the length of its content."""
    if len(tag) < _TAG_BYTES:
        raise MediaError("truncated video: it ends within a tag")
    kind = tag[0]
    if kind not in (_SOUND, _PICTURE, _SCRIPT) or any(tag[8:]):
        raise damaged("video", "no tag", at)
    return kind, int.from_bytes(tag[1:4])


def _stated(data: bytes) -> dict[str, float]:
    """The numbers that a script tag states; AMF writes a name, a zero, and a double."""
    numbers = {}
    for name in ("duration", "filesize"):
        place = data.find(struct.pack(">H", len(name)) + name.encode() + b"\0")
        value = data[place + 3 + len(name) :][:8]
        if place >= 0 and len(value) == 8:
            (number,) = struct.unpack(">d", value)
            if math.isfinite(number) and number > 0:
                numbers[name] = number
    return numbers

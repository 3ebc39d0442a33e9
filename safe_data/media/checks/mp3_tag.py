"""Tag: the first frame of most MP3 files, which says how many frames follow, and more by LAME.

Source: the Xing VBR header as in mp3's `dist10` decoders, and the LAME tag, revision 1.
"""

import re
import struct
from dataclasses import dataclass, replace

from safe_data.core.errors import MediaError
from safe_data.media.checks.crc16 import crc16_reflected
from safe_data.media.checks.mp3_header import Header
from safe_data.media.checks.whole import damaged

_FRAMES, _BYTES, _SEEKING, _QUALITY = 1, 2, 4, 8
_LAME_AFTER = 120  # bytes after the beginning of the tag, if it has all of its fields
_LAME_BYTES, _FFMPEG_BYTES = 36, 190
_CHECKED = re.compile(rb"LAME3\.(9\d|\d{3})|Lav[cf]")  # encoders that write checksums


@dataclass(frozen=True)
class Tag:
    """The first frame and what it says; `file_bytes` counts from its own first byte."""

    data: bytes
    at: int  # the offset in it of the number of frames
    frames: int
    file_bytes: int | None
    checksum_at: int | None = None
    music_bytes: int | None = None
    music_crc: int | None = None
    is_named: bool = False

    def checked(self, frames: int, file_bytes: int, music_crc: int | None) -> "Tag":
        """The tag with the true number of frames, if it differs by one from what it says or was damaged.

        Without a checksum of the music, LAME's is not compared.

        Raises:
            MediaError: the sound is not the one that the tag describes.
        """
        data = self.data[: self.at] + struct.pack(">I", frames) + self.data[self.at + 4 :]
        true = replace(self, data=data, frames=frames)
        proven = true._checksum_is_right()
        by_lame = self.is_named or self.music_bytes == file_bytes or self._checksum_is_right()
        if by_lame and not proven and not self._checksum_is_right():
            raise damaged("the checksum of its first frame, which says its length, is wrong")
        more = self.frames - frames
        short = self.file_bytes is not None and self.file_bytes > file_bytes
        detail = f"the header promises {self.frames} frames, {frames} are there"
        if not proven and (more > 1 or (more == 1 and short)):
            raise MediaError(f"truncated sound: {detail}")
        other_bytes = bool(self.music_bytes) and self.music_bytes != file_bytes
        if not proven and (more < -1 or (more and other_bytes and self._checksum_is_right())):
            raise damaged(detail)
        compared = by_lame and self.music_crc and self.music_bytes == file_bytes and music_crc is not None
        if compared and self.music_crc != music_crc:
            raise damaged("the checksum over all of its frames is wrong")
        return true

    def _checksum_is_right(self) -> bool:
        """Whether it fits the bytes before it, or as FFmpeg does it, the first 190 with it left out."""
        if self.checksum_at is None:
            return False
        at = self.checksum_at
        stored = int.from_bytes(self.data[at : at + 2])
        zeroed = self.data[:at] + b"\0\0" + self.data[at + 2 : _FFMPEG_BYTES]
        both = self.data[:at], zeroed.ljust(_FFMPEG_BYTES, b"\0")
        return stored in map(crc16_reflected, both)


def read_tag(frame: bytes, header: Header, file_bytes: int) -> Tag | None:
    """The tag in a first frame, of so many bytes of frames; None if it holds sound.

    Raises:
        MediaError: it holds what is left of a tag.
    """
    for at in (4 + header.side_bytes, 6 + header.side_bytes):
        if frame[at : at + 4] in (b"Xing", b"Info") and len(frame) >= at + 8:
            (flags,) = struct.unpack_from(">I", frame, at + 4)
            place = at + 8
            fields = (flags & _FRAMES) * 4 + (flags & _BYTES) * 2
            if flags & _FRAMES and len(frame) >= place + fields:
                (frames,) = struct.unpack_from(">I", frame, place)
                size = struct.unpack_from(">I", frame, place + 4)[0] if flags & _BYTES else None
                after = place + fields + (100 if flags & _SEEKING else 0) + (4 if flags & _QUALITY else 0)
                return _with_lame(Tag(frame, place, frames, size), after)
        lame = frame[at + _LAME_AFTER : at + _LAME_AFTER + _LAME_BYTES]
        if len(lame) == _LAME_BYTES and _music(lame)[0] == file_bytes:
            raise damaged("its first frame has the tag of LAME without its beginning")
    return None


def _with_lame(tag: Tag, at: int) -> Tag:
    lame = tag.data[at : at + _LAME_BYTES]
    if len(lame) < _LAME_BYTES or not any(lame):
        return tag
    music_bytes, music_crc = _music(lame)
    named = _CHECKED.match(lame) is not None
    return replace(
        tag,
        checksum_at=at + _LAME_BYTES - 2,
        music_bytes=music_bytes or None,
        music_crc=music_crc,
        is_named=named,
    )


def _music(lame: bytes) -> tuple[int, int]:
    """The number of bytes from the first of the file on, and the checksum of those after the first frame."""
    size, checksum = struct.unpack_from(">IH", lame, _LAME_BYTES - 8)
    return size, checksum

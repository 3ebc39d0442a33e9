"""Check every page of an Ogg file, and find the stream of sound in it.

libsndfile skips a page whose checksum is wrong, and reads only the first of several streams in a chain.
Source: RFC 3533, section 6: capture pattern, header_type_flag, page_sequence_number, CRC_checksum.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from safe_data.core.errors import MediaError
from safe_data.media.checks.crc16 import REFLECT
from safe_data.media.checks.spliced import view_of
from safe_data.media.checks.whole import Whole, damaged

READ_BYTES = 2**20
MAX_STREAMS = 32  # in one file, side by side or in a chain: as many decoders are open

_HEADER, _LARGEST = 27, 27 + 255 + 255 * 255
_BEGIN, _END = 2, 4
_NO_POSITION = 2**64 - 1  # of a page in which no packet ends
_INVERTED = 0xFFFFFFFF  # zlib inverts before and after; Ogg does not

# The first bytes of a stream, and what it is called; Source: the mapping of each codec into Ogg.
_READ = {b"\x01vorbis": "Vorbis", b"OpusHead": "Opus"}
_SOUNDS = _READ | {b"\x7fFLAC": "FLAC", b"Speex   ": "Speex", b"PCM     ": "PCM", b"fLaC": "FLAC"}
_OTHERS = {
    b"\x80theora": "Theora",
    b"fishead\0": "Skeleton",
    b"BBCD\0": "Dirac",
    b"\x80kate": "Kate",
    b"CMML": "CMML",
}


@dataclass
class _Stream:
    """One logical stream: what it carries, where its pages lie, and what its next page must be."""

    codec: str | None
    pages: list[range] = field(default_factory=list)
    next_number: int = 0
    ended: bool = False
    last_position: int = 0
    last_frames: int = 0  # that the last page adds

    def add(self, page: range, position: int) -> None:
        """Add a page, to the last range if it follows it, with the number of frames up to its end."""
        if position != _NO_POSITION:
            self.last_frames, self.last_position = position - self.last_position, position
        if self.pages and self.pages[-1].stop == page.start:
            self.pages[-1] = range(self.pages[-1].start, page.stop)
        else:
            self.pages.append(page)


def check_ogg(file: BinaryIO) -> Whole:
    """Check that no page is damaged, missing or followed by anything else, and that every stream ends.

    A chain of streams one after the other is read as one sound. Of streams side by side, the sound is read.

    Raises:
        MediaError: it is damaged or truncated, or its sound is not one stream of Vorbis or Opus at a time.
    """
    links: list[dict[int, _Stream]] = []
    for page, head, body in _pages(file):
        flags, serial = head[5], int.from_bytes(head[14:18], "little")
        number = int.from_bytes(head[18:22], "little")
        if flags & _BEGIN:
            if not links or all(stream.ended for stream in links[-1].values()):
                links.append({})
            if serial in links[-1]:
                raise damaged(f"a stream begins again at byte {page.start}")
            if sum(map(len, links)) == MAX_STREAMS:
                raise MediaError(f"unknown sound format: Ogg with more than {MAX_STREAMS} streams")
            links[-1][serial] = _Stream(_codec(body), next_number=number)
        stream = links[-1].get(serial) if links else None
        if stream is None or stream.ended:
            raise damaged(f"the page at byte {page.start} belongs to no stream")
        if number != stream.next_number:
            raise damaged(f"page {number} follows page {stream.next_number - 1} at byte {page.start}")
        stream.next_number = (number + 1) % 2**32
        stream.ended = bool(flags & _END)
        stream.add(page, int.from_bytes(head[6:14], "little"))
    if not links or not all(stream.ended for stream in links[-1].values()):
        raise MediaError("truncated sound: its last page does not end the stream")
    sounds = [_sound_of(list(link.values())) for link in links]
    alone = len(sounds) == 1 and len(links[0]) == 1
    parts = (file,) if alone else tuple(view_of(file, sound.pages) for sound in sounds)
    tails = tuple(sound.last_frames if sound.codec == "Vorbis" else 0 for sound in sounds)
    return Whole(parts, ("OGG",), unchanged=alone, tails=tails)


def _sound_of(streams: list[_Stream]) -> _Stream:
    """The one sound among streams side by side."""
    names = [stream.codec or "an unknown stream" for stream in streams]
    sounds = [stream for stream in streams if stream.codec in _SOUNDS.values()]
    if len(sounds) > 1:
        raise MediaError(f"unknown sound format: Ogg with {len(sounds)} sounds at once; use one")
    if not sounds or sounds[0].codec not in _READ.values():
        raise MediaError(f"unknown sound format: Ogg with {', '.join(names)}; use Vorbis or Opus")
    return sounds[0]


def _codec(body: bytes) -> str | None:
    known = (name for magic, name in (_SOUNDS | _OTHERS).items() if body.startswith(magic))
    return next(known, None)


def _pages(file: BinaryIO) -> Iterator[tuple[range, bytes, bytes]]:
    """Each page, checked against its CRC: its offsets, its header and its first bytes."""
    file.seek(0)
    data = turned = b""
    offset, place, at_end = 0, 0, False  # `data` lies at `offset`; the next page begins at `place` in it
    while True:
        if len(data) - place < _LARGEST and not at_end:
            more = file.read(READ_BYTES)
            data, at_end = data[place:] + more, len(more) < READ_BYTES
            turned, offset, place = data.translate(REFLECT), offset + place, 0
        if place == len(data):
            return
        end = _end_of_page(data, place, offset)
        if end is None:
            return
        if end > len(data):
            raise MediaError("truncated sound: its last page does not end the stream")
        stored = int.from_bytes(turned[place + 22 : place + 26])
        view = memoryview(turned)
        checksum = zlib.crc32(view[place : place + 22], _INVERTED)
        checksum = zlib.crc32(view[place + 26 : end], zlib.crc32(bytes(4), checksum)) ^ _INVERTED
        if checksum != stored:
            raise damaged(f"the checksum of the page at byte {offset + place} is wrong")
        body = place + _HEADER + data[place + 26]
        yield range(offset + place, offset + end), data[place : place + _HEADER], data[body : body + 8]
        place = end


def _end_of_page(data: bytes, place: int, offset: int) -> int | None:
    """Where a page ends in `data`; None if no page follows, but padding or an ID3v1 tag."""
    if not data.startswith(b"OggS", place):
        rest = data[place:]
        if b"OggS".startswith(rest):
            raise MediaError("truncated sound: its last page does not end the stream")
        if (len(rest) < READ_BYTES and not rest.strip(b"\0")) or (
            len(rest) == 128 and rest.startswith(b"TAG")
        ):
            return None
        following = data.find(b"OggS", place)
        length = (following if following >= 0 else len(data)) - place
        raise damaged(f"{length} bytes at byte {offset + place} are no Ogg page")
    segments = data[place + 26] if place + 26 < len(data) else 255
    table = data[place + _HEADER : place + _HEADER + segments]
    if len(table) < segments:
        return len(data) + 1
    return place + _HEADER + segments + sum(table)

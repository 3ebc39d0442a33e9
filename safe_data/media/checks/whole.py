"""Whole: a sound file that was found undamaged, and how libsndfile is to read it.

Decoders read a damaged or truncated sound as a shorter one, without an error. Each format has a file that
checks what the format lets a reader check.
"""

from dataclasses import dataclass, field
from typing import BinaryIO

from safe_data.core.errors import MediaError
from safe_data.media.checks.extents import blocks_of, read_at

ID3_HEADER = 10
MAX_TAGS = 16  # at the start of a file, and at its end


@dataclass(frozen=True)
class Whole:
    """What libsndfile reads, part after part; each is the file, or a view of it with a true header.

    `frames` is the length over all parts where the format says it. `unchanged` says whether other readers
    find the same samples in the file, so that a shard may hold it as it is. `md5` is FLAC's, of the samples.
    `tails` has the frames at the end of each part in which libvorbisfile miscounts when it seeks there.
    """

    parts: tuple[BinaryIO, ...]
    formats: tuple[str, ...] = ()
    frames: int | None = None
    unchanged: bool = True
    md5: bytes | None = field(default=None, repr=False)
    tails: tuple[int, ...] = ()


def before_tags(file: BinaryIO, begin: int) -> int:
    """Where the sound ends: before ID3v1, Lyrics3 and APE tags at the end of the file, in any order."""
    end = file.seek(0, 2)
    for _ in range(MAX_TAGS):
        stop = _before_tags(file, begin, end)
        if stop == end:
            break
        end = stop
    return end


def id3v2_bytes(head: bytes) -> int:
    """The length of the ID3v2 tag that begins with these ten bytes; 0 if none does.

    Source: ID3v2.4, section 3.1: the size has seven bits a byte, and excludes the header and the footer.
    """
    if head[:3] != b"ID3" or len(head) < ID3_HEADER or max(head[6:ID3_HEADER]) > 0x7F or head[3] > 4:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    return ID3_HEADER + size + (ID3_HEADER if head[5] & 0x10 else 0)


def is_zeros(file: BinaryIO, begin: int, end: int) -> bool:
    """Whether nothing but zeros lies between two offsets."""
    return all(block.count(0) == len(block) for block in blocks_of(file, begin, end))


def _before_tags(file: BinaryIO, begin: int, end: int) -> int:
    if end - 128 >= begin and read_at(file, end - 128, 3) == b"TAG":
        end -= 128
    foot = read_at(file, max(begin, end - 15), min(15, end - begin))
    if foot[6:] == b"LYRICS200" and foot[:6].isdigit():
        end = max(begin, end - 15 - int(foot[:6]))
    foot = read_at(file, max(begin, end - 32), min(32, end - begin))
    if foot[:8] == b"APETAGEX" and len(foot) == 32:
        end = max(begin, end - int.from_bytes(foot[12:16], "little") - (32 if foot[23] & 0x80 else 0))
    return end


def damaged(detail: str) -> MediaError:
    """The error for a sound that contradicts itself."""
    return MediaError(f"damaged sound: {detail}")

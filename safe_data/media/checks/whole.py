"""Whole: a sound file that was found undamaged, and how libsndfile is to read it.

Decoders read a damaged or truncated sound as a shorter one, without an error. Each format has a file that
checks what the format lets a reader check.
"""

from dataclasses import dataclass, field
from typing import BinaryIO

from safe_data.core.errors import MediaError
from safe_data.media.checks.extents import read_at


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
    """Where the sound ends: before an ID3v1, a Lyrics3 and an APE tag at the end of the file."""
    end = file.seek(0, 2)
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


def truncated(promised: int, there: int) -> MediaError:
    """The error for a sound that ends before its header says."""
    return MediaError(f"truncated sound: the header promises {promised} bytes, {max(0, there)} are there")

"""Whole: a sound file that was found undamaged, and how libsndfile is to read it.

Decoders read a damaged or truncated sound as a shorter one, without an error. Each format has a file that
checks what the format lets a reader check.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from safe_data.core.errors import MediaError
from safe_data.media.spliced import view_of

ID3_HEADER = 10


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


def whole_sound(file: BinaryIO) -> Whole:
    """Check a sound that libsndfile reads; a file of another format is left to the decoder.

    Raises:
        MediaError: it is damaged or truncated, or a kind of its format that is not read.
    """
    start, frames_at = after_id3(file)
    check = _check_for(read_at(file, frames_at, 16))
    if check is None:
        file.seek(0)
        return Whole((file,))
    size = file.seek(0, 2)
    whole = check(view_of(file, [range(frames_at, size)]) if frames_at else file)
    for part in whole.parts:
        part.seek(0)
    unchanged = whole.unchanged and (not start or "MP3" in whole.formats or "FLAC" in whole.formats)
    return replace(whole, unchanged=unchanged and start == frames_at)


def _check_for(head: bytes) -> Callable[[BinaryIO], Whole] | None:
    """The check for a file that begins so."""
    from safe_data.media import big_endian_headers, flac_frames, mp3_frames, ogg_pages, wav_header

    if head[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64"):
        return wav_header.check_wav if head[8:12] == b"WAVE" else None
    if head[:4] == b"FORM":
        return big_endian_headers.check_aiff if head[8:12] in (b"AIFF", b"AIFC") else None
    checks = {
        b"OggS": ogg_pages.check_ogg,
        b"fLaC": flac_frames.check_flac,
        b"riff": wav_header.check_w64,
        b".snd": big_endian_headers.check_au,
        b"caff": big_endian_headers.check_caf,
    }
    if head[:4] in checks:
        return checks[head[:4]]
    return mp3_frames.check_mp3 if mp3_frames.may_begin(head) else None


def after_id3(file: BinaryIO) -> tuple[int, int]:
    """The offset after the ID3v2 tags at the start of a file, and after the zeros that follow them.

    Source: ID3v2.4, section 3.1: the size has seven bits a byte, and excludes the header and the footer.
    """
    offset = 0
    for _ in range(16):
        head = read_at(file, offset, ID3_HEADER)
        if head[:3] != b"ID3" or len(head) < ID3_HEADER or max(head[6:]) > 0x7F:
            break
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        offset += ID3_HEADER + size + (ID3_HEADER if head[5] & 0x10 else 0)
    padding = read_at(file, offset, 2**20) if offset else b""
    return offset, offset + len(padding) - len(padding.lstrip(b"\0"))


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


def read_at(file: BinaryIO, offset: int, length: int) -> bytes:
    """Up to `length` bytes at an offset."""
    file.seek(offset)
    return file.read(length)


def damaged(detail: str) -> MediaError:
    """The error for a sound that contradicts itself."""
    return MediaError(f"damaged sound: {detail}")


def truncated(promised: int, there: int) -> MediaError:
    """The error for a sound that ends before its header says."""
    return MediaError(f"truncated sound: the header promises {promised} bytes, {max(0, there)} are there")

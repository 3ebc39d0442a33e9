"""Check a sound file before libsndfile reads it, each format by its own file."""

from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO

from safe_data.media.checks.big_endian_headers import check_aiff, check_au, check_caf
from safe_data.media.checks.extents import read_at
from safe_data.media.checks.flac_frames import check_flac
from safe_data.media.checks.mp3_frames import check_mp3
from safe_data.media.checks.mp3_header import header_of
from safe_data.media.checks.ogg_pages import check_ogg
from safe_data.media.checks.spliced import view_of
from safe_data.media.checks.wav_header import check_w64, check_wav
from safe_data.media.checks.whole import ID3_HEADER, MAX_TAGS, Whole, id3v2_bytes
from safe_data.media.file_kinds import kind_of

_CHECKS = {
    "WAV": check_wav,
    "AIFF": check_aiff,
    "Ogg": check_ogg,
    "FLAC": check_flac,
    "AU": check_au,
    "CAF": check_caf,
}


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
    if head[:4] == b"riff":
        return check_w64
    kind = kind_of(head)
    if kind is not None and kind.name in _CHECKS:
        return _CHECKS[kind.name]
    return check_mp3 if header_of(head[:4]) else None


def after_id3(file: BinaryIO) -> tuple[int, int]:
    """The offset after the ID3v2 tags at the start of a file, and after the zeros that follow them."""
    offset = 0
    for _ in range(MAX_TAGS):
        length = id3v2_bytes(read_at(file, offset, ID3_HEADER))
        if not length:
            break
        offset += length
    padding = read_at(file, offset, 2**20) if offset else b""
    return offset, offset + len(padding) - len(padding.lstrip(b"\0"))

"""Say why a file is not read: the lists of formats that are, and the error that names what it is."""

from typing import BinaryIO, Literal

from safe_data.core.errors import MediaError
from safe_data.media.file_kinds import HEAD_BYTES, NO_MEDIUM, kind_of

SOUNDS = ("WAV", "FLAC", "Ogg", "MP3", "AIFF", "AU", "CAF", "AC-3", "AAC")
VIDEOS = ("MP4", "Matroska", "WebM", "MPEG-TS", "MPEG-PS", "FLV", "AVI")
PICTURES = ("PNG", "JPEG", "WebP", "GIF", "BMP", "TIFF")

Wanted = Literal["sound", "video", "picture"]
_READ = {"sound": (*SOUNDS, *VIDEOS), "video": VIDEOS, "picture": PICTURES}


def head_of(file: BinaryIO) -> bytes:
    """The first bytes of an open file, which tell what it is."""
    file.seek(0)
    return file.read(HEAD_BYTES)


def unread(head: bytes, wanted: Wanted) -> MediaError | None:
    """The error for a file that is not read, by its first kilobyte; None if it looks like one that is.

    >>> print(unread(b"qoif" + bytes(40), "picture"))
    unknown picture format: QOI; convert it to one of PNG, JPEG, WebP, GIF, BMP, TIFF
    >>> print(unread(b"version https://git-lfs.github.com/spec/v1", "sound"))
    not a sound: a Git LFS pointer; run git lfs pull
    """
    if not head:
        return MediaError(f"empty {wanted}: the file has no bytes")
    kind = kind_of(head)
    if kind is None:
        return unknown(wanted, f"it begins with {head[:4].hex(' ')}")
    if kind.name in _READ[wanted]:
        return None
    if kind.holds == NO_MEDIUM:
        return MediaError(f"not a {wanted}: {kind.name}")
    if wanted in kind.holds or (wanted == "sound" and "video" in kind.holds):
        return unknown(wanted, kind.name)
    return MediaError(f"not a {wanted}: a {kind.holds[0]} ({kind.name})")


def unknown(wanted: Wanted, name: str) -> MediaError:
    """The error for a format that is not read."""
    return MediaError(f"unknown {wanted} format: {name}; convert it to one of {', '.join(_READ[wanted])}")

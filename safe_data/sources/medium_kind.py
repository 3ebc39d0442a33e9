"""Tell sounds, pictures and videos apart by suffix, for a column that names a medium of any kind.

The suffix says only which of our fields a file is meant for. Its content decides how it is read, and whether
it can be read at all: a format that cannot be read is listed here too, so that its rejection names it.
"""

from pathlib import PurePosixPath
from typing import Literal

Kind = Literal["sound", "picture", "video"]

_SUFFIXES: dict[Kind, str] = {
    "sound": (
        "wav wave flac ogg oga opus mp3 mp2 m4a m4b aac adts ac3 ec3 eac3 aif aiff aifc au snd caf w64 rf64 "
        "mka weba wma amr ape wv"
    ),
    "picture": "png apng jpg jpeg jpe jfif webp gif bmp tif tiff avif heic heif jp2 jxl",
    "video": "mp4 m4v mov webm mkv avi flv ts mts m2ts mpg mpeg 3gp 3g2 ogv wmv",
}
_KINDS: dict[str, Kind] = {f".{suffix}": kind for kind, text in _SUFFIXES.items() for suffix in text.split()}


def kind_of(path: str) -> Kind | None:
    """Whether the suffix is that of a sound, a picture or a video; None for any other.

    >>> kind_of("a/Bell.WAV"), kind_of("a/b.jpeg"), kind_of("clip.v2.webm"), kind_of("notes.txt")
    ('sound', 'picture', 'video', None)
    """
    return _KINDS.get(PurePosixPath(path).suffix.lower())

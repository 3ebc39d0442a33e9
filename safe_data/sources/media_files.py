"""Find the media files of a corpus by their documented names, listing each folder once.

A suffix says only which of our fields a file is meant for. Its content decides how it is read, and whether it
can be read at all.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

Kind = Literal["sound", "picture", "video"]
Listed = Mapping[str, Sequence[str]]  # the names of the files in each folder

# In order of preference, for a folder that holds the same name with several suffixes.
SOUNDS = (
    *(".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus"),
    *(".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64", ".aac", ".ac3", ".eac3"),
)
VIDEOS = (".mp4", ".webm", ".mkv", ".mov", ".m4v", ".avi", ".flv", ".ts", ".m2ts", ".3gp", ".mpg")
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")

# Suffixes that no corpus uses; formats that cannot be read are here too, so that a rejection names them.
_OTHERS: dict[Kind, str] = {
    "sound": ".wave .oga .mp2 .m4b .adts .ec3 .snd .mka .weba .wma .amr .ape .wv",
    "picture": ".apng .jpe .jfif .avif .heic .heif .jp2 .jxl",
    "video": ".mts .mpeg .3g2 .ogv .wmv",
}
_NAMED: dict[Kind, tuple[str, ...]] = {"sound": SOUNDS, "picture": PICTURES, "video": VIDEOS}
_KINDS = {suffix: kind for kind in _NAMED for suffix in (*_NAMED[kind], *_OTHERS[kind].split())}


@dataclass(frozen=True)
class MediaFiles:
    """Paths relative to the root, by file name without suffix."""

    folders: tuple[str, ...]
    suffixes: tuple[str, ...]
    paths: dict[str, str]

    def find(self, *names: str) -> str | None:
        """The file of the first of these names that exists."""
        return next((self.paths[name] for name in names if name in self.paths), None)

    def missing(self, name: str) -> str:
        """The reason to reject a record whose file was not found."""
        return f"no such file: {name}{self.suffixes[0]} in {' or '.join(self.folders)}"

    def looked_for(self, name: str) -> str:
        """The path of a file that was not found, in the first folder and with the first suffix."""
        return f"{self.folders[0]}/{name}{self.suffixes[0]}"


def list_media(root: Path, folders: Sequence[str], suffixes: Sequence[str]) -> MediaFiles:
    """List folders below the root that exist; a file in an earlier one hides the same name in later ones.

    Afterwards a name costs one look-up; asking the disk for every possible name takes long, above all over a
    network.
    """
    return media_among(list_folders(root, folders, suffixes), folders, suffixes)


def list_folders(root: Path, folders: Sequence[str], suffixes: Sequence[str]) -> Listed:
    """The names of the files with these suffixes in each folder below the root that exists."""
    listed = {}
    for folder in folders:
        if (root / folder).is_dir():
            with os.scandir(root / folder) as entries:
                listed[folder] = [
                    entry.name for entry in entries if _parts(entry.name)[1] in suffixes and entry.is_file()
                ]
    return listed


def media_among(listed: Listed, folders: Sequence[str], suffixes: Sequence[str]) -> MediaFiles:
    """The files of some of the folders that were listed; see `list_media`."""
    found: dict[str, tuple[int, int, str]] = {}
    for place, folder in enumerate(folders):
        for file in listed.get(folder, ()):
            name, suffix = _parts(file)
            if name and suffix in suffixes:
                candidate = (place, suffixes.index(suffix), f"{folder}/{file}")
                found[name] = min(found.get(name, candidate), candidate)
    paths = {name: path for name, (_, _, path) in found.items()}
    return MediaFiles(tuple(folders), tuple(suffixes), paths)


def _parts(file: str) -> tuple[str, str]:
    name, _, suffix = file.rpartition(".")
    return name, f".{suffix.lower()}"


def kind_by_suffix(path: str) -> Kind | None:
    """Whether the suffix is that of a sound, a picture or a video; None for any other.

    >>> [kind_by_suffix(path) for path in ("a/Bell.WAV", "a/b.jpeg", "clip.v2.webm", "notes.txt")]
    ['sound', 'picture', 'video', None]
    """
    return _KINDS.get(PurePosixPath(path).suffix.lower())


def is_video(path: str) -> bool:
    """Whether the suffix is a video's."""
    return path.lower().endswith(VIDEOS)

"""Find the media files of a corpus by their documented names, listing each folder once."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# In order of preference, for a folder that holds the same name with several suffixes.
SOUNDS = (".wav", ".flac", ".mp3", ".m4a", ".ogg", ".opus")
VIDEOS = (".mp4", ".webm", ".mkv")
PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff")


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


def list_media(root: Path, folders: Sequence[str], suffixes: Sequence[str]) -> MediaFiles:
    """List folders below the root that exist; a file in an earlier one hides the same name in later ones.

    Afterwards a name costs one look-up; asking the disk for every possible name takes long, above all over a
    network.
    """
    found: dict[str, tuple[int, int, str]] = {}
    for place, folder in enumerate(folders):
        if not (root / folder).is_dir():
            continue
        with os.scandir(root / folder) as entries:
            for entry in entries:
                name, _, suffix = entry.name.rpartition(".")
                suffix = f".{suffix.lower()}"
                if name and suffix in suffixes and entry.is_file():
                    candidate = (place, suffixes.index(suffix), f"{folder}/{entry.name}")
                    found[name] = min(found.get(name, candidate), candidate)
    paths = {name: path for name, (_, _, path) in found.items()}
    return MediaFiles(tuple(folders), tuple(suffixes), paths)


def is_video(path: str) -> bool:
    """Whether the suffix is a video's."""
    return path.lower().endswith(VIDEOS)

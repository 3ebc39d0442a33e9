"""Find the clips of YouTube videos under the names that copies give them.

These names, with or without a Y in front, mean the clip of a video from 30 s to 40 s; the first that exists
is taken. Numbers may have decimals and leading zeros. `{id}_{milliseconds}` without an end is no such name.

    {id}_30               also {id}_000030, {id}_30.000
    {id}_30_40            start and end; also {id}_30.000_40.000
    {id}_30000_40000      in milliseconds: no clip lasts 10,000 s, and none 10 ms
    {id}                  the clip, if the file is at most a second longer than clips are; or the whole video,
                          if it is longer and reaches up to a second before the clip's end

A name with a start is never taken for another start. A name without one is no name of a clip if the lists
have two clips of the video, or if the length allows both readings and they differ.
"""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from safe_data.core.errors import MediaError
from safe_data.media.paths import MediaRoot, size_of
from safe_data.records import Audio
from safe_data.sources.media_files import MediaFiles

MOST_SUBFOLDERS = 1000  # of labels, say; a folder with more holds something else, such as frames of each clip
LONGER_SECONDS = 1.0  # a clip may be this much longer than it should be, and a video this much shorter
SURE_SECONDS = 0.1  # a video that holds a clip may end this much before the clip
_NUMBER = r"[0-9]{1,9}(?:\.[0-9]{1,9})?"
_NAME = re.compile(rf"(Y?)([A-Za-z0-9_-]{{11}})(?:_({_NUMBER})(?:_({_NUMBER}))?)?")


class Clip(msgspec.Struct, frozen=True, gc=False):
    """A clip of a list; `only` if the lists have no other clip of its video."""

    youtube_id: str
    start_seconds: float
    seconds: float
    only: bool


class Part(msgspec.Struct, frozen=True):
    """A file that holds a clip: all of it, or a part."""

    path: str
    audio: Audio

    @property
    def is_clip(self) -> bool:
        """Whether the file is the clip and nothing else."""
        return self.audio.duration_seconds is None


@dataclass(frozen=True)
class ClipFiles:
    """Media files by what their names mean; the paths are relative to `root`."""

    root: MediaRoot
    media: MediaFiles
    by_start: dict[tuple[str, float], str]
    by_video: dict[str, str]

    def named(self, clip: Clip) -> str | None:
        """The file whose name says that it is the clip."""
        return self.by_start.get((clip.youtube_id, clip.start_seconds))

    def find(self, clip: Clip) -> Part | str | None:
        """The file that holds a clip, or why there is none under a name without a start."""
        path = self.by_start.get((clip.youtube_id, clip.start_seconds))
        if path is not None:
            return Part(path, Audio(path=path))
        path = self.by_video.get(clip.youtube_id)
        return None if path is None else self._without_start(path, clip)

    def _without_start(self, path: str, clip: Clip) -> Part | str:
        whole = Part(path, Audio(path=path, start_seconds=clip.start_seconds, duration_seconds=clip.seconds))
        length = self._length(path)
        end = clip.start_seconds + clip.seconds
        if isinstance(length, str):
            unclear = length
        elif length > clip.seconds + LONGER_SECONDS:
            if length >= end - LONGER_SECONDS:
                return whole
            unclear = f"lasts {length:.4g} s, neither as long as the clip nor up to its end"
        elif not clip.only:
            unclear = "may be another clip of its video"
        elif not length and path.startswith("video"):
            return whole
        elif clip.start_seconds > 0 and length >= end - SURE_SECONDS:
            unclear = f"lasts {length:.4g} s, as the clip does, and the video up to its end"
        else:
            return Part(path, Audio(path=path))
        name = f"{clip.youtube_id}_{clip.start_seconds:.15g}"
        return f"ambiguous name: {path} {unclear}; name the clip {name}"

    def _length(self, path: str) -> float | str:
        """The length of a file in seconds, 0 of an empty one; or that it cannot be told."""
        from safe_data.media.length import length_seconds

        if not size_of(self.root, path):
            return 0.0  # empty, or behind a link: whatever it is taken for, the build rejects it
        try:
            return length_seconds(self.root, path) or "does not say how long it is"
        except MediaError as error:
            return f"does not say how long it is ({error})"


def clip_files(root: MediaRoot, media: MediaFiles, seconds: float) -> ClipFiles:
    """Read from the name of each file below the root which clip of so many seconds it holds.

    A file in an earlier folder is preferred, and then the name that stands further up in this file.
    """
    places = {folder: place for place, folder in enumerate(media.folders)}
    best: dict[tuple[str, float | None], tuple[int, int, str, str]] = {}
    for name, path in media.paths.items():
        meaning = meaning_of(name, seconds)
        if meaning is not None:
            youtube_id, start, form = meaning
            candidate = (places[path.rpartition("/")[0]], form, name, path)
            best[youtube_id, start] = min(best.get((youtube_id, start), candidate), candidate)
    by_start = {(video, start): found[-1] for (video, start), found in best.items() if start is not None}
    by_video = {video: found[-1] for (video, start), found in best.items() if start is None}
    return ClipFiles(root, media, by_start, by_video)


def meaning_of(name: str, seconds: float) -> tuple[str, float | None, int] | None:
    """The video and the start that a name means, and the place of its form in the order of preference."""
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    prefix, youtube_id, start, end = match.groups()
    if end is None:
        return youtube_id, None if start is None else float(start), len(prefix)
    length = float(end) - float(start)
    if 0 < length <= seconds + 1e-6:
        return youtube_id, float(start), 2 + len(prefix)
    if "." not in start + end and 1000 <= length <= seconds * 1000:
        return youtube_id, int(start) / 1000, 4 + len(prefix)
    return None


def clip_media(sounds: ClipFiles, videos: ClipFiles, clip: Clip) -> tuple[Part | None, Part | None, str]:
    """The sound and the picture of a clip, on one clock, and why there is none if that is known.

    If one is the clip and the other the whole video, both are taken from the video's file.
    """
    sound, video = sounds.find(clip), videos.find(clip)
    if sound is None and video is None:
        return None, None, ""
    unclear = next((found for found in (sound, video) if isinstance(found, str)), "")
    heard = sound if isinstance(sound, Part) else None
    if not isinstance(video, Part):
        return heard, None, unclear
    return (heard if heard and heard.is_clip == video.is_clip else video), video, unclear


def several_clips(clips: Iterable[tuple[str, float]]) -> frozenset[str]:
    """The videos that have clips with different starts."""
    first: dict[str, float] = {}
    return frozenset(video for video, start in clips if first.setdefault(video, start) != start)


def with_subfolders(root: Path, folders: Sequence[str], depth: int = 1) -> list[str]:
    """Folders below the root, each followed by its subfolders, of labels or splits, in order of name."""
    found = []
    for folder in folders:
        found.append(folder)
        if depth and (root / folder).is_dir():
            with os.scandir(root / folder) as entries:
                below = [entry.name for entry in entries if entry.is_dir() and _is_text(entry.name)]
            if len(below) <= MOST_SUBFOLDERS:
                found += with_subfolders(root, [f"{folder}/{name}" for name in sorted(below)], depth - 1)
    return found


def _is_text(name: str) -> bool:
    """Whether a name can be written into a record."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True

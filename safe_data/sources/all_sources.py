"""All sources by the name that `--source` takes. To add one, write a file and add a line here."""

import sys
from collections.abc import Callable
from pathlib import Path

from safe_data.records import Records
from safe_data.sources import (
    audiocaps,
    avqa,
    clotho,
    coco_captions,
    folder,
    gqa,
    hub,
    music_avqa,
    vggsound,
    vqav2,
)

SOURCES: dict[str, Callable[[Path], Records]] = {
    "folder": folder.read,
    "hub": hub.read,
    "audiocaps": audiocaps.read,
    "clotho": clotho.read,
    "vggsound": vggsound.read,
    "avqa": avqa.read,
    "music_avqa": music_avqa.read,
    "vqav2": vqav2.read,
    "gqa": gqa.read,
    "coco_captions": coco_captions.read,
}

# These open media while they read, and so also take the folder that links may lead into.
OPENING: dict[str, Callable[[Path, Path | None], Records]] = {
    "hub": hub.read,
    "audiocaps": audiocaps.read,
    "vggsound": vggsound.read,
    "avqa": avqa.read,
}


def source_lines() -> dict[str, str]:
    """What each source reads: the first sentence of the docstring of its file."""
    docstrings = {
        name: getattr(sys.modules[read.__module__], "__doc__", "") for name, read in SOURCES.items()
    }
    return {name: " ".join(told.partition("\n\n")[0].split()) for name, told in docstrings.items()}

"""All sources by the name that `--source` takes. To add one, write a file and add its name here."""

import ast
from collections.abc import Callable
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from safe_data.records import Records

_FILES = (
    "folder",
    "hub",
    "audiocaps",
    "clotho",
    "vggsound",
    "avqa",
    "music_avqa",
    "vqav2",
    "gqa",
    "coco_captions",
    "pope",
    "avhbench",
    "cmm",
    "mmau",
    "gcompris",
    "sonic_pi",
    "stamps",
)


def _read(name: str, root: Path, *links: Path | None) -> "Records":
    """Read a corpus by a source, whose file is loaded only now: help must not wait for all of them."""
    records: Records = import_module(f"safe_data.sources.{name}").read(root, *links)
    return records


SOURCES: dict[str, Callable[[Path], "Records"]] = {name: partial(_read, name) for name in _FILES}

# These open media while they read, and so also take the folder that links may lead into.
OPENING: dict[str, Callable[[Path, Path | None], "Records"]] = {
    name: partial(_read, name) for name in ("hub", "audiocaps", "vggsound", "avqa")
}


def source_lines() -> dict[str, str]:
    """What each source reads: the first sentence of the docstring of its file."""
    return {name: _first_sentence(Path(__file__).with_name(f"{name}.py")) for name in SOURCES}


def _first_sentence(file: Path) -> str:
    told = ast.get_docstring(ast.parse(file.read_text("utf-8"))) or ""
    return " ".join(told.partition("\n\n")[0].split())

"""Open files that the data names, and refuse paths that lead out of the root."""

import os
import shlex
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import BinaryIO

from safe_data.core.errors import InputError, MediaError

MAX_FILE_BYTES = 2**28  # of a file that is read whole


@dataclass(frozen=True)
class LinkedRoot:
    """A root below which links may also lead into one other folder."""

    path: Path
    links: Path

    def __str__(self) -> str:
        return str(self.path)


MediaRoot = Path | LinkedRoot


def media_root(root: Path, trust_links: Path | str | None) -> MediaRoot:
    """The root of a corpus, with the folder that links below it may lead into, if there is one.

    Raises:
        InputError: that folder does not exist.
    """
    if trust_links is None:
        return root
    links = Path(trust_links).expanduser()
    if not links.is_dir():
        raise InputError(
            f"--trust-links {trust_links}: no such folder; give the one that the links lead into"
        )
    return LinkedRoot(root, links.absolute())


def inside(root: MediaRoot, relative: str) -> Path:
    """The real path of a file that is named relative to the root, with links resolved.

    Raises:
        ValueError: the path is absolute, or leaves the root by `..` or by a link that is not trusted.
    """
    if Path(relative).is_absolute():
        raise ValueError(f"{relative!r} is an absolute path")
    below, links = (root.path, root.links) if isinstance(root, LinkedRoot) else (root, None)
    base = below.resolve()
    path = (base / relative).resolve()
    if path.is_relative_to(base):
        return path
    if ".." in Path(relative).parts:
        raise ValueError(f"{relative!r} leads out of the root")
    if links is None or not path.is_relative_to(links.resolve()):
        folder = _folder_outside(base, relative)
        folder = folder if path.is_relative_to(folder) else path.parent  # a link there leads elsewhere
        fix = (
            f"--trust-links {shlex.quote(str(folder))} allows it"
            if links is None
            else f"--trust-links names {links}"
        )
        raise ValueError(f"{relative!r} leads out of the root into {folder}; {fix}")
    return path


def open_file(root: MediaRoot, relative: str) -> BinaryIO:
    """Open a regular file below the root.

    Raises:
        MediaError: it is missing, not a regular file, or outside the root (by `..` or a link).
    """
    try:
        path = inside(root, relative)
        if not stat.S_ISREG(path.stat().st_mode):
            raise MediaError(f"no regular file: {relative}")
        return path.open("rb")
    except FileNotFoundError:
        raise MediaError(f"no such file: {relative}") from None
    except OSError as error:
        raise MediaError(f"unreadable file: {relative} ({error.strerror})") from None
    except MediaError:
        raise
    except (ValueError, RuntimeError) as error:  # outside the root, a NUL in the name, a loop of links
        raise MediaError(f"unreadable file: {error}") from None


def size_of(root: MediaRoot, relative: str) -> int | None:
    """The size of a file below the root in bytes; None if it cannot be opened there."""
    try:
        return inside(root, relative).stat().st_size
    except (OSError, ValueError, RuntimeError):
        return None


def sizes_below(root: MediaRoot) -> Callable[[str], int | None]:
    """`size_of` for many files: a folder is resolved once, and a file in it only if it is a link itself."""

    @cache
    def resolved(folder: str) -> str | None:
        with suppress(OSError, ValueError, RuntimeError):
            return str(inside(root, folder))
        return None

    def size(relative: str) -> int | None:
        parent, _, name = relative.rpartition("/")
        folder = resolved(parent) if name not in ("", ".", "..") and not relative.startswith("/") else None
        if folder is not None:
            with suppress(OSError, ValueError):
                found = os.lstat(f"{folder}/{name}")
                if not stat.S_ISLNK(found.st_mode):
                    return found.st_size
        return size_of(root, relative)

    return size


def read_open(file: BinaryIO, relative: str) -> bytes:
    """Read all bytes of an open file; `relative` is its name in messages.

    Raises:
        MediaError: it is larger than 256 MiB, or cannot be read.
    """
    check_file_size(file, relative)
    try:
        return file.read()
    except OSError as error:
        raise MediaError(f"unreadable file: {relative} ({error.strerror})") from None


def check_file_size(file: BinaryIO, relative: str) -> int:
    """The size of an open file in bytes; it is read from its start next.

    Raises:
        MediaError: it is larger than 256 MiB.
    """
    size = file.seek(0, os.SEEK_END)
    if size > MAX_FILE_BYTES:
        raise MediaError(f"file too large: {relative} has {size} bytes of {MAX_FILE_BYTES}")
    file.seek(0)
    return size


def _folder_outside(base: Path, relative: str) -> Path:
    """The folder into which the first link on the way to a file leads out of the root."""
    place = base
    for part in Path(relative).parts:
        place = (place / part).resolve()
        if not place.is_relative_to(base):
            return place if place.is_dir() else place.parent
    return place.parent

"""Open files that the data names, and refuse paths that lead out of the root."""

import os
import stat
from pathlib import Path
from typing import BinaryIO

from safe_data.core.errors import MediaError

MAX_FILE_BYTES = 2**28  # of a file that is read whole


def inside(root: Path, relative: str) -> Path:
    """The real path of a file that is named relative to the root, with links resolved.

    Raises:
        ValueError: the path is absolute, or leaves the root by `..` or a link.
    """
    if Path(relative).is_absolute():
        raise ValueError(f"{relative!r} is an absolute path")
    path = (root / relative).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ValueError(f"{relative!r} leads out of the root")
    return path


def open_file(root: Path, relative: str) -> BinaryIO:
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

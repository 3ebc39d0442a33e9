"""Files that data names, kept below the root they are relative to."""

import stat
from pathlib import Path

from safe_data.errors import MediaError

MAX_FILE_BYTES = 2**28


def inside(root: Path, relative: str) -> Path:
    """The real path of a file named relative to the root; links are followed.

    Raises:
        ValueError: an absolute path, or one that leaves the root by `..` or a link.
    """
    if Path(relative).is_absolute():
        raise ValueError(f"{relative!r} is an absolute path")
    path = (root / relative).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ValueError(f"{relative!r} leads out of the root")
    return path


def read_file(root: Path, relative: str) -> bytes:
    """The bytes of a regular file below the root.

    Raises:
        MediaError: it is missing, no regular file, too large, or (by `..` or a link) outside the root.
    """
    try:
        path = inside(root, relative)
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise MediaError(f"no regular file: {relative}")
        if status.st_size > MAX_FILE_BYTES:
            raise MediaError(f"file too large: {relative} has {status.st_size} bytes of {MAX_FILE_BYTES}")
        return path.read_bytes()
    except FileNotFoundError:
        raise MediaError(f"no such file: {relative}") from None
    except OSError as error:
        raise MediaError(f"unreadable file: {relative} ({error.strerror})") from None
    except MediaError:
        raise
    except (ValueError, RuntimeError) as error:  # outside the root, a NUL in the name, a loop of links
        raise MediaError(f"unreadable file: {error}") from None

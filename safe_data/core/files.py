"""Files and folders that appear whole or not at all; their hashes; JSON."""

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import msgspec

from safe_data.core.errors import InputError

Root = str | os.PathLike[str]

PART = ".tmp"  # ends the name of a file that is being written
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def committing(path: Path) -> Iterator[BinaryIO]:
    """Write a file that appears whole and safely on disk, or not at all; make its folder if need be.

    Raises:
        InputError: the disk is full, or may not be written to.
    """
    part = path.with_name(f".{path.name}.{uuid4().hex[:8]}{PART}")
    with explaining(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        _sync_folder(path.parent)


@contextmanager
def committing_folder(path: Path) -> Iterator[Path]:
    """Fill a new folder under a temporary name, which takes its real name when it is complete.

    A folder left over from a run that was killed is removed first.
    """
    part = path.with_name(path.name + PART)
    shutil.rmtree(part, ignore_errors=True)
    with explaining(path):
        part.mkdir(parents=True)
        yield part
        part.replace(path)
        _sync_folder(path.parent)


@contextmanager
def explaining(path: Root) -> Iterator[None]:
    """Say what to do about a disk that is full or may not be written to.

    Raises:
        InputError: in place of such an OSError.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            fix = "make room and run the same command again, it goes on where it stopped"
        elif error.errno in _FORBIDDEN:
            fix = "name a directory that you may write to"
        else:
            raise
        raise InputError(f"{path}: cannot be written ({error.strerror}); {fix}") from error


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all, and return its path.

    Raises:
        InputError: see `committing`.
    """
    with committing(path) as file:
        file.write(content)
    return path


def write_json(path: Path, content: msgspec.Struct) -> Path:
    """Write a result as indented JSON; numbers that are not finite become null.

    Raises:
        InputError: see `committing`.
    """
    return write_bytes(path, json_bytes(content))


def json_bytes(content: msgspec.Struct) -> bytes:
    """A struct as indented JSON that ends with a line feed."""
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"


def file_sha256(path: Root) -> str:
    """The hash by which outputs name the files that they were made from."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)

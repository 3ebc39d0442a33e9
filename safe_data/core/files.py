"""Write files and folders that appear whole or not at all; write JSON; hash a file."""

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

PART = ".tmp"  # the name of a file that is being written ends with it

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_FOLDER = (errno.ENOTDIR, errno.EEXIST, errno.EISDIR)
_FORBIDDEN = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def committing(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name once it is whole and on disk, or not at all.

    Its folder is made if need be. An exception inside the block leaves the old file as it was.

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
def committing_folder(path: Path, *, aside: Path | None = None) -> Iterator[Path]:
    """Fill a new folder under a temporary name; it gets its real name once it is complete.

    An exception inside the block removes the temporary folder; the next call removes what a killed run left.
    With `aside`, a folder that is there is replaced. It has the name `aside` until the new one has its own: a
    run that is killed between the two renames leaves it there, and a reader can say so.

    Raises:
        InputError: the disk is full, or may not be written to.
    """
    part = path.with_name(path.name + PART)
    shutil.rmtree(part, ignore_errors=True)
    with explaining(path):
        part.mkdir(parents=True)
        try:
            yield part
            if aside is None:
                part.replace(path)
            else:
                _take_place(part, path, aside)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        _sync_folder(path.parent)


def _take_place(part: Path, path: Path, aside: Path) -> None:
    """Rename a folder to one that may be there, which no rename replaces unless it is empty."""
    if path.exists():
        shutil.rmtree(aside, ignore_errors=True)
        path.replace(aside)
    try:
        part.replace(path)
    except OSError:
        if aside.exists():
            aside.replace(path)
        raise
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def explaining(path: Root) -> Iterator[None]:
    """Turn the OSError of a full or protected disk into an InputError that says what to do.

    Raises:
        InputError: the disk is full, or may not be written to.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            fix = "make room and run the same command again, it goes on where it stopped"
        elif error.errno in _FORBIDDEN:
            fix = "name a directory that you may write to"
        elif error.errno in _NO_FOLDER:
            fix = "a file is where a directory must be, or the other way round; name another path"
        else:
            raise
        raise InputError(f"{path}: cannot be written ({error.strerror}); {fix}") from error


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file whole or not at all, and return its path.

    Raises:
        InputError: the disk is full, or may not be written to.
    """
    with committing(path) as file:
        file.write(content)
    return path


def write_json(path: Path, content: msgspec.Struct) -> Path:
    """Write a result as indented JSON, whole or not at all; numbers that are not finite become null.

    Raises:
        InputError: the disk is full, or may not be written to.
    """
    return write_bytes(path, json_bytes(content))


def json_bytes(content: msgspec.Struct) -> bytes:
    """Encode a struct as indented JSON that ends with a line feed."""
    return msgspec.json.format(msgspec.json.encode(content), indent=1) + b"\n"


def file_sha256(path: Root) -> str:
    """SHA-256 of a file in hexadecimal; outputs name their input files by it."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)

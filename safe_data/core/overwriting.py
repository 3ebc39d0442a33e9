"""Overwriting: a result that is there already is replaced with `--force` only.

To write the same bytes again is no overwriting, so a command that was run before can be run again.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from safe_data.core.errors import InputError
from safe_data.core.files import explaining, file_sha256, write_bytes


def check_free(*paths: Path, force: bool) -> None:
    """Refuse to replace files, before the work whose result they would hold.

    Raises:
        InputError: one of them is there, and `force` is not set.
    """
    for path in () if force else paths:
        with explaining(path):
            there = path.exists()
        if there:
            raise InputError(f"{path}: is there already; {_fix(path)}")


def check_not_read(written: Iterable[Path], read: Iterable[Path]) -> None:
    """Refuse to write a result over what it comes from, which `force` would not mean either.

    Raises:
        InputError: a file to be written is one that was read.
    """
    sources = {path.resolve() for path in read}
    for path in written:
        if path.resolve() in sources:
            raise InputError(f"{path}: is read by this command, and never replaced by it; name another file")


def check_same(contents: Mapping[Path, bytes], *, force: bool) -> None:
    """Refuse to replace any of several files by other content.

    Raises:
        InputError: a file is there and holds something else, and `force` is not set.
    """
    for path, content in () if force else contents.items():
        with explaining(path):
            differs = path.exists() and not _holds(path, content)
        if differs:
            raise InputError(f"{path}: is there already, and holds something else; {_fix(path)}")


def check_same_hash(path: Path, sha256: str, *, force: bool) -> None:
    """Refuse to replace a file by one of another hash.

    Raises:
        InputError: the file is there with another hash, and `force` is not set.
    """
    if not force and path.exists() and not (path.is_file() and file_sha256(path) == sha256):
        raise InputError(f"{path}: is there already, and holds something else; {_fix(path)}")


def write_new(path: Path, content: bytes, *, force: bool = False) -> Path:
    """Write a file whole or not at all, unless it holds the same already, and return its path.

    Raises:
        InputError: it holds something else, and `force` is not set; or the disk is full or protected.
    """
    return write_all_new({path: content}, force=force)[0]


def write_all_new(contents: Mapping[Path, bytes], *, force: bool = False) -> list[Path]:
    """Write several files, or none of them where one would be overwritten.

    Raises:
        InputError: see `write_new`.
    """
    check_same(contents, force=force)
    for path, content in contents.items():
        with explaining(path):
            is_there = _holds(path, content)
        if not is_there:
            write_bytes(path, content)
    return list(contents)


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def _fix(path: Path) -> str:
    if path.is_dir():
        return "it is a folder, which is never replaced; name a file"
    return "name another file, or add --force to replace it"

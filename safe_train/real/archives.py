"""Archives: what is inside wheels and Debian packages, which are only read, never installed."""

import io
import lzma
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from safe_data.core.errors import InputError
from safe_data.core.files import committing_folder

_AR_MAGIC, _AR_HEADER = b"!<arch>\n", 60
_DATA = "data.tar"
# What damaged content raises: zipfile's RuntimeError is of a password, or of a compression that it lacks.
_DAMAGED = (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, RuntimeError, OSError)


def unpack_wheel(wheel: Path, inside: str, out: Path) -> Path:
    """Copy the files below a folder of a wheel, or one file of it, to `out`, unless it is there.

    Raises:
        InputError: it is no wheel, or has nothing there.
    """
    if out.is_dir():
        return out
    try:
        with zipfile.ZipFile(wheel) as archive, committing_folder(out) as part:
            names = [name for name in archive.namelist() if _is_below(name, inside) and name[-1] != "/"]
            if not names:
                raise InputError(f"{wheel}: has no {inside}")
            for name in names:
                target = part / _relative(name, inside)
                target.parent.mkdir(parents=True, exist_ok=True)
                with archive.open(name) as source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
    except _DAMAGED as error:
        raise InputError(f"{wheel}: cannot be read: {error}; fetch it again") from None
    return out


def unpack_debian(package: Path, inside: str, out: Path) -> Path:
    """Copy the regular files below a folder of a Debian package to `out`, unless it is there.

    Links are left out: what they name is there under its own name.

    Raises:
        InputError: it is no Debian package, or has nothing there.
    """
    if out.is_dir():
        return out
    found = 0
    try:
        with _data_of(package) as archive, committing_folder(out) as part:
            for member in archive:
                name = str(PurePosixPath(member.name))
                if not member.isfile() or not _is_below(name, inside):
                    continue
                target = part / _relative(name, inside)
                target.parent.mkdir(parents=True, exist_ok=True)
                source = archive.extractfile(member)
                if source is None:
                    continue
                with source, target.open("wb") as file:
                    shutil.copyfileobj(source, file)
                found += 1
            if not found:
                raise InputError(f"{package}: has no files in {inside}")
    except _DAMAGED as error:
        raise InputError(f"{package}: cannot be read: {error}; fetch it again") from None
    return out


def _data_of(package: Path) -> tarfile.TarFile:
    """The tar of a Debian package, an `ar` archive whose member data.tar.* holds its files."""
    data = package.read_bytes()
    for name, content in _members(data, package):
        if name.startswith(_DATA):
            return tarfile.open(fileobj=io.BytesIO(content))
    raise InputError(f"{package}: has no {_DATA}; fetch it again")


def _members(data: bytes, package: Path) -> Iterator[tuple[str, bytes]]:
    if not data.startswith(_AR_MAGIC):
        raise InputError(f"{package}: is no Debian package; fetch it again")
    at = len(_AR_MAGIC)
    while at + _AR_HEADER <= len(data):
        header = data[at : at + _AR_HEADER]
        digits = header[48:58].strip()
        if header[58:60] != b"`\n" or not digits.isdigit():
            raise InputError(f"{package}: is a damaged Debian package; fetch it again")
        at += _AR_HEADER
        size = int(digits)
        if at + size > len(data):
            raise InputError(f"{package}: is cut off; fetch it again")
        yield header[:16].decode("ascii", "replace").strip().rstrip("/"), data[at : at + size]
        at += size + size % 2


def _is_below(name: str, inside: str) -> bool:
    """Whether an archive's name lies below a folder of it, and leads nowhere else."""
    path = PurePosixPath(name)
    return ".." not in path.parts and not path.is_absolute() and path.is_relative_to(inside)


def _relative(name: str, inside: str) -> str:
    """A name below the folder, or the file's own name where the file itself was meant."""
    path = PurePosixPath(name)
    return path.name if path == PurePosixPath(inside) else str(path.relative_to(inside))

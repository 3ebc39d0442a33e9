"""Storage: the files of a dataset by name, in a local folder or below any URL that fsspec knows.

A file appears whole or not at all: in a folder by a temporary name, fsync and rename; at a URL by one upload
of a local temporary file.
"""

import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePath
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO, Protocol, cast

from safe_data.core.errors import InputError
from safe_data.core.files import Root, committing, explaining

FileName = str | PurePath


class Storage(Protocol):
    """The operations on the place of a dataset; names are relative to it."""

    def names(self) -> list[str]:
        """List the files in it and in its subfolders, one level deep."""

    def size(self, name: FileName) -> int | None:
        """Size of a file in bytes; None if there is no such file."""

    def open(self, name: FileName) -> BinaryIO:
        """Open a file for reading."""

    def committing(self, name: FileName) -> AbstractContextManager[BinaryIO]:
        """Open a file for writing that appears whole or not at all."""

    def local(self, name: FileName) -> AbstractContextManager[Path]:
        """Give the file a path on this machine, copying it if need be."""

    def remove(self, name: FileName) -> None:
        """Remove a file if it exists."""


def open_storage(root: Root) -> Storage:
    """Open a local folder (a path or a `file://` URL) or any other URL.

    Raises:
        InputError: fsspec does not know this kind of URL.
    """
    if "://" not in str(root):
        return Folder(Path(root))
    import fsspec

    try:
        files, path = fsspec.core.url_to_fs(str(root))
    except (ImportError, ValueError) as error:
        raise InputError(f"{root}: cannot be opened ({str(error).strip()})") from None
    return Folder(Path(path)) if "file" in _protocols(files) else Remote(str(root).rstrip("/"))


@dataclass(frozen=True)
class Folder:
    """A folder on this machine, or on a disk that it shares with others."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def names(self) -> list[str]:
        found = [path for pattern in ("*", "*/*") for path in self.path.glob(pattern) if path.is_file()]
        return sorted(str(path.relative_to(self.path)) for path in found)

    def size(self, name: FileName) -> int | None:
        path = self.path / name
        return path.stat().st_size if path.is_file() else None

    def open(self, name: FileName) -> BinaryIO:
        return (self.path / name).open("rb")

    @contextmanager
    def committing(self, name: FileName) -> Iterator[BinaryIO]:
        path = self.path / name
        path.parent.mkdir(exist_ok=True)
        with committing(path) as file:
            yield file

    @contextmanager
    def local(self, name: FileName) -> Iterator[Path]:
        yield self.path / name

    def remove(self, name: FileName) -> None:
        (self.path / name).unlink(missing_ok=True)


@dataclass(frozen=True)
class Remote:
    """The files below a URL; each is written and copied whole through a local temporary file."""

    url: str

    def __str__(self) -> str:
        return self.url

    @cached_property
    def _files(self) -> Any:
        import fsspec

        return fsspec.core.url_to_fs(self.url)[0]

    @cached_property
    def _path(self) -> str:
        return str(self._files._strip_protocol(self.url))

    @property
    def one_process(self) -> bool:
        """Whether it is invisible to other processes."""
        return "memory" in _protocols(self._files)

    def names(self) -> list[str]:
        found = self._files.find(self._path, maxdepth=2)
        return sorted(path.removeprefix(self._path).lstrip("/") for path in found)

    def size(self, name: FileName) -> int | None:
        path = f"{self._path}/{name}"
        return int(self._files.size(path)) if self._files.isfile(path) else None

    def open(self, name: FileName) -> BinaryIO:
        return cast(BinaryIO, self._files.open(f"{self._path}/{name}", "rb"))

    @contextmanager
    def committing(self, name: FileName) -> Iterator[BinaryIO]:
        path = f"{self._path}/{name}"
        with explaining(f"{self}/{name}"), NamedTemporaryFile() as file:
            yield cast(BinaryIO, file)
            file.flush()
            self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
            self._files.put_file(file.name, path)

    @contextmanager
    def local(self, name: FileName) -> Iterator[Path]:
        with NamedTemporaryFile() as copy:
            with self.open(name) as file:
                shutil.copyfileobj(file, copy, 2**20)
            copy.flush()
            yield Path(copy.name)

    def remove(self, name: FileName) -> None:
        if self.size(name) is not None:
            self._files.rm_file(f"{self._path}/{name}")


def _protocols(files: Any) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)

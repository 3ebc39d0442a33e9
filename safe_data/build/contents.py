"""Contents: the bytes of a media file on their way into a tar, in memory if they are few."""

import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import IO, BinaryIO, cast

from safe_data.core.errors import InputError, MediaError
from safe_data.media.paths import MediaRoot, check_file_size, open_file
from safe_data.shards.tar import TarWriter

HELD_BYTES = 2**22  # larger files stay where they are until they are copied
PIECE_BYTES = 2**20


@dataclass(frozen=True)
class Contents:
    """The contents of a file: size, hash, and how to read it from its start."""

    size: int
    sha256: str
    held: bytes | None
    open: Callable[[], BinaryIO] = field(compare=False)

    def read(self) -> bytes:
        """All of it."""
        with self.open() as file:
            return file.read()

    def add_to(self, tar: TarWriter, name: str) -> int:
        """Append the file to a tar; return the offset of its first byte.

        Raises:
            InputError: it changed since it was measured.
        """
        if self.held is not None:
            return tar.add(name, self.held)
        try:
            file = self.open()
        except MediaError:
            raise _changed(name) from None
        with file:
            source = _Hashing(file, name)
            offset = tar.copy(name, source, self.size)
        if source.digest.hexdigest() != self.sha256:
            raise _changed(name)
        return offset


def contents_of(data: bytes) -> Contents:
    """Contents that are in memory."""
    return Contents(len(data), hashlib.sha256(data).hexdigest(), data, partial(io.BytesIO, data))


def read_contents(data: bytes, root: MediaRoot, relative: str) -> Contents:
    """The contents of a file that has been read; of a large one, the data need not stay in memory."""
    if len(data) <= HELD_BYTES:
        return contents_of(data)
    digest = hashlib.sha256(data).hexdigest()
    return Contents(len(data), digest, None, partial(open_file, root, relative))


def file_contents(file: BinaryIO, root: MediaRoot, relative: str) -> Contents:
    """The contents of an open file below a root; `relative` is its name.

    Raises:
        MediaError: it is larger than 256 MiB, or cannot be read.
    """
    size = check_file_size(file, relative)
    try:
        if size <= HELD_BYTES:
            return contents_of(file.read())
        return Contents(size, sha256_of(file), None, partial(open_file, root, relative))
    except OSError as error:
        raise MediaError(f"unreadable file: {relative} ({error.strerror})") from None


def spooled_contents(file: IO[bytes]) -> Contents:
    """The contents of a temporary file, which is closed once they have been read."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if size <= HELD_BYTES:
        with file:
            return contents_of(file.read())
    digest = sha256_of(file)

    def again() -> BinaryIO:
        file.seek(0)
        return cast(BinaryIO, file)

    return Contents(size, digest, None, again)


class _Hashing:
    """Hash a file while a tar reads it."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self.digest = hashlib.sha256()
        self._file, self._name = file, name

    def read(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise _changed(self._name)
        self.digest.update(data)
        return data


def sha256_of(file: IO[bytes]) -> str:
    """The hash of what is left of a file."""
    digest = hashlib.sha256()
    while piece := file.read(PIECE_BYTES):
        digest.update(piece)
    return digest.hexdigest()


def _changed(name: str) -> InputError:
    return InputError(f"{name}: its source changed while it was read; run the same command again")

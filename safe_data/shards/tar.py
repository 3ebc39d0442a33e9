"""TarWriter: write the tar of a shard member by member, with its hash; MemberFile: read a member of it."""

import hashlib
import io
import os
import tarfile
from typing import Any, BinaryIO, Protocol, cast


class Readable(Protocol):
    """What a member is read from."""

    def read(self, size: int) -> bytes: ...


class TarWriter:
    """Write plain tar with 512-byte headers, without times and owners: equal members give equal bytes.

    Differs: `webdataset.TarWriter` writes the same format, but loads torch (1.5 s) and hides the offsets.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._hashing = _Hashing(file)
        self._tar = tarfile.TarFile(
            fileobj=cast(BinaryIO, self._hashing),
            mode="w",
            format=tarfile.USTAR_FORMAT,
            copybufsize=2**20,
        )

    def add(self, name: str, data: bytes) -> int:
        """Append a member; return the offset of its first byte in the file."""
        return self.copy(name, io.BytesIO(data), len(data))

    def copy(self, name: str, source: Readable, size: int) -> int:
        """Append a member of `size` bytes, piece by piece; return the offset of its first byte."""
        offset = self._tar.offset + tarfile.BLOCKSIZE
        self._tar.addfile(_member(name, size), cast(BinaryIO, source))
        return offset

    def close(self) -> tuple[str, int]:
        """Write the end of the tar; return its SHA-256 and its size in bytes."""
        self._tar.close()
        return self._hashing.digest.hexdigest(), self._hashing.tell()


def header(name: str, size: int) -> bytes:
    """The header that `TarWriter` writes before a member."""
    return _member(name, size).tobuf(tarfile.USTAR_FORMAT)


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size = size
    return member


class _Hashing:
    """Hash a tar while it is written, so that it need not be read again."""

    def __init__(self, file: BinaryIO) -> None:
        self.digest = hashlib.sha256()
        self._file, self._size = file, 0

    def write(self, data: bytes) -> None:
        self.digest.update(data)
        self._size += len(data)
        self._file.write(data)

    def tell(self) -> int:
        return self._size


class MemberFile(io.BufferedReader):
    """A member of an open tar as a file; several may be read at the same time."""

    def __init__(self, tar: int, offset: int, size: int) -> None:
        super().__init__(_Window(tar, offset, size))


class _Window(io.RawIOBase):
    def __init__(self, tar: int, offset: int, size: int) -> None:
        self._tar, self._offset, self._size, self._place = tar, offset, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = memoryview(buffer)[: max(0, self._size - self._place)]
        read = os.preadv(self._tar, [left], self._offset + self._place) if len(left) else 0
        self._place += read
        return read

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self._size}[whence]
        self._place = max(0, start + offset)
        return self._place

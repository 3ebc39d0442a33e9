"""Archive: the members of a zip file, stored, deflated, or compressed with zstd.

Python's zipfile reads zstd from 3.14 on; here Arrow's codec does. A member that stands twice counts as it
stands last. Sizes in the file are not believed: a member is read up to a limit.
"""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from struct import Struct

from safe_data.core.errors import InputError

MOST_BYTES = 1 << 30  # of one member, unpacked

_ZSTD = (93, 20)  # the number in the standard, and an older one
_LOCAL = Struct("<4s5H3I2H")  # the header before a member's bytes
_LOCAL_MARK = b"PK\x03\x04"
_ENCRYPTED = 1
_RAW_DEFLATE = -15  # window bits of a stream without a header


class Archive:
    """The members of a zip file by their names, each once."""

    def __init__(self, path: Path) -> None:
        """Read the list of members.

        Raises:
            InputError: the file is no zip file, or was cut off before its list.
        """
        self._path = path
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            raise InputError(f"{path}: is no complete zip file ({error}); was its run cut off?") from None
        self._file = path.open("rb")
        self._members = {info.filename: info for info in self._zip.infolist()}
        self._zip.close()

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __contains__(self, name: str) -> bool:
        return name in self._members

    def names(self, folder: str = "", suffix: str = "") -> Iterator[str]:
        """The names of members below a folder, in the order in which they first stand."""
        return (name for name in self._members if name.startswith(folder) and name.endswith(suffix))

    def read(self, name: str) -> bytes:
        """The content of a member.

        Raises:
            InputError: it is damaged, encrypted, larger than the limit, or compressed in another way.
        """
        info = self._members[name]
        where = f"{self._path.name}/{name}"
        if info.flag_bits & _ENCRYPTED:
            raise InputError(f"{where}: is encrypted; unpack the archive and give it without a password")
        if info.file_size > MOST_BYTES:
            raise InputError(f"{where}: unpacks to {info.file_size} bytes, more than {MOST_BYTES}")
        self._file.seek(info.header_offset)
        header = self._file.read(_LOCAL.size)
        if len(header) < _LOCAL.size or not header.startswith(_LOCAL_MARK):
            raise InputError(f"{where}: is damaged: its header is not where the list says")
        *_, name_bytes, extra_bytes = _LOCAL.unpack(header)
        self._file.seek(name_bytes + extra_bytes, 1)
        content = _unpacked(self._file.read(info.compress_size), info, where)
        if len(content) != info.file_size or zlib.crc32(content) != info.CRC:
            raise InputError(f"{where}: is damaged: its checksum differs")
        return content


def _unpacked(packed: bytes, info: zipfile.ZipInfo, where: str) -> bytes:
    if info.compress_type == zipfile.ZIP_STORED:
        return packed
    if info.compress_type == zipfile.ZIP_DEFLATED:
        try:
            return zlib.decompressobj(_RAW_DEFLATE).decompress(packed, info.file_size + 1)
        except zlib.error as error:
            raise InputError(f"{where}: is damaged: {error}") from None
    if info.compress_type in _ZSTD:
        import pyarrow as pa

        try:
            return bytes(pa.decompress(packed, info.file_size, codec="zstd", asbytes=True))
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(f"{where}: is damaged: {error}") from None
    raise InputError(f"{where}: is compressed by method {info.compress_type}; deflate and zstd are read")

"""Read the files in a Qt resource file (`.rcc`), in which programs of Qt keep their pictures and sounds.

Source: the format is that of Qt's resource compiler, versions 1 to 3 (qtbase, src/tools/rcc/rcc.cpp and
src/corelib/io/qresource.cpp). All numbers are big-endian. A header names the places of three parts:

    tree    a node of 14 bytes per folder or file, 22 from version 2 on; node 0 is the root. A folder gives
            the number of its first child and how many follow; a file, its territory, language and place
    names   per name its length in UTF-16 units, a hash, and the units
    data    per file its length in bytes, and the bytes: as they are, or compressed by zlib or Zstandard

A file comes from strangers, so nothing in it is believed: a place outside the file, a folder within itself,
a name that leads elsewhere or does not match its hash, and data that grow beyond `LARGEST_BYTES` are errors.
Listing reads no data; only the data of a file that is asked for are read.
"""

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from safe_data.core.errors import InputError

LARGEST_BYTES = 2**26  # of one file, after decompression
MOST_NODES = 2**16
LONGEST_NAME = 1024  # characters of a name with its folders
MAGIC = b"qres"
VERSIONS = (1, 2, 3)
ZLIB, FOLDER, ZSTANDARD = 1, 2, 4  # flags of a node
_ANY_LOCALE = 1  # any territory, 0, and no language: that of C, 1
_BAD_NAMES = ("", ".", "..")
_BAD_SIGNS = "/\\\0"


@dataclass(frozen=True)
class Resource:
    """A file in a resource file: how its data are compressed, where they begin in bytes, and for whom.

    `locale` is Qt's number of a territory times 2**16, plus that of a language.
    """

    flags: int
    offset: int
    locale: int


@dataclass(frozen=True)
class _Open:
    """An open resource file, and the places of its parts in bytes."""

    path: Path
    file: BinaryIO
    size: int
    version: int
    tree: int
    names: int
    data: int

    def read(self, offset: int, count: int, what: str) -> bytes:
        if offset + count > self.size:
            raise InputError(f"{self.path}: {what} lies outside the file; is the file cut off? Copy it again")
        self.file.seek(offset)
        return self.file.read(count)

    def fault(self, what: str) -> InputError:
        return InputError(f"{self.path}: {what}; the file is damaged, so copy it again")


def list_resources(path: Path) -> dict[str, Resource]:
    """The files in a resource file by name, such as `gcompris/src/core/qmldir`, in the order of its tree.

    Of a file with variants for several locales, the one for any is listed, or else the first.

    Raises:
        InputError: the file cannot be read, is no resource file of version 1 to 3, or is damaged.
    """
    found: dict[str, Resource] = {}
    try:
        with path.open("rb") as file:
            opened = _opened(path, file)
            for name, resource in _walked(opened):
                earlier = found.get(name)
                if earlier and earlier.locale == resource.locale:
                    raise opened.fault(f"holds {name!r} twice")
                if not earlier or resource.locale == _ANY_LOCALE:
                    found[name] = resource
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    return found


def read_resource(path: Path, resource: Resource) -> bytes:
    """The bytes of a file that `list_resources` found in this resource file, decompressed.

    Raises:
        InputError: they cannot be read, are damaged or larger than `LARGEST_BYTES`, or need a newer Python.
    """
    try:
        with path.open("rb") as file:
            opened = _opened(path, file)
            (length,) = struct.unpack(">I", opened.read(resource.offset, 4, "the length of data"))
            if length > LARGEST_BYTES:
                raise InputError(f"{path}: a file in it has {length} bytes; at most {LARGEST_BYTES} are read")
            data = opened.read(resource.offset + 4, length, "data")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None
    if resource.flags & ZLIB:
        return _inflated(opened, data)
    return _decompressed(opened, data, _zstandard(path), None) if resource.flags & ZSTANDARD else data


def _opened(path: Path, file: BinaryIO) -> _Open:
    """Check the header."""
    size = os.fstat(file.fileno()).st_size
    head = file.read(20)
    if head[:4] != MAGIC or len(head) < 20:
        raise InputError(f"{path}: no Qt resource file, which begins with 'qres'")
    version, tree, data, names = struct.unpack(">4I", head[4:])
    if version not in VERSIONS:
        raise InputError(f"{path}: version {version} of the format is unknown; 1 to 3 are read")
    return _Open(path, file, size, version, tree, names, data)


def _walked(opened: _Open) -> Iterator[tuple[str, Resource]]:
    """Each file with its whole name, depth first; a node is visited once, so that no circle is endless."""
    node_bytes = 14 if opened.version == 1 else 22
    waiting, seen = [(0, "")], 0
    visited = set()
    while waiting:
        number, folder = waiting.pop()
        if number in visited:
            raise opened.fault(f"node {number} of its tree is in two folders")
        visited.add(number)
        node = opened.read(opened.tree + number * node_bytes, node_bytes, f"node {number} of its tree")
        name_offset, flags, first, second = struct.unpack(">IHII", node[:14])
        name = f"{folder}{_name(opened, name_offset)}" if number else ""
        if len(name) > LONGEST_NAME:
            raise opened.fault(f"a name has more than {LONGEST_NAME} characters")
        if flags & ~(ZLIB | FOLDER | ZSTANDARD) or flags.bit_count() > 1 or not (number or flags & FOLDER):
            raise opened.fault(f"node {number} of its tree has the flags {flags}")
        if not flags & FOLDER:
            yield name, Resource(flags, opened.data + second, first)
            continue
        seen += first
        if seen > MOST_NODES:
            raise opened.fault(f"its tree has more than {MOST_NODES} nodes")
        inside = f"{name}/" if number else ""
        waiting.extend((child, inside) for child in reversed(range(second, second + first)))


def _name(opened: _Open, offset: int) -> str:
    length, wanted = struct.unpack(">HI", opened.read(opened.names + offset, 6, "a name"))
    if length > LONGEST_NAME:
        raise opened.fault(f"a name has more than {LONGEST_NAME} characters")
    raw = opened.read(opened.names + offset + 6, 2 * length, "a name")
    try:
        name = raw.decode("utf-16-be")
    except UnicodeDecodeError:
        raise opened.fault("a name is not UTF-16") from None
    if name_hash(name) != wanted:
        raise opened.fault(f"the name {name!r} does not match its hash")
    if name in _BAD_NAMES or any(sign in name for sign in _BAD_SIGNS):
        raise opened.fault(f"the name {name!r} would lead out of its folder")
    return name


def name_hash(name: str) -> int:
    """The hash of a name, 28 bits: that of P. J. Weinberger over the UTF-16 units (Qt's `qt_hash`).

    >>> name_hash("qmldir"), name_hash("")
    (126102274, 0)
    """
    value = 0
    for (unit,) in struct.iter_unpack(">H", name.encode("utf-16-be")):
        value = (value << 4) + unit
        value = (value ^ (value & 0xF0000000) >> 23) & 0x0FFFFFFF
    return value


def _inflated(opened: _Open, data: bytes) -> bytes:
    """Undo Qt's `qCompress`: the uncompressed length in four bytes, then a zlib stream."""
    if len(data) < 4:
        raise opened.fault("compressed data have no length")
    (length,) = struct.unpack(">I", data[:4])
    return _decompressed(opened, data[4:], zlib.decompressobj(), length)


def _decompressed(opened: _Open, data: bytes, stream: Any, length: int | None) -> bytes:
    """Decompress one whole stream, of this length if it is known, and no more than the largest."""
    if (length or 0) > LARGEST_BYTES:
        raise InputError(f"{opened.path}: a file in it has {length} bytes; at most {LARGEST_BYTES} are read")
    try:
        found: bytes = stream.decompress(data, LARGEST_BYTES + 1 if length is None else length + 1)
    except Exception as error:  # zlib.error, or ZstdError, which older Pythons do not have
        raise opened.fault(f"compressed data cannot be read: {error}") from None
    if len(found) > LARGEST_BYTES:
        raise InputError(f"{opened.path}: a file in it has more than {LARGEST_BYTES} bytes; no more are read")
    if not stream.eof or stream.unused_data or len(found) != (len(found) if length is None else length):
        raise opened.fault("compressed data do not have their length")
    return found


def _zstandard(path: Path) -> Any:
    """A decompressor of Zstandard, which the standard library has from Python 3.14 on."""
    try:
        return import_module("compression.zstd").ZstdDecompressor()
    except ModuleNotFoundError:
        raise InputError(
            f"{path}: compressed by Zstandard, which Python reads from 3.14 on; use it, or make the file "
            "again by `rcc --compress-algo zlib --binary`"
        ) from None

"""Qt resource files (`.rcc`) of any content, written for tests."""

import struct
import zlib
from typing import Any

from safe_data.sources.qt_resources import FOLDER, ZLIB, name_hash

COMMON = 1  # no territory, no language


def resource_file(files: dict[str, bytes], version: int = 3, *, compressed: bool = False) -> bytes:
    """A resource file with these files; a name may have folders."""
    root: dict[str, Any] = {}
    for name, data in files.items():
        *folders, last = name.split("/")
        place = root
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = squeezed(data) if compressed else data
    return assembled(*parts(root, version, ZLIB if compressed else 0), version)


def squeezed(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + zlib.compress(data)


def parts(root: dict[str, Any], version: int, flags: int) -> tuple[list[bytes], bytes, bytes]:
    """The nodes, names and data of a tree of folders; the children of a folder follow each other."""
    names, data = b"", b""
    waiting: list[tuple[str, Any]] = [("", root)]
    nodes: list[bytes] = []
    children = 1
    while waiting:
        name, content = waiting.pop(0)
        place = 0 if not name else len(names)
        if name:
            units = name.encode("utf-16-be", "surrogatepass")
            names += struct.pack(">HI", len(units) // 2, name_hash(name)) + units
        if isinstance(content, dict):
            nodes.append(node(place, FOLDER, len(content), children, version))
            children += len(content)
            waiting.extend(content.items())
        else:
            nodes.append(node(place, flags, COMMON, len(data), version))
            data += struct.pack(">I", len(content)) + content
    return nodes, names, data


def node(name: int, flags: int, first: int, second: int, version: int = 3) -> bytes:
    return struct.pack(">IHII", name, flags, first, second) + (b"" if version == 1 else bytes(8))


def assembled(nodes: list[bytes], names: bytes, data: bytes, version: int = 3) -> bytes:
    """The header, the data, the names and the tree, in the order in which Qt writes them."""
    head = 20 if version < 3 else 24
    tree = head + len(data) + len(names)
    places = struct.pack(">4I", version, tree, head, head + len(data))
    return b"qres" + places + bytes(head - 20) + data + names + b"".join(nodes)

"""Read the tags of a TIFF's first page, without reading anything that they only point to.

A few bytes of tags can point at gigabytes, at each other, or back at themselves.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from safe_data.core.errors import MediaError

MAX_VALUES = 2**18  # numbers in a tag; a strip for each row of the highest picture are fewer

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_INTEGERS = {1: "B", 3: "H", 4: "I", 13: "I"}
_BYTES = (1, 2, 6, 7)  # types of text and of opaque bytes, which nobody takes apart
_EXIF, _GPS, _EXIF_OF_EXIF = 34665, 34853, 40965  # tags that point to further tags


@dataclass(frozen=True)
class Tag:
    """A tag: its type, the number of its values, and where they are in the file."""

    kind: int
    count: int
    offset: int

    @property
    def size(self) -> int:
        return self.count * _SIZES.get(self.kind, 0)


@dataclass(frozen=True)
class Tags:
    """The tags of a page."""

    file: BinaryIO
    order: str  # "<" or ">"
    tags: dict[int, Tag]

    def numbers(self, name: int) -> Sequence[int]:
        """The values of a tag; none if it is not there or holds no whole numbers.

        Raises:
            MediaError: they are too many, or the file ends before them.
        """
        tag = self.tags.get(name)
        if tag is None or tag.kind not in _INTEGERS:
            return ()
        if tag.count > MAX_VALUES:
            raise MediaError(f"damaged picture: TIFF tag {name} has {tag.count} values")
        self.file.seek(tag.offset)
        values = self.file.read(tag.size)
        if len(values) < tag.size:
            raise MediaError(f"truncated picture: TIFF tag {name} lies beyond the end of the file")
        return struct.unpack(f"{self.order}{tag.count}{_INTEGERS[tag.kind]}", values)

    def number(self, name: int, default: int | None = None) -> int:
        """The first value of a tag.

        Raises:
            KeyError: it is not there, and has no default.
        """
        values = self.numbers(name)
        if not values and default is None:
            raise KeyError(name)
        return values[0] if values else default or 0


def first_directory(file: BinaryIO) -> Tags:
    """Read the tags of the first page; further pages are not looked at.

    Raises:
        MediaError: the file ends before them.

    Source: TIFF 6.0, section 2 (header, image file directory).
    """
    file.seek(0)
    head = file.read(8)
    order = "<" if head[:2] == b"II" else ">"
    return directory_at(file, order, struct.unpack(f"{order}I", head[4:])[0])


def directory_at(file: BinaryIO, order: str, offset: int) -> Tags:
    """Read a directory of tags.

    Raises:
        MediaError: the file ends before it.
    """
    file.seek(offset)
    count = file.read(2)
    entries = file.read(12 * struct.unpack(f"{order}H", count)[0]) if len(count) == 2 else b""
    if not entries or len(entries) % 12:
        raise MediaError("truncated picture: the tags of a TIFF lie beyond the end of the file")
    tags: dict[int, Tag] = {}
    for number, (name, kind, values) in enumerate(struct.iter_unpack(f"{order}HHI4x", entries)):
        inline = offset + 2 + 12 * number + 8
        tag = Tag(kind, values, inline)
        if tag.size > 4:
            tag = Tag(kind, values, struct.unpack_from(f"{order}I", entries, 12 * number + 8)[0])
        tags.setdefault(name, tag)
    return Tags(file, order, tags)


def check_tags(page: Tags, size: int) -> None:
    """Check that the tags of a page and its EXIF lie in a file of `size` bytes and do not share bytes.

    Raises:
        MediaError: they do not.
    """
    tables = [page]
    for name in (_EXIF, _GPS, _EXIF_OF_EXIF):
        of = tables[1] if name == _EXIF_OF_EXIF and len(tables) > 1 else page
        if of.numbers(name):
            tables.append(directory_at(page.file, page.order, of.number(name)))
    used = 0
    for table in tables:
        for name, tag in table.tags.items():
            if tag.offset + tag.size > size:
                raise MediaError(f"truncated picture: TIFF tag {name} lies beyond the end of the file")
            if tag.kind not in _BYTES and tag.count > MAX_VALUES:
                raise MediaError(f"damaged picture: TIFF tag {name} has {tag.count} values")
            used += tag.size
    if used > size:
        raise MediaError(f"damaged picture: its TIFF tags promise {used} bytes in a file of {size}")

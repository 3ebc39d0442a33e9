"""SSTable: the sorted keys and values of a table file of LevelDB, as TensorFlow writes its indexes."""

from collections.abc import Iterator
from pathlib import Path

from safe_data.core.errors import InputError
from safe_data.encoders.crc32c import masked_crc32c

FOOTER_BYTES = 48  # two handles of at most 20 bytes each, filled up, and the magic number
MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
TRAILER_BYTES = 5  # of a block: how it is compressed, and the checksum of all before
UNCOMPRESSED, SNAPPY = 0, 1

# An index of a model of a thousand layers takes less than one megabyte.
MOST_BYTES = 2**24
MOST_ENTRIES = 100_000
LONGEST_KEY = 1024


def read_sstable(path: Path) -> dict[bytes, bytes]:
    """All keys with their values, in their order; every checksum is verified.

    The format: blocks of entries, then a block that says where each of them is, then the footer. An entry
    says how many bytes its key shares with the one before. Filters and the list of restarts inside a block
    only help a search, and are not read.

    **Source:** LevelDB, doc/table_format.md and table/block_builder.cc.

    Raises:
        InputError: it is no table, a part is cut off or damaged, its blocks are compressed, or it is larger
            than the index of any model.
    """
    content = _content(path)
    try:
        return _table(content)
    except DamagedError as error:
        raise InputError(f"{path}: {error}; fetch the file again") from error


class DamagedError(ValueError):
    """What is wrong with a file; its reader says which file it is, and what to do."""


class ByteReader:
    """Numbers and bytes one after the other; nothing is read beyond the end."""

    def __init__(self, content: bytes) -> None:
        self._content, self._place = content, 0

    @property
    def is_at_end(self) -> bool:
        return self._place >= len(self._content)

    def take(self, count: int) -> bytes:
        """The next bytes.

        Raises:
            DamagedError: there are fewer.
        """
        taken = self._content[self._place : self._place + count]
        if len(taken) < count:
            raise DamagedError("is cut off or damaged: a part is longer than what it is a part of")
        self._place += count
        return taken

    def varint(self) -> int:
        """A number of at most 64 bits, seven of them in a byte, the lowest first.

        Raises:
            DamagedError: it has no end, or more bits.
        """
        value = 0
        for shift in range(0, 70, 7):
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            if byte < 0x80 and value < 2**64:
                return value
        raise DamagedError("is damaged: a number in it has more than 64 bits")


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise InputError(f"{path}: is no index of a model: it has more than {MOST_BYTES >> 20} MiB")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); give a folder that holds it") from error


def _table(content: bytes) -> dict[bytes, bytes]:
    if len(content) < FOOTER_BYTES or content[-len(MAGIC) :] != MAGIC:
        raise DamagedError("is no table of LevelDB, or cut off: it does not end in its magic number")
    footer = ByteReader(content[-FOOTER_BYTES:])
    _, _, start, size = (footer.varint() for _ in range(4))  # the first two find filters
    blocks = _block(content, start, size)
    table: dict[bytes, bytes] = {}
    last, end = b"", 0
    for _, handle in _entries(blocks):
        reader = ByteReader(handle)
        start, size = reader.varint(), reader.varint()
        if start < end:  # else a small file could make us read one block again and again
            raise DamagedError("is damaged: its blocks overlap")
        end = start + size
        for key, value in _entries(_block(content, start, size)):
            if table and key <= last:
                raise DamagedError("is damaged: its keys are not in order")
            table[key], last = value, key
            if len(table) > MOST_ENTRIES:
                raise DamagedError(f"is no index of a model: it has more than {MOST_ENTRIES:,} keys")
    return table


def _block(content: bytes, start: int, size: int) -> bytes:
    """The entries of a block, without its list of restarts and its trailer."""
    end = start + size
    if end + TRAILER_BYTES > len(content) - FOOTER_BYTES:
        raise DamagedError("is cut off or damaged: a block lies beyond the end")
    kind = content[end]
    if kind != UNCOMPRESSED:
        name = "snappy" if kind == SNAPPY else f"method {kind}"
        raise DamagedError(f"has blocks that are compressed by {name}, and only uncompressed ones are read")
    if masked_crc32c(content[start : end + 1]) != int.from_bytes(content[end + 1 : end + 5], "little"):
        raise DamagedError("is damaged: the checksum of a block is wrong")
    block = content[start:end]
    restarts = int.from_bytes(block[-4:], "little")
    if size < 4 or 4 * (restarts + 1) > size:
        raise DamagedError("is damaged: the list of restarts is longer than its block")
    return block[: size - 4 * (restarts + 1)]


def _entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    reader, key = ByteReader(block), b""
    while not reader.is_at_end:
        shared, own, size = reader.varint(), reader.varint(), reader.varint()
        if shared > len(key):
            raise DamagedError("is damaged: a key shares more than the key before has")
        if shared + own > LONGEST_KEY:
            raise DamagedError(f"is no index of a model: a key has more than {LONGEST_KEY} bytes")
        key = key[:shared] + reader.take(own)
        yield key, reader.take(size)

"""CRC-16 with the polynomial 0x8005, as FLAC (most significant bit first) and MP3 (both ways) use it.

The checksum is linear: that of two halves is the checksum of the first, shifted by the length of the second,
plus that of the second. So a long message is folded in half again and again, with a table for each shift.
"""

from functools import cache

import numpy as np
from jaxtyping import UInt8, UInt16, UInt32
from numpy import ndarray

REFLECT = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))  # each byte with its bits reversed

_POLYNOMIAL = 0x8005


def crc16(data: bytes | memoryview, before: int = 0) -> int:
    """The checksum of data, most significant bit first; `before` is that of what precedes it."""
    if len(data) < 2:
        return _byte_more(before, data[0]) if data else before
    words = np.frombuffer(bytes(data[:2]), ">u2") ^ np.uint16(before)
    even = len(data) - len(data) % 2
    words = np.concatenate([words, np.frombuffer(data[2:even], ">u2")]).astype(np.uint16)
    level = 0
    while len(words) > 1:
        if len(words) % 2:  # a zero in front changes nothing
            words = np.concatenate([np.zeros(1, np.uint16), words])
        words = _shifted(level)[words[0::2]] ^ words[1::2]
        level += 1
    checksum = int(_shifted(0)[words[0]])
    return _byte_more(checksum, data[-1]) if even < len(data) else checksum


def crc16_reflected(data: bytes, before: int = 0) -> int:
    """The checksum of data, least significant bit first, as in the tag of LAME."""
    return reflected(crc16(data.translate(REFLECT), reflected(before)))


def reflected(checksum: int) -> int:
    """A checksum with its 16 bits reversed."""
    return int.from_bytes(checksum.to_bytes(2).translate(REFLECT), "little")


def crc16_rows(rows: UInt8[ndarray, "rows bytes"], before: int) -> UInt16[ndarray, " rows"]:
    """The checksums of many short messages of equal length, all after the same beginning."""
    table = np.array([_byte_more(0, byte) for byte in range(256)], np.uint16)
    checksums = np.full(len(rows), before, np.uint16)
    for column in range(rows.shape[1]):
        checksums = (checksums << 8) ^ table[(checksums >> 8) ^ rows[:, column]]
    return checksums


@cache
def _shifted(level: int) -> UInt16[ndarray, " 65536"]:
    """Each 16-bit polynomial times x to the power of 16 · 2**level, modulo the generator."""
    if level:
        half = _shifted(level - 1)
        twice: UInt16[ndarray, " 65536"] = half[half]
        return twice
    table: UInt32[ndarray, " 65536"] = np.arange(2**16, dtype=np.uint32)
    for _ in range(16):
        table = table * np.uint32(2) ^ (table >> 15) * np.uint32(0x10000 | _POLYNOMIAL)
    return table.astype(np.uint16)


def _byte_more(checksum: int, byte: int) -> int:
    checksum ^= byte << 8
    for _ in range(8):
        checksum = (checksum << 1) ^ (0x10000 | _POLYNOMIAL if checksum & 0x8000 else 0)
    return checksum

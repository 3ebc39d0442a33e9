"""crc32c: the checksum of TensorFlow's and LevelDB's files, by NumPy alone."""

import math
from functools import cache

import numpy as np
from jaxtyping import UInt32
from numpy import ndarray

_POLYNOMIAL = 0x82F63B78  # Castagnoli's, its bits in reverse
_MASK_DELTA = 0xA282EAD8


def crc32c(content: bytes) -> int:
    """The CRC-32C of some bytes.

    The bytes are cut into rows of equal length. All rows advance together, a byte at a time, each from state
    0; rows of nothing but zeros before the first byte change nothing. The state of two rows in turn is that
    of the first, moved on by as many zero bytes as the second is long, XOR that of the second.

    **Source:** RFC 3720, appendix B.4; Castagnoli et al. 1993.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    if len(content) < 4:
        return _short(content)
    rows = 1 << max(0, math.isqrt(len(content)).bit_length() - 1)
    length = -(-len(content) // rows)
    padded = np.zeros(rows * length, np.uint8)
    padded[len(padded) - len(content) :] = np.frombuffer(content, np.uint8)
    first = len(padded) - len(content)
    padded[first : first + 4] ^= 0xFF  # as if all bits of the state were set before the first byte
    columns = np.zeros((length, rows + 32), np.uint8)
    columns[:, :rows] = padded.reshape(rows, length).T
    # The last 32 states are the single bits: they learn what `length` zero bytes make of each.
    states = np.concatenate([np.zeros(rows, np.uint32), np.uint32(1) << np.arange(32, dtype=np.uint32)])
    table = _table()
    for column in columns:
        states = (states >> 8) ^ table[(states ^ column) & 0xFF]
    states, moved = states[:rows], states[rows:]
    while len(states) > 1:
        states = _move(states[0::2], moved) ^ states[1::2]
        moved = _move(moved, moved)
    return int(states[0]) ^ 0xFFFFFFFF


def masked_crc32c(content: bytes) -> int:
    """The CRC-32C of some bytes as LevelDB stores it: rotated, plus a constant.

    A checksum over bytes that hold their own checksum would be of little use.

    >>> hex(masked_crc32c(b"123456789"))
    '0xc78ab0e5'
    """
    crc = crc32c(content)
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def _short(content: bytes) -> int:
    table, state = _table(), 0xFFFFFFFF
    for byte in content:
        state = (state >> 8) ^ int(table[(state ^ byte) & 0xFF])
    return state ^ 0xFFFFFFFF


def _move(states: UInt32[ndarray, " n"], moved: UInt32[ndarray, " 32"]) -> UInt32[ndarray, " n"]:
    """The states after the zero bytes that `moved` stands for; the state is linear in its bits."""
    result = np.zeros_like(states)
    for bit, effect in enumerate(moved):
        result ^= ((states >> bit) & 1) * effect
    return result


@cache
def _table() -> UInt32[ndarray, " 256"]:
    """What one byte, a zero, makes of each of the 256 lowest states."""
    states: UInt32[ndarray, " 256"] = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        states = (states >> 1) ^ (states & 1) * np.uint32(_POLYNOMIAL)
    return states

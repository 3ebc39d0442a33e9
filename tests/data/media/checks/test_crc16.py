"""CRC-16, folded in halves, is that of the definition."""

import numpy as np
import pytest
from broken_sounds import crc16_bit_by_bit
from hypothesis import given
from hypothesis import strategies as st

from safe_data.media.checks.crc16 import crc16, crc16_reflected, crc16_rows


@pytest.mark.parametrize(("reflected", "checksum"), [(False, 0xFEE8), (True, 0xBB3D)])
def test_the_check_value_of_the_catalogue(reflected: bool, checksum: int) -> None:
    """CRC-16/UMTS (also BUYPASS) and CRC-16/ARC of the digits 1 to 9."""
    assert (crc16_reflected if reflected else crc16)(b"123456789") == checksum
    assert crc16_bit_by_bit(b"123456789", reflected=reflected) == checksum


@given(data=st.binary(max_size=200), cut=st.integers(0, 200), before=st.integers(0, 0xFFFF))
def test_any_message_in_any_two_parts(data: bytes, cut: int, before: int) -> None:
    assert crc16(data, before) == crc16_bit_by_bit(data, before)
    assert crc16(data[cut:], crc16(data[:cut], before)) == crc16(data, before)
    assert crc16_reflected(data[cut:], crc16_reflected(data[:cut])) == crc16_reflected(data)


@pytest.mark.parametrize("length", [1, 2, 19, 34])
def test_many_short_messages_at_once(length: int) -> None:
    rows = np.random.default_rng(length).integers(0, 256, (5, length)).astype(np.uint8)
    expected = [crc16_bit_by_bit(row.tobytes(), 0xFFFF) for row in rows]
    assert crc16_rows(rows, 0xFFFF).tolist() == expected

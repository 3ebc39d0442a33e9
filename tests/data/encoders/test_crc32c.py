"""crc32c against the examples of its standard, and against one bit after the other."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from safe_data.encoders.crc32c import crc32c, masked_crc32c


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", 0),
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_it_gives_the_examples_of_rfc_3720(content: bytes, expected: int) -> None:
    assert crc32c(content) == expected


@given(st.binary(max_size=300))
@example(b"\0\0\0\0\1")
def test_it_equals_a_division_bit_by_bit(content: bytes) -> None:
    state = 0xFFFFFFFF
    for byte in content:
        state ^= byte
        for _ in range(8):
            state = (state >> 1) ^ (0x82F63B78 if state & 1 else 0)
    assert crc32c(content) == state ^ 0xFFFFFFFF


def test_the_mask_can_be_taken_off() -> None:
    unrotated = (masked_crc32c(b"SAFE") - 0xA282EAD8) % 2**32
    assert ((unrotated << 15) | (unrotated >> 17)) % 2**32 == crc32c(b"SAFE")

"""Header: what the first four bytes of an MP3 frame say.

Source: ISO/IEC 11172-3, section 2.4.2.3, and 13818-3, section 2.4.2.3; MPEG 2.5 halves the rates once more.
"""

from dataclasses import dataclass

_BITRATES = {  # kbit/s by (MPEG 1, layer) and index
    (True, 1): (0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_RATES = (44_100, 48_000, 32_000)


@dataclass(frozen=True)
class Header:
    """A frame header; `kind` has what must be equal in all frames of a file."""

    kind: tuple[int, int, int, int, bool]  # version, layer, protection, rate, one channel
    frame_bytes: int  # 0 if the bitrate is free
    frames: int  # samples a channel
    side_bytes: int  # of layer III


def header_of(data: bytes) -> Header | None:
    """The frame header in four bytes; None if they are none."""
    if len(data) < 4 or data[0] != 0xFF or data[1] & 0xE0 != 0xE0:
        return None
    version, layer = data[1] >> 3 & 3, 4 - (data[1] >> 1 & 3)
    rate_code, bitrate_code, padding = data[2] >> 2 & 3, data[2] >> 4, data[2] >> 1 & 1
    if version == 1 or layer == 4 or rate_code == 3 or bitrate_code == 15 or data[3] & 3 == 2:
        return None
    first = version == 3
    rate = _RATES[rate_code] >> (0 if first else 1 if version == 2 else 2)
    bitrate = _BITRATES[first, layer][bitrate_code] * 1000
    one = data[3] >> 6 == 3
    frames = 384 if layer == 1 else 1152 if layer == 2 or first else 576
    size = (12 * bitrate // rate + padding) * 4 if layer == 1 else frames // 8 * bitrate // rate + padding
    side = (17 if one else 32) if first else (9 if one else 17)
    return Header((version, layer, data[1] & 1, rate, one), size if bitrate else 0, frames, side)

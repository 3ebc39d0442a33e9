"""Check the frames in a block of Matroska: FFmpeg drops a block that is not well-formed, without an error."""

from safe_data.media.checks.extents import damaged

XIPH, FIXED, EBML = 0x02, 0x04, 0x06


def check_laced(block: bytes, lacing: int, at: int) -> None:
    """Refuse a block whose frames do not fit into it, or are not of equal size where they should be.

    Source: RFC 9559, section 10.3: the sizes of all frames but the last.

    Raises:
        MediaError: the frames do not fit into the block.
    """
    body = block[9 - block[0].bit_length() + 3 :]  # after the track, the time and the flags
    count, rest = (body[0], body[1:]) if body else (0, b"")
    if lacing == FIXED:
        fits = len(rest) % (count + 1) == 0 and bool(rest)
    else:
        used, sizes = (_xiph if lacing == XIPH else _ebml)(rest, count)
        fits = len(sizes) == count and min(sizes, default=0) >= 0 and used + sum(sizes) < len(rest)
    if not fits:
        raise damaged("video", "a block whose frames do not fit", at)


def _xiph(data: bytes, count: int) -> tuple[int, list[int]]:
    """The bytes that the sizes take, and the sizes: each is a sum of bytes, the last of them under 255."""
    sizes: list[int] = []
    size = at = 0
    while len(sizes) < count and at < len(data):
        size += data[at]
        if data[at] < 255:
            sizes.append(size)
            size = 0
        at += 1
    return at, sizes


def _ebml(data: bytes, count: int) -> tuple[int, list[int]]:
    """The same where the first size is a number of EBML, and the others are differences."""
    sizes: list[int] = []
    at = 0
    while len(sizes) < count and at < len(data):
        width = 9 - data[at].bit_length()
        value = int.from_bytes(data[at : at + width]) & ((1 << 7 * width) - 1)
        previous = sizes[-1] if sizes else 0
        middle = (1 << 7 * width - 1) - 1 if sizes else 0
        sizes.append(previous + value - middle)
        at += width
    return at, sizes


def check_opus(head: bytes, size: int, at: int) -> None:
    """Refuse a packet of Opus whose first byte promises frames that it cannot hold.

    Source: RFC 6716, sections 3.1, 3.2.3 and 3.2.5: the number of frames, and requirements R3 to R6.

    Raises:
        MediaError: the packet is not well-formed.
    """
    code = head[0] & 3 if head else 0
    fits = size > 0
    if code == 1:
        fits = size % 2 == 1
    elif code == 2:
        fits = size > 1
    elif code == 3:
        count = head[1] & 63 if len(head) > 1 else 0
        fits = 0 < count * _opus_milliseconds(head[0] >> 3) <= 120
    if not fits:
        raise damaged("video", "a packet of Opus whose frames do not fit", at)


def _opus_milliseconds(configuration: int) -> float:
    """The length of a frame: of SILK, of both, or of CELT."""
    if configuration < 12:
        return (10, 20, 40, 60)[configuration % 4]
    return (10, 20)[configuration % 2] if configuration < 16 else (2.5, 5, 10, 20)[configuration % 4]

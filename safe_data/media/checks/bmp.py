"""Check that a BMP is whole: its sizes against each other and against the file.

BMP has no checksums, so that a changed pixel cannot be found.
"""

import struct

from safe_data.core.errors import MediaError

MAX_RUN_BYTES = 2**22  # of run lengths, which Pillow decodes in Python

_CORE, _LATEST = 12, 124
_HEADERS = (_CORE, 40, 52, 56, 64, 108, _LATEST)
_RUNS = (1, 2)
_BITS = {0: (1, 4, 8, 16, 24, 32), 1: (8,), 2: (4,), 3: (16, 32)}  # of each compression: none, runs, masks
_SPARE = 3  # bytes that fill up the file
_END_OF_RUNS = b"\0\x01"


def check_bmp(data: bytes) -> None:
    """Check the header of a BMP, and that its pixels fill the rest of the file.

    The size that the header promises is not compared: many programs write a wrong one.

    Raises:
        MediaError: it is damaged, truncated, or compressed in an unknown way.

    Source: Microsoft, "Bitmap Storage" (Win32): BITMAPFILEHEADER, BITMAPV5HEADER, "Bitmap Compression".
    """
    offset, header = struct.unpack_from("<II", data, 10)
    if header not in _HEADERS or 14 + header > len(data):
        raise MediaError("damaged picture: the header of a BMP makes no sense")
    if header == _CORE:
        width, height, planes, bits = struct.unpack_from("<HHHH", data, 18)
        compression = colours = 0
    else:
        width, height, planes, bits, compression = struct.unpack_from("<iiHHI", data, 18)
        (colours,) = struct.unpack_from("<I", data, 46)
    if compression not in _BITS:
        raise MediaError(
            f"unknown picture format: BMP with compression {compression}; use none or run lengths"
        )
    if planes != 1 or bits not in _BITS[compression]:
        raise MediaError(f"damaged picture: a BMP of {planes} planes and {bits} bits")
    if colours > 256 or offset < 14 + header + (4 * colours if bits <= 8 else 0):
        raise MediaError("damaged picture: the pixels of a BMP begin in its header")
    if compression in _RUNS:
        _check_runs(data, offset)
        return
    size = (width * bits + 31) // 32 * 4 * abs(height)
    found = _end(data, header) - offset
    if found < size:
        raise MediaError(f"truncated picture: {size} bytes of pixels expected, {max(0, found)} are there")
    if found - size > _SPARE:
        raise MediaError(f"damaged picture: {size} bytes of pixels expected, {found} found")


def _end(data: bytes, header: int) -> int:
    """Where the pixels may end: at the end of the file, or before the colour profile of the newest header."""
    if header != _LATEST:
        return len(data)
    start, size = struct.unpack_from("<II", data, 14 + 112)
    if size and 14 + start + size > len(data):
        raise MediaError("truncated picture: the colour profile of a BMP lies beyond the end of the file")
    return 14 + start if size and 14 + start + size >= len(data) - _SPARE else len(data)


def _check_runs(data: bytes, offset: int) -> None:
    """Check that run lengths end with the code for the end of the picture."""
    size = len(data) - offset
    if size > MAX_RUN_BYTES:
        raise MediaError(f"picture too large: {size} bytes of run lengths, of {MAX_RUN_BYTES}")
    if not data[offset:].rstrip(b"\0").endswith(_END_OF_RUNS):
        raise MediaError("truncated picture: the run lengths of a BMP do not end")

"""Check that a JPEG is whole, as far as that can be known: it has no checksums.

libjpeg only warns of a damaged picture and fills it up, and Pillow does not pass these warnings on. So the
segments, scans and restart markers are checked here. What follows each scan is known as well:

- Of a sequential picture in one scan, whether its decoder needs exactly the bytes that are there. It reads
  them from a `ScanFile`, which sees how many it asks for. This costs nothing and finds what libjpeg warns of.
- A progressive picture is also decoded by FFmpeg, which is strict.

A change of bits that leaves the number of coded blocks as it is cannot be found by anyone.
"""

import io
import re
from dataclasses import dataclass, field
from itertools import islice

from safe_data.core.errors import MediaError
from safe_data.media.picture_head import SECOND_OPINION_PIXELS

MAX_SEGMENTS = 2**16
MAX_SCANS = 128  # a progressive picture has about ten; each can take as long as decoding a whole picture
MAX_EXIF_BYTES = 2**22

_SEQUENTIAL = (0xC0, 0xC1)
_HUFFMAN = (0xC0, 0xC1, 0xC2)
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEGMENTS = _FRAMES | {0xC4, 0xCC, 0xDB, 0xDC, 0xDD, 0xFE} | set(range(0xE0, 0xF0))
_PROGRESSIVE, _EXIF, _SCAN, _RESTARTS, _END = 0xC2, 0xE1, 0xDA, 0xDD, 0xD9
_NOTES = frozenset(range(0xE0, 0xF0)) | {0xFE}
_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_RESTART = re.compile(rb"\xff([\xd0-\xd7])")
_LOOKAHEAD = 8  # bytes that libjpeg wants to see after the last one it needs
_FILL = 64  # zeros at most that fill up a scan
_SPARE = 2  # bytes that some encoders leave after the last one that is needed


@dataclass
class Frame:
    """What the segments of a JPEG say: its frame, restart interval and scans."""

    kind: int = 0
    width: int = 0
    height: int = 0
    sides: dict[int, tuple[int, int]] = field(default_factory=dict)  # sampling of each component
    interval: int = 0
    exif_bytes: int = 0
    notes: list[tuple[int, int]] = field(default_factory=list)  # segments that change no pixel
    scans: list[tuple[int, int]] = field(default_factory=list)  # where its coded data starts and ends
    shown: set[int] = field(default_factory=set)  # components that a scan has begun
    open_bits: set[tuple[int, int]] = field(default_factory=set)  # (component, coefficient) to be refined

    @property
    def is_one_scan(self) -> bool:
        return self.kind in _SEQUENTIAL and len(self.scans) == 1


class ScanFile(io.BytesIO):
    """A JPEG with one scan, which sees whether the decoder needs all of the scan and nothing else.

    The last bytes of the scan are kept back until the decoder asks for more, and zeros follow them, which is
    what libjpeg itself uses beyond the end.
    """

    def __init__(self, data: bytes, scan: tuple[int, int]) -> None:
        super().__init__(data)
        start, self.end = scan
        used = self.end
        while used > max(start, self.end - _FILL) and not data[used - 1]:
            used -= 1  # zeros may fill up the scan
        self.kept = max(start, used - _SPARE - 1)
        self.asked = 0

    def read(self, size: int | None = -1) -> bytes:
        at = self.tell()
        if at < self.kept:
            wanted = self.kept - at
            return super().read(wanted if size is None or size < 0 else min(size, wanted))
        self.asked += 1
        if self.asked > 1:
            raise MediaError("damaged picture: its JPEG data ends before its last row")
        return super().read(self.end - at) + bytes(_LOOKAHEAD)

    def check_all_read(self) -> None:
        """Check that the decoder needed the last bytes.

        Raises:
            MediaError: it finished without them.
        """
        if not self.asked:
            raise MediaError("damaged picture: JPEG data is left over after its last row")


def check_jpeg(data: bytes) -> Frame:
    """Check the segments and scans of a JPEG, from its start to its end marker; what follows is ignored.

    Raises:
        MediaError: it is damaged or truncated.

    Source: ITU-T T.81, annex B (segments), A.2 (blocks of a scan), E.1.4 (restarts), G.1.1.1 (refinement).
    """
    frame = Frame()
    at = 2
    for _ in range(MAX_SEGMENTS):
        at, marker = _marker(data, at)
        if marker == _END:
            _check_complete(frame)
            return frame
        body, end = _segment(data, at, marker)
        if marker in _FRAMES:
            _read_frame(frame, marker, body)
        elif marker == _RESTARTS:
            frame.interval = int.from_bytes(body[:2])
        elif marker == _EXIF and body.startswith(b"Exif\0\0"):
            frame.exif_bytes += len(body)
        elif marker == _SCAN:
            end = _read_scan(frame, data, body, end)
        if marker in _NOTES:
            frame.notes.append((at - 2, end))
        at = end
    raise MediaError(f"picture too large: more than {MAX_SEGMENTS} segments")


def _marker(data: bytes, at: int) -> tuple[int, int]:
    """Where a segment's length is, and its marker; any number of 0xFF may come before it."""
    if at >= len(data):
        raise MediaError("truncated picture: a JPEG without its end")
    start = at
    while data[at : at + 1] == b"\xff" and at - start < 2**16:
        at += 1
    if at == start:
        raise MediaError(f"damaged picture: no JPEG segment where one should start, at byte {at}")
    if at >= len(data):
        raise MediaError("truncated picture: a JPEG without its end")
    return at + 1, data[at]


def _segment(data: bytes, at: int, marker: int) -> tuple[bytes, int]:
    if marker not in _SEGMENTS and marker != _SCAN:
        raise MediaError(f"damaged picture: an unknown JPEG marker, 0x{marker:02X}, at byte {at - 2}")
    length = int.from_bytes(data[at : at + 2])
    if length < 2:
        raise MediaError(f"damaged picture: a JPEG segment without a length, at byte {at - 2}")
    if at + length > len(data):
        raise MediaError(f"truncated picture: a segment promises {length} bytes, {len(data) - at} are there")
    return data[at + 2 : at + length], at + length


def _read_frame(frame: Frame, marker: int, body: bytes) -> None:
    if frame.kind or len(body) < 6 or len(body) != 6 + 3 * body[5]:
        raise MediaError("damaged picture: the frame header of a JPEG makes no sense")
    frame.kind = marker
    frame.height, frame.width = int.from_bytes(body[1:3]), int.from_bytes(body[3:5])
    for part in range(6, len(body), 3):
        side = (body[part + 1] >> 4, body[part + 1] & 15)
        if not (1 <= side[0] <= 4 and 1 <= side[1] <= 4):
            raise MediaError("damaged picture: the sampling of a JPEG makes no sense")
        frame.sides[body[part]] = side


def _read_scan(frame: Frame, data: bytes, body: bytes, start: int) -> int:
    """Note what a scan brings, check its restart markers, and return where it ends."""
    count = body[0] if body else 0
    names = list(body[1 : 1 + 2 * count : 2])
    if not names or len(body) != 4 + 2 * count or not set(names) <= set(frame.sides):
        raise MediaError("damaged picture: the scan header of a JPEG makes no sense")
    frame.shown.update(names)
    if frame.kind == _PROGRESSIVE:
        first, last, low = body[-3], body[-2], body[-1] & 15
        coefficients = {(name, place) for name in names for place in range(first, min(last, 63) + 1)}
        frame.open_bits = frame.open_bits | coefficients if low else frame.open_bits - coefficients
    found = _MARKER.search(data, start)
    if found is None:
        raise MediaError("truncated picture: a JPEG without its end")
    end = found.start()
    while end > start and data[end - 1] == 0xFF:
        end -= 1
    if frame.kind in _HUFFMAN:
        _check_restarts(frame, names, memoryview(data)[start:end])
    frame.scans.append((start, end))
    if len(frame.scans) > MAX_SCANS:
        raise MediaError(f"picture too large: more than {MAX_SCANS} scans")
    return end


def _check_restarts(frame: Frame, names: list[int], scan: memoryview) -> None:
    """Check that restart markers have the right order and number; some encoders add one at the end."""
    expected = 0
    if frame.interval:
        expected = (_blocks(frame, names) - 1) // frame.interval
    found = b"".join(match[1] for match in islice(_RESTART.finditer(scan), expected + 2))
    right = bytes(range(0xD0, 0xD8)) * (len(found) // 8 + 1)
    if len(found) - expected not in ((0, 1) if frame.interval else (0,)) or found != right[: len(found)]:
        raise MediaError("damaged picture: the restart markers of a JPEG are not those that should be there")


def _blocks(frame: Frame, names: list[int]) -> int:
    """The number of coded units in a scan: blocks of one component, or groups of blocks of several."""
    across = max(side[0] for side in frame.sides.values())
    down = max(side[1] for side in frame.sides.values())
    if len(names) > 1:
        return -(-frame.width // (8 * across)) * -(-frame.height // (8 * down))
    horizontal, vertical = frame.sides[names[0]]
    width, height = -(-frame.width * horizontal // across), -(-frame.height * vertical // down)
    return -(-width // 8) * -(-height // 8)


def _check_complete(frame: Frame) -> None:
    if not frame.scans or frame.shown != set(frame.sides):
        raise MediaError("truncated picture: a JPEG that ends before all its colours are there")
    if frame.open_bits:
        raise MediaError("truncated picture: a progressive JPEG that ends before its last scan")
    if frame.exif_bytes > MAX_EXIF_BYTES:
        raise MediaError(f"picture too large: its EXIF has {frame.exif_bytes} bytes of {MAX_EXIF_BYTES}")


def check_progressive(data: bytes, frame: Frame) -> None:
    """Let FFmpeg decode a progressive JPEG, in grey or in three colours; it is strict, and libjpeg is not.

    Raises:
        MediaError: FFmpeg finds its data invalid.
    """
    pixels = frame.width * frame.height
    is_known = frame.kind == _PROGRESSIVE and len(frame.sides) in (1, 3)
    if not is_known or pixels > SECOND_OPINION_PIXELS or len(data) > 2 * pixels + 2**16:
        return
    from safe_data.media.video_streams import is_invalid_jpeg

    if is_invalid_jpeg(_without_notes(data, frame)):
        raise MediaError("damaged picture: the data of a progressive JPEG is invalid")


def _without_notes(data: bytes, frame: Frame) -> bytes:
    """The picture without its metadata, which FFmpeg would judge too."""
    starts = [0, *(end for _, end in frame.notes)]
    ends = [*(start for start, _ in frame.notes), len(data)]
    return b"".join(data[start:end] for start, end in zip(starts, ends, strict=True))


def check_strip(data: bytes) -> None:
    """Check a strip of a TIFF, which is a JPEG without its tables.

    Raises:
        MediaError: it is damaged or truncated.
    """
    if not data.startswith(b"\xff\xd8"):
        raise MediaError("damaged picture: a JPEG strip of a TIFF without its start")
    check_jpeg(data)

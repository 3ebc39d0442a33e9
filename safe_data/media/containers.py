"""Recognise a media file by its first bytes, and check that it is complete.

Decoders read a truncated file of most formats as a shorter one, and skip what is damaged, without an error.
Sounds that libsndfile reads: see `sound_file`.
"""

from typing import BinaryIO, Literal

from safe_data.media.checks.avi import check_avi
from safe_data.media.checks.extents import read_at
from safe_data.media.checks.flv import check_flv
from safe_data.media.checks.matroska import check_matroska
from safe_data.media.checks.mp4 import check_mp4
from safe_data.media.checks.mpeg_ps import check_mpeg_ps
from safe_data.media.checks.mpeg_ts import PACKET_BYTES, check_mpeg_ts, packet_stride
from safe_data.media.checks.sound_frames import check_frames, frames_of
from safe_data.media.file_kinds import HEAD_BYTES, kind_of

Container = Literal["mp4", "matroska", "mpegts", "mpeg", "flv", "avi", "ac3", "eac3", "aac"]

_CONTAINERS: dict[str, Container] = {
    "MP4": "mp4",
    "Matroska": "matroska",
    "MPEG-TS": "mpegts",
    "MPEG-PS": "mpeg",
    "FLV": "flv",
    "AVI": "avi",
}


def container_of(file: BinaryIO) -> Container | None:
    """The container, as FFmpeg names it, if PyAV must read it; else None."""
    kind = kind_of(read_at(file, 0, HEAD_BYTES))
    return _CONTAINERS.get(kind.name if kind else "") or frames_of(file)


def check_whole(file: BinaryIO, start_seconds: float = 0.0, duration_seconds: float | None = None) -> None:
    """Refuse a file that is truncated or damaged by its own structure, before it is decoded.

    Of Matroska only the structure of the clip and its surroundings is read.

    Raises:
        MediaError: the file is shorter than its header says, or its parts do not fit together.
    """
    size = file.seek(0, 2)
    container = container_of(file)
    if container == "matroska":
        check_matroska(file, size, start_seconds, duration_seconds)
    elif container == "mpegts":
        check_mpeg_ts(file, size, packet_stride(read_at(file, 0, HEAD_BYTES)) or PACKET_BYTES)
    elif container is not None:
        _CHECKS[container](file, size)
    file.seek(0)


_CHECKS = {
    "mp4": check_mp4,
    "mpeg": check_mpeg_ps,
    "flv": check_flv,
    "avi": check_avi,
    "ac3": check_frames,
    "eac3": check_frames,
    "aac": check_frames,
}

"""Open a video with PyAV so that it cannot open anything else, and put its streams on one clock.

Only this file, `video_sound` and `video_frames` load PyAV. Times are seconds from the start of the first
stream, so that the sound and the pictures of a clip are from the same moment.
"""

import ctypes
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any, BinaryIO, Literal

import av
from av.container import InputContainer
from av.stream import Discard, Stream

from safe_data.core.errors import MediaError
from safe_data.media.containers import Container
from safe_data.media.decoder_noise import ffmpeg_in_reason
from safe_data.media.picture_head import MAX_PIXELS

MAX_STREAMS = 8
MAX_BLOCK_BYTES = 2**26  # largest block of memory that a decoder or an index may allocate
MAX_STAMP = 2**62
CODECS = {
    "audio": "aac,aac_latm,ac3,alac,amrnb,amrwb,eac3,flac,mp2,mp2float,mp3,mp3float,opus,libopus,vorbis,"
    "adpcm_ima_qt,adpcm_ima_wav,adpcm_ms,adpcm_swf,pcm_alaw,pcm_bluray,pcm_dvd,pcm_f32be,pcm_f32le,pcm_f64be,"
    "pcm_f64le,pcm_mulaw,pcm_s16be,pcm_s16le,pcm_s24be,pcm_s24le,pcm_s32be,pcm_s32le,pcm_s8,pcm_u8",
    "video": "h264,hevc,vp8,vp9,libdav1d,av1,mpeg4,mpeg1video,mpeg2video,mjpeg,flv,h263",
}
OPTIONS = {
    "codec_whitelist": ",".join(CODECS.values()),
    "max_pixels": str(MAX_PIXELS),
    "max_streams": str(MAX_STREAMS),
    "protocol_whitelist": "none",  # a file cannot open another file or the network
    "threads": "1",
}
# A decoder checks the checksums of its format, and refuses what it would otherwise guess.
DECODER_OPTIONS = {"max_pixels": OPTIONS["max_pixels"], "err_detect": "crccheck+explode"}
COUNTED = ("mpeg", "ac3", "eac3", "aac", "avi")  # FFmpeg estimates when a frame begins: samples are counted,
ESTIMATED = (*COUNTED, "mpegts", "flv")  # how long they are, and where to seek to


@dataclass(frozen=True)
class Clock:
    """Convert the time stamps of a stream to seconds, and back."""

    time_base: Fraction
    origin_seconds: Fraction

    @staticmethod
    def of(video: InputContainer, stream: Stream) -> "Clock":
        time_base = Fraction(stream.time_base or 0)
        if not time_base > 0:
            raise MediaError("undecodable video: a stream without a clock")
        return Clock(time_base, Fraction(video.start_time or 0, av.time_base))

    def seconds(self, stamp: int) -> Fraction:
        return stamp * self.time_base - self.origin_seconds

    def stamp(self, seconds: float | Fraction) -> int:
        stamp = int((Fraction(seconds) + self.origin_seconds) // self.time_base)
        return max(-MAX_STAMP, min(stamp, MAX_STAMP))

    def end(self, stream: Stream) -> Fraction | None:
        """Where the stream ends by its header; None for a fragmented or live stream."""
        if not stream.duration or stream.duration < 0:
            return None
        return self.seconds((stream.start_time or 0) + stream.duration)


@contextmanager
def opened(file: BinaryIO, container: Container) -> Iterator[InputContainer]:
    """Open a video; errors of FFmpeg while it is open become MediaErrors, with what FFmpeg says of them.

    Raises:
        MediaError: FFmpeg cannot read it.
    """
    with ffmpeg_in_reason(), _opened(file, container) as video:
        yield video


@contextmanager
def _opened(file: BinaryIO, container: Container) -> Iterator[InputContainer]:
    _limit_memory()
    file.seek(0)
    try:
        with av.open(file, mode="r", format=container, options=OPTIONS, metadata_errors="replace") as video:
            yield video
    except av.FFmpegError as error:
        reason = (error.strerror or type(error).__name__).lower()
        kind = "sound" if container in ("aac", "ac3", "eac3") else "video"
        raise MediaError(f"undecodable {kind}: {reason}") from None


def best_stream(video: InputContainer, kind: Literal["audio", "video"]) -> Any:
    """The stream that a player would choose; packets of other streams are discarded.

    Raises:
        MediaError: there is no such stream, or its codec is unknown.
    """
    stream = video.streams.best(kind)
    if stream is None:
        raise MediaError("no sound: the video is silent" if kind == "audio" else "no picture: only a sound")
    codec = stream.codec_context.name if stream.codec_context else "unknown"
    if codec not in CODECS[kind].split(","):
        raise MediaError(f"unknown codec: {codec}; use one of {CODECS[kind].replace(',', ', ')}")
    for other in video.streams:
        if other.index != stream.index:
            other.discard = Discard.all
    stream.codec_context.thread_count = 1
    stream.codec_context.options = dict(DECODER_OPTIONS)
    return stream


def decoded(packets: Iterable[Any], stream: Any) -> Iterator[Any]:
    """The frames of packets of a stream.

    Raises:
        MediaError: a packet is cut off, or a frame was made up where it is damaged.
    """
    kind = "sound" if stream.type == "audio" else "video"
    for packet in packets:
        if packet.is_corrupt:
            raise MediaError(f"damaged {kind}: a packet is cut off or lost")
        for frame in packet.decode():
            if frame.is_corrupt:
                raise MediaError(f"damaged {kind}: a damaged frame")
            yield frame


def picture_size(file: BinaryIO, container: Container) -> tuple[int, int]:
    """Width and height of the pictures of a video, by its header; 0 without pictures.

    Raises:
        MediaError: FFmpeg cannot read it.
    """
    with opened(file, container) as video:
        stream: Any = video.streams.best("video")
        return (0, 0) if stream is None else (stream.width, stream.height)


def is_invalid_jpeg(data: bytes) -> bool:
    """Whether FFmpeg, which is stricter than libjpeg, finds the data of a JPEG invalid."""
    _limit_memory()
    decoder = av.CodecContext.create("mjpeg", "r")
    decoder.thread_count = 1
    decoder.options = {"err_detect": "explode", "max_pixels": OPTIONS["max_pixels"]}
    try:
        decoder.decode(av.Packet(data))
    except av.InvalidDataError:
        return True
    except (av.FFmpegError, MemoryError):  # a kind that FFmpeg does not know
        return False
    return False


@cache
def _limit_memory() -> None:
    """Limit FFmpeg's memory, once per process: a file of some kilobytes could make it index gigabytes.

    Source: `av_max_alloc` in libavutil/mem.h, which FFmpeg offers as the option -max_alloc.
    """
    if os.name == "posix":
        ctypes.CDLL(av._core.__file__).av_max_alloc(ctypes.c_size_t(MAX_BLOCK_BYTES))

"""Decode the pictures that a video shows at given times."""

import io
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import dropwhile, groupby
from typing import Any, BinaryIO

import av
import numpy as np
from av.container import InputContainer
from av.stream import Stream
from av.video.frame import VideoFrame
from av.video.reformatter import Colorspace, Interpolation
from PIL import Image

from safe_data.core.errors import MediaError
from safe_data.media.containers import Container, check_whole, container_of
from safe_data.media.formats import head_of, unread
from safe_data.media.picture_head import check_size
from safe_data.media.sound import after_the_end
from safe_data.media.video_streams import ESTIMATED, Clock, best_stream, decoded, opened

MAX_FRAMES = 3000  # decoded from a key frame to a picture: 100 s at 30 frames per second

_EXACT = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
_TURNS = {
    90: Image.Transpose.ROTATE_90,
    -90: Image.Transpose.ROTATE_270,
    180: Image.Transpose.ROTATE_180,
    -180: Image.Transpose.ROTATE_180,
}
_UNSPECIFIED = 2  # colour space: H.273, table 4
_LATENESS_SECONDS = 1.0


def video_frames(
    media: bytes | BinaryIO,
    count: int = 1,
    start_seconds: float = 0.0,
    duration_seconds: float | None = None,
) -> list[Image.Image]:
    """The picture in the middle of each of `count` equal parts of a clip; for 1, in the middle of the clip.

    Pictures are RGB, turned as the video says; pixels that are not square stay so. If the video ends
    before the clip, the clip ends there too.

    Raises:
        MediaError: it is not a video, is truncated, has no pictures, or is too large.
    """
    file = io.BytesIO(media) if isinstance(media, bytes) else media
    check_whole(file, start_seconds, duration_seconds)
    container = container_of(file)
    if container is None:
        raise unread(head_of(file), "video") or MediaError("undecodable video: its header is damaged")
    with opened(file, container) as video:
        stream = best_stream(video, "video")
        clock = Clock.of(video, stream)
        scan = _scanned(video, stream, clock) if container in ESTIMATED else None
        end = float(scan.end if scan else clock.end(stream) or _end_of_all(video, stream, clock))
        if start_seconds >= end:
            raise after_the_end(start_seconds, end, "video")
        length = min(end - start_seconds, duration_seconds or end)
        times = [start_seconds + length * (2 * part + 1) / (2 * count) for part in range(count)]
        if scan is None:
            return [_picture(frame) for frame in _frames_at(video, stream, clock, times)]
    return [_picture(frame) for frame in _frames_after(file, container, scan, times)]


@dataclass(frozen=True)
class _Scan:
    """The time stamps of the key frames, and where the last frame ends."""

    keys: list[int]
    key_seconds: list[Fraction]
    end: Fraction


def _scanned(video: InputContainer, stream: Stream, clock: Clock) -> _Scan:
    """Read all packets, without decoding any: FFmpeg only estimates where to seek to."""
    keys, end = [], 0
    for packet in video.demux(stream):
        if packet.pts is not None:
            end = max(end, packet.pts + (packet.duration or 0))
            if packet.is_keyframe:
                keys.append(packet.pts)
    return _Scan(keys, [clock.seconds(key) for key in keys], clock.seconds(end))


def _frames_after(
    file: BinaryIO, container: Container, scan: _Scan, times: Sequence[float]
) -> Iterator[VideoFrame]:
    """The frame shown at each time, from packets read in order; those before a key frame are not decoded."""
    before = [(max(0, bisect_right(scan.key_seconds, time) - 1), time) for time in times]
    for number, group in groupby(before, key=lambda number_and_time: number_and_time[0]):
        with opened(file, container) as video:
            stream = best_stream(video, "video")
            packets = _from_key(video.demux(stream), scan.keys[number] if scan.keys else None)
            shown = _shown(decoded(packets, stream), Clock.of(video, stream), [time for _, time in group])
            yield from shown


def _from_key(packets: Iterator[Any], key: int | None) -> Iterator[Any]:
    return dropwhile(lambda packet: packet.pts != key, packets)


def _end_of_all(video: InputContainer, stream: Stream, clock: Clock) -> Fraction:
    """The end of the longest stream by the header; without one there, the end of the last packet."""
    if video.duration is not None:
        return Fraction(video.duration, av.time_base)
    ends = [packet.pts + (packet.duration or 0) for packet in video.demux(stream) if packet.pts is not None]
    return clock.seconds(max(ends)) if ends else Fraction(0)


def _frames_at(
    video: InputContainer, stream: Any, clock: Clock, times: Sequence[float]
) -> Iterator[VideoFrame]:
    """The frame shown at each time; frames after the same key frame are decoded once."""
    keys = [(_key_before(video, stream, clock, time), time) for time in times]
    for key, group in groupby(keys, key=lambda key_and_time: key_and_time[0]):
        video.seek(key, stream=stream)
        yield from _shown(decoded(video.demux(stream), stream), clock, [time for _, time in group])


def _key_before(video: InputContainer, stream: Any, clock: Clock, time: float) -> int:
    """The time stamp to decode from: of a key frame no later than the time, or of the first packet."""
    stamp = 0
    for back in (0.0, 1.0, 10.0, time):  # with reordered frames a seek may land a little late
        video.seek(clock.stamp(max(0.0, time - back)), stream=stream)
        packet = next((packet for packet in video.demux(stream) if packet.pts is not None), None)
        stamp = clock.stamp(0) if packet is None or packet.pts is None else packet.pts
        if packet is not None and clock.seconds(stamp) <= time:
            break
    return stamp


def _shown(frames: Iterable[VideoFrame], clock: Clock, times: Sequence[float]) -> Iterator[VideoFrame]:
    """For each time, the last frame that is not later; the first frame if all are later."""
    waiting = list(times)
    shown: VideoFrame | None = None
    since = Fraction(0)
    for number, frame in enumerate(frames):
        if number == MAX_FRAMES:
            raise MediaError(f"undecodable video: no key frame in {MAX_FRAMES} frames")
        if frame.pts is None:
            continue
        now = clock.seconds(frame.pts)
        while shown is not None and now > waiting[0]:
            yield shown
            del waiting[0]
            if not waiting:
                return
        shown, since = frame, now
    if shown is None:
        raise MediaError("empty video: no frames")
    lasts = max(_LATENESS_SECONDS, float((shown.duration or 0) * clock.time_base))
    if waiting[-1] > float(since) + lasts:
        raise MediaError(
            f"truncated video: nothing to see at {waiting[-1]:g} s, its last frame is at {float(since):g} s"
        )
    yield from [shown] * len(waiting)


def _picture(frame: VideoFrame) -> Image.Image:
    """The frame as RGB, with the same pixels on every machine.

    Differs: swscale treats every untagged video as SD; like players, we treat 720 lines and more as HD.
    """
    check_size(frame.width, frame.height)
    untagged = frame.colorspace == _UNSPECIFIED
    space = (Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601) if untagged else None
    flags = _EXACT | Interpolation.BITEXACT
    rgb = frame.reformat(format="rgb24", src_colorspace=space, interpolation=flags, threads=1)
    picture = Image.fromarray(np.asarray(rgb.to_ndarray()))
    turn = _TURNS.get(frame.rotation)
    return picture if turn is None else picture.transpose(turn)

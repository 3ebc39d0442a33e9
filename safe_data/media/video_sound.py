"""Decode a clip of the sound of a video: start a little before it, and cut it to the sample."""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from typing import Any, BinaryIO

import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer
from jaxtyping import Float32
from numpy import ndarray

from safe_data.core.errors import MediaError
from safe_data.media.containers import Container
from safe_data.media.sound import Pcm, after_the_end, check_format, check_length, clip_frames
from safe_data.media.video_streams import Clock, best_stream, opened

# Seconds that a decoder which starts in the middle needs to catch up: Opus 80 ms, MP3 4 frames.
PREROLL = Fraction(1, 4)
SEEK_FROM_SECONDS = 1.0  # a clip that starts earlier is decoded from the start of the video
GAP_SECONDS = 0.05  # a longer gap is silence, a shorter one an imprecise time stamp
MISSING_SECONDS = 0.5  # a sound that ends this much early is truncated

Samples = Float32[ndarray, "frames channels"]
Piece = tuple[int, Samples]  # decoded samples with their place on the clock, in samples


@dataclass(frozen=True)
class _Track:
    """How to place the frames of a stream on its clock, in samples.

    `grid` is the start of its second frame, `step` the length of that frame.
    """

    clock: Clock
    rate: int
    channels: int
    grid: int
    step: int

    @staticmethod
    def of(clock: Clock, head: list[AudioFrame]) -> "_Track":
        first = head[0]
        rate, channels = first.sample_rate, first.layout.nb_channels
        check_format(rate, channels)
        grid = round(clock.seconds(first.pts or 0) * rate) + first.samples
        return _Track(clock, rate, channels, grid, max(1, head[-1].samples))

    def place(self, frame: AudioFrame) -> int | None:
        """The place of a frame's first sample; moved to the grid if time stamps are coarser than samples."""
        if frame.pts is None:
            return None
        place = round(self.clock.seconds(frame.pts) * self.rate)
        precision = self.clock.time_base * self.rate
        nearest = self.grid + self.step * round(Fraction(place - self.grid, self.step))
        return nearest if precision > 1 and abs(nearest - place) <= precision else place


def decode_track(
    file: BinaryIO, container: Container, start_seconds: float, duration_seconds: float | None
) -> Pcm:
    """Decode a clip of the sound of a video; it is silent before the sound begins and where it pauses.

    Raises:
        MediaError: the video has no sound, or the sound is truncated, too long or empty.
    """
    with opened(file, container) as video:
        stream = best_stream(video, "audio")
        clock = Clock.of(video, stream)
        head = list(islice(video.decode(stream), 2))
        if not head:
            raise MediaError("empty sound: no samples")
        track = _Track.of(clock, head)
        first, wanted = clip_frames(start_seconds, duration_seconds, track.rate)
        end = None if wanted is None else first + wanted
        promised = clock.end(stream)
        whole = None if promised is None else round(promised * track.rate)
        check_length(wanted or (whole or 0) - first, track.rate, track.channels)
        pieces, there = _decode(video, stream, track, first, end)
        if whole is not None and whole < there <= whole + 2 * track.step:
            there = whole  # the encoder padded its last frame
        if there <= first:
            raise after_the_end(start_seconds, there / track.rate)
        _check_all_there(there, whole, end, track.rate)
        samples = _join(pieces, first, there if end is None else min(there, end), track.channels)
        return Pcm(samples, track.rate, None, _bits(stream.codec_context.name, head[0].format.name))


def _decode(
    video: InputContainer, stream: Any, track: _Track, first: int, end: int | None
) -> tuple[list[Piece], int]:
    """Decode the pieces of the clip, from shortly before it if that works, or else from the start."""
    if first > SEEK_FROM_SECONDS * track.rate:
        video.seek(track.clock.stamp(Fraction(first, track.rate) - PREROLL), stream=stream)
        frames = islice(video.decode(stream), 1, None)  # the first frame is neither complete nor in place
        pieces, there = _collect(frames, track, first, end)
        if pieces and pieces[0][0] <= first:
            return pieces, there
    video.seek(track.clock.stamp(0), stream=stream)
    return _collect(video.decode(stream), track, first, end)


def _collect(
    frames: Iterable[AudioFrame], track: _Track, first: int, end: int | None
) -> tuple[list[Piece], int]:
    """Collect the frames that overlap the clip, each with its place, and where the last frame ended."""
    pieces: list[Piece] = []
    place: int | None = None
    for frame in frames:
        if (frame.sample_rate, frame.layout.nb_channels) != (track.rate, track.channels):
            raise MediaError("undecodable video: the rate or the channels of its sound change")
        stated = track.place(frame)
        if place is None or (stated is not None and abs(stated - place) > GAP_SECONDS * track.rate):
            place = stated or 0
        if end is not None and place >= end:
            return pieces, max(place, end)
        if place + frame.samples > first:
            check_length((end or place + frame.samples) - first, track.rate, track.channels)
            pieces.append((place, _samples(frame, track.channels)))
        place += frame.samples
    return pieces, place or 0


def _check_all_there(there: int, whole: int | None, end: int | None, rate: int) -> None:
    if whole is None:
        return
    expected = whole if end is None else min(whole, end)
    if expected - there > MISSING_SECONDS * rate:
        raise MediaError(
            f"truncated sound: the header promises {expected / rate:g} s, {there / rate:g} s are there"
        )


def _samples(frame: AudioFrame, channels: int) -> Samples:
    values = frame.to_ndarray()
    columns = values.T if frame.format.is_planar else values.reshape(-1, channels)
    if columns.dtype == np.uint8:
        return (columns.astype(np.float32) - 128) / np.float32(128)
    if columns.dtype.kind == "i":
        return columns.astype(np.float32) / np.float32(2 ** (8 * columns.itemsize - 1))
    return columns.astype(np.float32)


def _join(pieces: list[Piece], first: int, end: int, channels: int) -> Samples:
    joined = np.zeros((end - first, channels), np.float32)
    for place, samples in pieces:
        here, until = max(place, first), min(place + len(samples), end)
        if here < until:
            joined[here - first : until - first] = samples[here - place : until - place]
    return joined


def _bits(codec: str, sample_format: str) -> int | None:
    """The bit depth that holds the samples of a codec; None for floats."""
    if codec == "pcm_f32le":
        return None
    return 24 if sample_format.startswith("s32") else 16

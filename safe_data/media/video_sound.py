"""Decode a clip of the sound of a video: start a little before it, and cut it to the sample."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from typing import Any, BinaryIO

import numpy as np
from av.audio.frame import AudioFrame
from av.container import InputContainer
from jaxtyping import Float32
from numpy import ndarray

from safe_data.core.errors import MediaError
from safe_data.media.checks.extents import MISSING_SECONDS
from safe_data.media.containers import Container
from safe_data.media.sound import after_the_end, check_format, check_length, clip_frames
from safe_data.media.sound_stream import SoundStream, block_frames
from safe_data.media.video_streams import COUNTED, ESTIMATED, Clock, best_stream, decoded, opened

# Seconds that a decoder which starts in the middle needs to catch up: Opus 80 ms, MP3 4 frames.
PREROLL = Fraction(1, 4)
SEEK_FROM_SECONDS = 1.0  # a clip that starts earlier is decoded from the start of the video
GAP_SECONDS = 0.05  # a longer gap is silence, a shorter one an imprecise time stamp
BACK_SECONDS = 0.25  # a later frame may begin this much before the end of an earlier one, and replaces it

Samples = Float32[ndarray, "frames channels"]
Piece = tuple[int, Samples]  # decoded samples with their place on the clock, in samples


@dataclass(frozen=True)
class Track:
    """How to place the frames of a stream on its clock, in samples.

    `grid` is the start of its second frame, `step` the length of that frame.
    """

    clock: Clock
    rate: int
    channels: int
    grid: int
    step: int
    counted: bool = False  # whether its time stamps are only used for its first frame

    @staticmethod
    def of(clock: Clock, head: list[AudioFrame], counted: bool) -> "Track":
        first = head[0]
        rate, channels = first.sample_rate, first.layout.nb_channels
        check_format(rate, channels)
        grid = round(clock.seconds(first.pts or 0) * rate) + first.samples
        return Track(clock, rate, channels, grid, max(1, head[-1].samples), counted)

    def place(self, frame: AudioFrame) -> int | None:
        """The place of a frame's first sample; moved to the grid if time stamps are coarser than samples."""
        if frame.pts is None:
            return None
        place = round(self.clock.seconds(frame.pts) * self.rate)
        precision = self.clock.time_base * self.rate
        nearest = self.grid + self.step * round(Fraction(place - self.grid, self.step))
        return nearest if precision > 1 and abs(nearest - place) <= precision else place


@contextmanager
def opened_track(
    file: BinaryIO, container: Container, start_seconds: float, duration_seconds: float | None
) -> Iterator[SoundStream]:
    """Open a clip of the sound of a video; it is silent before the sound begins and where it pauses.

    Raises:
        MediaError: the video has no sound, or the sound is truncated, too long or empty; some of it only
            while the blocks are decoded.
    """
    with opened(file, container) as video:
        stream = best_stream(video, "audio")
        clock = Clock.of(video, stream)
        frames = decoded(video.demux(stream), stream)
        head = list(islice(frames, 2))
        if not head:
            raise MediaError("empty sound: no samples")
        track = Track.of(clock, head, container in COUNTED)
        first, wanted = clip_frames(start_seconds, duration_seconds, track.rate)
        end = None if wanted is None else first + wanted
        promised = None if container in ESTIMATED else clock.end(stream)
        whole = None if promised is None else round(promised * track.rate)
        check_length(wanted or (whole or 0) - first, track.rate, track.channels)
        clip = WantedClip(track, start_seconds, first, end, whole)
        if container in ESTIMATED:
            pieces = _placed(chain(head, frames), clip)
        else:
            pieces = _pieces(video, stream, clip)
        yield SoundStream(
            decoded=in_blocks(pieces, clip),
            sample_rate_hz=track.rate,
            channels=track.channels,
            expected_frames=wanted or max(0, (whole or 0) - first),
            suffix=None,
            bits=_bits(stream.codec_context.name, head[0].format.name),
        )


@dataclass(frozen=True)
class WantedClip:
    """The wanted samples of a track: from `first` to `end`, or to its end, which is `whole` by its header."""

    track: Track
    start_seconds: float
    first: int
    end: int | None
    whole: int | None


def _pieces(video: InputContainer, stream: Any, clip: WantedClip) -> Iterator[Piece]:
    """Decode the pieces of the clip, from shortly before it if that works, or else from the start."""
    clock, rate = clip.track.clock, clip.track.rate
    if clip.first > SEEK_FROM_SECONDS * rate:
        video.seek(clock.stamp(Fraction(clip.first, rate) - PREROLL), stream=stream)
        frames = islice(
            decoded(video.demux(stream), stream), 1, None
        )  # the first frame is neither complete nor in place
        pieces = _placed(frames, clip)
        head = next(pieces, None)
        if head is not None and len(head[1]) and head[0] <= clip.first:
            return chain([head], pieces)
    video.seek(clock.stamp(0), stream=stream)
    return _placed(decoded(video.demux(stream), stream), clip)


def _placed(frames: Iterable[AudioFrame], clip: WantedClip) -> Iterator[Piece]:
    """The frames that overlap the clip, each with its place; then an empty piece where the last one ended."""
    track, first, end = clip.track, clip.first, clip.end
    place: int | None = None
    overlap = 0  # of all frames that began before the end of the one before
    for frame in frames:
        if (frame.sample_rate, frame.layout.nb_channels) != (track.rate, track.channels):
            raise MediaError("undecodable video: the rate or the channels of its sound change")
        stated = track.place(frame)
        if place is None:
            place = stated or 0
        elif stated is not None and not track.counted and abs(stated - place) > GAP_SECONDS * track.rate:
            if stated < place - BACK_SECONDS * track.rate:
                raise MediaError(f"damaged sound: its time jumps back to {stated / track.rate:g} s")
            overlap += max(0, place - stated)
            if overlap > MISSING_SECONDS * track.rate:
                raise MediaError(f"damaged sound: {overlap / track.rate:g} s of its frames overlap")
            place = stated
        if end is not None and place >= end:
            break
        if place + frame.samples > first:
            check_length((end or place + frame.samples) - first, track.rate, track.channels)
            yield place, _samples(frame, track.channels)
        place += frame.samples
    yield place or 0, np.zeros((0, track.channels), np.float32)


def in_blocks(pieces: Iterator[Piece], clip: WantedClip) -> Iterator[Samples]:
    """Join the pieces to blocks, with silence between them; check at the end that nothing is missing."""
    track, first, end = clip.track, clip.first, clip.end
    held = round(BACK_SECONDS * track.rate) + 2 * track.step  # not given yet, so that it can be replaced
    size = block_frames(track.channels)
    buffer = np.zeros((size + held, track.channels), np.float32)
    begin, there = first, first  # where the buffer begins, and where the last piece ended
    for place, samples in pieces:
        if begin > first and place < begin + 2 * track.step:
            raise MediaError(f"damaged sound: its time jumps back to {place / track.rate:g} s")
        there = place + len(samples)
        here, until = max(place, first), there if end is None else min(there, end)
        while here < until:
            while here >= begin + len(buffer):
                yield buffer[:size]
                begin = _advance(buffer, size, begin)
            some = min(until, begin + len(buffer)) - here
            buffer[here - begin :][:some] = samples[here - place :][:some]
            here += some
    if clip.whole is not None and clip.whole < there <= clip.whole + 2 * track.step:
        there = clip.whole  # the encoder padded its last frame
    if there <= first:
        raise after_the_end(clip.start_seconds, there / track.rate)
    _check_all_there(there, clip.whole, end, track.rate)
    stop = there if end is None else min(there, end)
    while begin < stop:
        yield buffer[: min(size, stop - begin)]
        begin = _advance(buffer, size, begin)


def _advance(buffer: Samples, size: int, begin: int) -> int:
    """Drop the first samples of the buffer, and append silence; return where it begins now."""
    kept = len(buffer) - size
    buffer[:kept] = buffer[size:]
    buffer[kept:] = 0
    return begin + size


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


def _bits(codec: str, sample_format: str) -> int | None:
    """The bit depth that holds the samples of a codec; None for floats."""
    if codec.startswith(("pcm_f", "pcm_s32")):
        return None
    return 24 if sample_format.startswith("s32") else 16

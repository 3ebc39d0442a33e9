"""Intake: the facts of a clip and what encoders hear of it, taken from its blocks in one pass.

The clip is never in memory at its original rate, unless an encoder wants this rate.
"""

from collections.abc import Iterable

import numpy as np
import soxr
from jaxtyping import Float32
from numpy import ndarray

from safe_data.media.measure import SoundFacts, SoundMeter
from safe_data.media.sound import resampled_length, to_mono
from safe_data.media.sound_stream import Block, Joined, SoundStream

Heard = dict[int, Float32[ndarray, " samples"]]  # a clip at each rate in Hz that an encoder needs


class Intake:
    """Take in a clip; at each rate, what is heard equals `decode_audio` bit for bit."""

    def __init__(self, sound: SoundStream, rates_hz: Iterable[int]) -> None:
        self._meter = SoundMeter(sound.sample_rate_hz, sound.channels)
        self._resampled = _resampled(sound, rates_hz)

    def add(self, block: Block) -> None:
        """Take in the next samples."""
        mono = to_mono(block)
        self._meter.add(block, mono)
        for resampled in self._resampled.values():
            resampled.add(mono)

    def facts(self) -> SoundFacts:
        """What the manifest says about the clip."""
        return self._meter.facts()

    def heard(self) -> Heard:
        """The clip at each rate; once, after the last block."""
        return {rate: resampled.samples() for rate, resampled in self._resampled.items()}


def hear(sound: SoundStream, rates_hz: Iterable[int]) -> Heard:
    """Only what encoders hear of a clip, at each rate.

    Raises:
        MediaError: see `SoundStream.blocks`.
    """
    heard = _resampled(sound, rates_hz)
    for block in sound.blocks():
        mono = to_mono(block)
        for resampled in heard.values():
            resampled.add(mono)
    return {rate: resampled.samples() for rate, resampled in heard.items()}


def _resampled(sound: SoundStream, rates_hz: Iterable[int]) -> "dict[int, Resampled]":
    rate, frames = sound.sample_rate_hz, sound.expected_frames
    return {wanted: Resampled(rate, wanted, frames) for wanted in rates_hz}


class Resampled:
    """`resample` of a mono sound that comes in blocks, equal to it bit for bit."""

    def __init__(self, old_hz: int, new_hz: int, expected_frames: int) -> None:
        self._old, self._new, self._frames = old_hz, new_hz, 0
        self._joined = Joined(resampled_length(expected_frames, old_hz, new_hz))
        self._stream = None if old_hz == new_hz else soxr.ResampleStream(old_hz, new_hz, 1, quality="HQ")

    def add(self, mono: Float32[ndarray, " frames"]) -> None:
        """Resample the next samples."""
        self._frames += len(mono)
        self._joined.add(mono if self._stream is None else self._stream.resample_chunk(mono))

    def samples(self) -> Float32[ndarray, " samples"]:
        """All samples at the new rate; once, after the last block."""
        if self._stream is not None:
            self._joined.add(self._stream.resample_chunk(np.zeros(0, np.float32), last=True))
        length = resampled_length(self._frames, self._old, self._new)
        result: Float32[ndarray, " samples"] = self._joined.array()[:length]
        return result if len(result) == length else np.pad(result, (0, length - len(result)))

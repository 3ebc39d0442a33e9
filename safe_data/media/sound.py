"""Pcm and Sound: decoded samples as stored, and as a model hears them; the limits on both."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import soxr
from jaxtyping import Float32, Int16
from numpy import ndarray

from safe_data.core.errors import MediaError

MAX_CLIP_SECONDS = 600
MAX_SAMPLES = 2**26  # over all channels: 256 MiB of float32
MAX_PEAK = 1_000.0  # 60 dB above full scale
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 384_000
MAX_CHANNELS = 64
FULL_SCALE = 2**15  # of 16-bit integers
LATEST_SECONDS = 1e9  # later than the end of any sound, and still convertible to samples


@dataclass(frozen=True)
class Sound:
    """A clip as a model hears it: one channel, at its original rate or a requested one."""

    samples: Float32[ndarray, " samples"]
    sample_rate_hz: int
    source_rate_hz: int
    source_channels: int

    @property
    def duration_seconds(self) -> float:
        """The length of the clip."""
        return len(self.samples) / self.sample_rate_hz

    def resampled(self, sample_rate_hz: int) -> "Sound":
        """The same clip at another rate, equal to what `decode_audio` gives for that rate.

        Resample from the original rate only: resampling twice does not match `decode_audio`.
        """
        samples = resample(self.samples, self.sample_rate_hz, sample_rate_hz)
        return replace(self, samples=samples, sample_rate_hz=sample_rate_hz)


@dataclass(frozen=True)
class Pcm:
    """A sound as stored: every channel, at the original rate, in [-1, 1] unless it was stored louder.

    `stored` has 16-bit integers if the file does: they take a quarter of the time of floats. `suffix` is the
    file's if these are all of its samples; None for a part of a file, or the sound of a video. `bits` is the
    smallest depth that holds the samples, 16 for lossy files; None for floats and 32-bit integers.
    """

    stored: Float32[ndarray, "frames channels"] | Int16[ndarray, "frames channels"]
    sample_rate_hz: int
    suffix: str | None
    bits: int | None = 16

    @property
    def channels(self) -> int:
        """The number of channels."""
        return int(self.stored.shape[1])

    @property
    def samples(self) -> Float32[ndarray, "frames channels"]:
        """The samples as floats, where 1 is full scale."""
        return in_full_scale(self.stored)

    @cached_property
    def mono(self) -> Sound:
        """The clip as one channel, at its original rate."""
        rate = self.sample_rate_hz
        return Sound(to_mono(self.stored), rate, rate, self.channels)


def to_mono(
    samples: Float32[ndarray, "frames channels"] | Int16[ndarray, "frames channels"],
) -> Float32[ndarray, " frames"]:
    """The mean of the channels; adding them one by one is thirty times as fast as `mean(axis=1)`."""
    channels = samples.shape[1]
    floats = samples.astype(np.float32, copy=channels == 1)  # adding strided integers takes twice the time
    mono: Float32[ndarray, " frames"] = floats[:, 0]
    for channel in range(1, channels):
        mono = np.add(mono, floats[:, channel], out=None if channel == 1 else mono)
    scale = 1 / FULL_SCALE if samples.dtype == np.int16 else 1.0
    if channels & (channels - 1):
        mono /= np.float32(channels)
    else:
        scale /= channels  # a power of two, so this is exact
    if scale != 1:
        mono *= np.float32(scale)
    return mono


def in_full_scale(
    stored: Float32[ndarray, " *shape"] | Int16[ndarray, " *shape"],
) -> Float32[ndarray, " *shape"]:
    """Samples as floats, where 1 is full scale; for 16-bit integers this is exact."""
    if stored.dtype != np.int16:
        return stored
    scaled: Float32[ndarray, " *shape"] = stored * np.float32(1 / FULL_SCALE)
    return scaled


def resample(samples: Float32[ndarray, " old"], old_hz: int, new_hz: int) -> Float32[ndarray, " new"]:
    """Change the sample rate; the new length is exactly round(samples * new_hz / old_hz).

    Differs: librosa rounds the length up, so that rounding errors turn 441000 samples at 44.1 kHz into 480001
    at 48 kHz.
    """
    if old_hz == new_hz:
        return samples
    length = resampled_length(len(samples), old_hz, new_hz)
    result: Float32[ndarray, " new"] = soxr.resample(samples, old_hz, new_hz, quality="HQ")[:length]
    return np.pad(result, (0, length - len(result)))


def resampled_length(samples: int, old_hz: int, new_hz: int) -> int:
    """The number of samples at a new rate, rounded."""
    return (2 * samples * new_hz + old_hz) // (2 * old_hz)


def clip_frames(start_seconds: float, duration_seconds: float | None, rate: int) -> tuple[int, int | None]:
    """The first frame of a clip, and its number of frames; None for all up to the end."""
    first = round(min(start_seconds, LATEST_SECONDS) * rate)
    if duration_seconds is None:
        return first, None
    return first, max(1, round(min(duration_seconds, LATEST_SECONDS) * rate))


def check_format(rate: int, channels: int) -> None:
    """Refuse absurd headers.

    Raises:
        MediaError: the rate is not within 1 to 384 kHz, or there are not 1 to 64 channels.
    """
    if not MIN_RATE_HZ <= rate <= MAX_RATE_HZ:
        raise MediaError(f"absurd sample rate: {rate} Hz")
    if not 1 <= channels <= MAX_CHANNELS:
        raise MediaError(f"absurd number of channels: {channels}")


def check_length(frames: int, rate: int, channels: int) -> None:
    """Refuse a clip that is too long, before memory is allocated for it.

    Raises:
        MediaError: it is longer than 600 s or 2²⁶ samples.
    """
    if frames > MAX_CLIP_SECONDS * rate or frames * channels > MAX_SAMPLES:
        raise MediaError(
            f"sound too long: {frames / rate:.0f} s of {channels} channels at {rate} Hz; "
            f"name a clip of up to {MAX_CLIP_SECONDS} s by start_seconds and duration_seconds"
        )


def peak_of(stored: Float32[ndarray, "frames channels"] | Int16[ndarray, "frames channels"]) -> float:
    """The largest magnitude in any channel, where 1 is full scale; NaN if any sample is NaN."""
    peak = max(float(stored.max()), -float(stored.min()))
    return peak / FULL_SCALE if stored.dtype == np.int16 else peak


def after_the_end(start_seconds: float, end_seconds: float, what: str = "sound") -> MediaError:
    """The error for a clip that starts after the end of its medium."""
    return MediaError(f"empty clip: it starts at {start_seconds:g} s, the {what} ends at {end_seconds:g} s")

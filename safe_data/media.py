"""Decode untrusted sounds and pictures in bounded memory: crop, mono, resample; flatten, RGB.

What cannot be decoded whole raises MediaError.
"""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
import soundfile
import soxr
from jaxtyping import Float32
from numpy import ndarray
from PIL import Image, UnidentifiedImageError

from safe_data.containers import check_whole
from safe_data.errors import MediaError

MAX_CLIP_SECONDS = 600
MAX_SAMPLES = 2**26  # decoded, all channels together: 256 MiB of float32
MAX_PIXELS = 2**25
MAX_PEAK = 1_000.0  # 60 dB above full scale
MIN_RATE_HZ, MAX_RATE_HZ = 1_000, 384_000
SOUND_SUFFIXES = {"WAV": "wav", "WAVEX": "wav", "FLAC": "flac", "OGG": "ogg", "MP3": "mp3"}
PICTURE_FORMATS = ("PNG", "JPEG")
_LENGTH_UNKNOWN = 2**40


@dataclass(frozen=True)
class Pcm:
    """A sound as it was stored: every channel, at its own rate, in [-1, 1] unless it was stored louder."""

    samples: Float32[ndarray, "frames channels"]
    sample_rate_hz: int
    suffix: str


@dataclass(frozen=True)
class Sound:
    """A clip as a model hears it: one channel, at the rate that was asked for."""

    samples: Float32[ndarray, " samples"]
    sample_rate_hz: int
    source_rate_hz: int
    source_channels: int

    @property
    def duration_seconds(self) -> float:
        return len(self.samples) / self.sample_rate_hz


def decode_pcm(data: bytes, start_seconds: float = 0.0, duration_seconds: float | None = None) -> Pcm:
    """Decode the clip of a WAV, FLAC, Ogg (Vorbis or Opus) or MP3 file, known by its content.

    Raises:
        MediaError: no such sound, cut off, too long for the memory set aside, empty, or not finite.
    """
    check_whole(data)
    try:
        with soundfile.SoundFile(io.BytesIO(data)) as file:
            _check_header(file)
            frames = _seek(file, start_seconds, duration_seconds)
            samples = file.read(frames, dtype="float32", always_2d=True)
            suffix, rate = SOUND_SUFFIXES[file.format], int(file.samplerate)
    except soundfile.LibsndfileError as error:
        raise MediaError(f"undecodable sound: {error.error_string.rstrip('.')}") from None
    if len(samples) < frames:
        raise MediaError(f"truncated sound: the header promises {frames} frames, {len(samples)} are there")
    peak = float(max(samples.max(), -samples.min()))
    if not peak <= MAX_PEAK:  # nor is NaN
        raise MediaError(f"absurd samples: up to {peak:g} where 1 is full scale")
    return Pcm(samples, rate, suffix)


def decode_audio(
    data: bytes,
    sample_rate_hz: int | None = None,
    start_seconds: float = 0.0,
    duration_seconds: float | None = None,
) -> Sound:
    """Decode a clip to one channel, at the given rate or its own.

    Raises:
        MediaError: as for `decode_pcm`.
    """
    pcm = decode_pcm(data, start_seconds, duration_seconds)
    rate = sample_rate_hz or pcm.sample_rate_hz
    samples = resample(to_mono(pcm.samples), pcm.sample_rate_hz, rate)
    return Sound(samples, rate, pcm.sample_rate_hz, pcm.samples.shape[1])


def to_mono(samples: Float32[ndarray, "frames channels"]) -> Float32[ndarray, " frames"]:
    """The mean of the channels, added up one by one: `mean(axis=1)` takes thirty times as long."""
    channels = samples.shape[1]
    mono = samples[:, 0].copy()
    for channel in range(1, channels):
        mono += samples[:, channel]
    return mono / np.float32(channels) if channels > 1 else mono


def resample(samples: Float32[ndarray, " old"], old_hz: int, new_hz: int) -> Float32[ndarray, " new"]:
    """Change the rate; the length is exactly round(samples * new_hz / old_hz)."""
    if old_hz == new_hz:
        return samples
    length = (2 * len(samples) * new_hz + old_hz) // (2 * old_hz)
    result: Float32[ndarray, " new"] = soxr.resample(samples, old_hz, new_hz, quality="HQ")[:length]
    return np.pad(result, (0, length - len(result)))


def picture_suffix(data: bytes) -> str:
    """`png` or `jpg`, by the content."""
    return "png" if data.startswith(b"\x89PNG") else "jpg"


def decode_image(data: bytes) -> Image.Image:
    """Decode a PNG or JPEG to RGB; what is transparent lets a white page show through.

    Raises:
        MediaError: no such picture, cut off, or larger than the memory set aside.
    """
    try:
        with warnings.catch_warnings(action="ignore"):  # broken metadata; large pictures, bounded below
            picture = Image.open(io.BytesIO(data), formats=PICTURE_FORMATS)
            _check_size(picture)
            picture.load()
            return _flatten(picture)
    except MediaError:
        raise
    except Image.DecompressionBombError:
        raise MediaError(f"picture too large: more than {MAX_PIXELS} pixels") from None
    except UnidentifiedImageError:
        raise MediaError("undecodable picture: neither PNG nor JPEG") from None
    except (OSError, SyntaxError, EOFError, struct.error, zlib.error, ValueError) as error:
        raise MediaError(f"undecodable picture: {error}") from None


def _check_size(picture: Image.Image) -> None:
    if picture.width * picture.height > MAX_PIXELS:
        raise MediaError(f"picture too large: {picture.width}×{picture.height} of {MAX_PIXELS} pixels")


def _flatten(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # Pillow clips 16-bit greys at 255 instead of scaling them
        return Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8)).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    page = Image.new("RGBA", picture.size, "white")
    page.alpha_composite(picture.convert("RGBA"))
    return page.convert("RGB")


def _check_header(file: soundfile.SoundFile) -> None:
    if file.format not in SOUND_SUFFIXES:
        raise MediaError(f"unknown sound format: {file.format}; use WAV, FLAC, Ogg or MP3")
    if not MIN_RATE_HZ <= file.samplerate <= MAX_RATE_HZ:
        raise MediaError(f"absurd sample rate: {file.samplerate} Hz")
    if file.frames <= 0:
        raise MediaError("empty sound: no samples")
    if file.frames > _LENGTH_UNKNOWN:
        raise MediaError("unknown length: the sound's header does not say how long it is; write it anew")


def _seek(file: soundfile.SoundFile, start_seconds: float, duration_seconds: float | None) -> int:
    """Go to the clip's first frame; the number of frames from there to the clip's or the file's end."""
    rate, total = int(file.samplerate), int(file.frames)
    first = round(start_seconds * rate)
    if first >= total:
        end = total / rate
        raise MediaError(f"empty clip: it starts at {start_seconds:g} s, the sound ends at {end:g} s")
    frames = total - first
    if duration_seconds is not None:
        frames = min(frames, max(1, round(duration_seconds * rate)))
    if frames > MAX_CLIP_SECONDS * rate or frames * file.channels > MAX_SAMPLES:
        raise MediaError(
            f"sound too long: {frames / rate:.0f} s of {file.channels} channels at {rate} Hz; "
            f"name a clip of up to {MAX_CLIP_SECONDS} s by start_seconds and duration_seconds"
        )
    if first:
        file.seek(first)
    return frames

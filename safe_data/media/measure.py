"""Measure decoded media: the facts about each sound and picture in the manifest.

Numbers are rounded, so that they do not depend on the machine in their last bits.
"""

import hashlib
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int16
from numpy import ndarray
from PIL import Image

from safe_data.media.sound import FULL_SCALE, Pcm, in_full_scale, peak_of, to_mono
from safe_data.media.sound_stream import Block, in_blocks

SILENCE_DB = -120.0  # the level of digital silence
QUIET_DB = -60.0  # dBFS; quieter frames count as silent
CLIPPED = 0.999  # magnitude from which a sample counts as clipped
FRAME_SECONDS = 0.025
FEW = 1024  # frames that are tried first


def rms_db(power: Float64[ndarray, " samples"]) -> float:
    """The level of squared samples in dB, rounded to 0.001; the level of silence if there are none."""
    return round(float(_decibels(power.mean())), 3) if len(power) else SILENCE_DB


@dataclass(frozen=True)
class SoundFacts:
    """Facts about a sound: levels in dB relative to full scale, fractions in [0, 1]."""

    pcm_sha256: str
    duration_seconds: float
    sample_rate_hz: int
    channels: int
    rms_db: float
    peak: float
    clipped_fraction: float
    snr_db: float | None
    silence_fraction: float


@dataclass(frozen=True)
class PictureFacts:
    """Facts about a picture; the 64 bits of `image_dhash` differ little between pictures that look alike."""

    pixel_sha256: str
    image_dhash: str
    image_width: int
    image_height: int


def measure_sound(pcm: Pcm) -> SoundFacts:
    """Measure a clip that is in memory; see `SoundMeter`."""
    meter = SoundMeter(pcm.sample_rate_hz, pcm.channels)
    for block in in_blocks(pcm.stored):
        meter.add(block, to_mono(block))
    return meter.facts()


class SoundMeter:
    """Measure a clip block by block: level and frames of its mono mix, peak and clipping over all channels.

    `pcm_sha256` is equal for the same sound in two lossless files, and for a clip stored as FLAC or cut out
    of a WAV: see `pcm_hash`. `snr_db` is the 95th minus the 10th percentile of the levels of 25 ms frames,
    which compares loud with quiet parts without a clean reference; None for fewer than four frames.
    """

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        self._rate, self._channels = sample_rate_hz, channels
        self._hash = _PcmHash(sample_rate_hz, channels)
        self._levels = _Levels(max(1, round(FRAME_SECONDS * sample_rate_hz)))
        self._frames, self._clipped, self._peak = 0, 0, -math.inf

    def add(self, block: Block, mono: Float32[ndarray, " frames"]) -> None:
        """Measure the next samples, and their mono mix."""
        self._hash.add(block)
        self._levels.add(mono)
        self._frames += len(block)
        peak = peak_of(block)
        self._peak = max(self._peak, peak)
        if peak >= CLIPPED:
            self._clipped += int(np.count_nonzero(np.abs(in_full_scale(block)) >= CLIPPED))

    def facts(self) -> SoundFacts:
        """The facts about all samples so far."""
        level, levels = self._levels.finished()
        loud, quiet = np.percentile(levels, [95, 10])
        return SoundFacts(
            pcm_sha256=self._hash.hexdigest(),
            duration_seconds=self._frames / self._rate,
            sample_rate_hz=self._rate,
            channels=self._channels,
            rms_db=round(level, 3),
            peak=round(self._peak, 6),
            clipped_fraction=round(self._clipped / (self._frames * self._channels), 6),
            snr_db=round(float(loud - quiet), 3) if len(levels) >= 4 else None,
            silence_fraction=round(float((levels < QUIET_DB).mean()), 6),
        )


class _Levels:
    """The mean power of a mono sound, and of each of its frames, from blocks of any length."""

    def __init__(self, length: int) -> None:
        self._length = length
        self._rest = np.zeros(0, np.float32)  # the samples after the last whole frame
        self._sums: list[Float64[ndarray, " frames"]] = []

    def add(self, mono: Float32[ndarray, " samples"]) -> None:
        missing = self._length - len(self._rest) if len(self._rest) else 0
        if len(mono) < missing:
            self._rest = np.concatenate([self._rest, mono])
            return
        if missing:
            self._sums.append(self._sums_of(np.concatenate([self._rest, mono[:missing]])))
        whole = (len(mono) - missing) // self._length * self._length
        self._sums.append(self._sums_of(mono[missing : missing + whole]))
        self._rest = mono[missing + whole :].copy()

    def finished(self) -> tuple[float, Float64[ndarray, " frames"]]:
        """The level in dB of all samples, and of each whole frame; of all if that is shorter than a frame."""
        sums = np.concatenate([np.zeros(0), *self._sums])
        rest = np.square(self._rest, dtype=np.float64).sum()
        mean = (sums.sum() + rest) / (len(sums) * self._length + len(self._rest))
        level = _decibels(np.array([mean]))
        return float(level[0]), _decibels(sums / self._length) if len(sums) else level

    def _sums_of(self, frames: Float32[ndarray, " samples"]) -> Float64[ndarray, " frames"]:
        power = np.square(frames, dtype=np.float64)
        sums: Float64[ndarray, " frames"] = power.reshape(-1, self._length).sum(axis=1)
        return sums


def pcm_hash(
    samples: Float32[ndarray, "frames channels"] | Int16[ndarray, "frames channels"], sample_rate_hz: int
) -> str:
    """SHA-256 of rate, channels and decoded samples, channel by channel within each frame.

    Samples are hashed as little-endian 16-bit integers if each of them is a 16-bit value, in whatever format
    the file stored it, or else as 32-bit floats.
    """
    digest = _PcmHash(sample_rate_hz, samples.shape[1])
    for block in in_blocks(samples):
        digest.add(block)
    return digest.hexdigest()


class _PcmHash:
    """`pcm_hash` of blocks: floats are hashed both ways until one is no 16-bit value."""

    def __init__(self, sample_rate_hz: int, channels: int) -> None:
        form = f"{sample_rate_hz} Hz {channels} channels"
        self._integers: Any = hashlib.sha256(f"{form} int16\n".encode())
        self._floats = hashlib.sha256(f"{form} float32\n".encode())
        self._any = False

    def add(self, block: Block) -> None:
        self._any = True
        if block.dtype == np.int16:
            self._integers.update(_little_endian(block))
            return
        self._floats.update(_little_endian(block))
        if self._integers is not None:
            whole = _as_integers(block)
            self._integers = None if whole is None else _updated(self._integers, whole)

    def hexdigest(self) -> str:
        digest = self._floats if self._integers is None or not self._any else self._integers
        return str(digest.hexdigest())


def _updated(digest: Any, samples: Block) -> Any:
    digest.update(_little_endian(samples))
    return digest


def _little_endian(samples: Block) -> memoryview:
    return np.ascontiguousarray(samples, samples.dtype.newbyteorder("<")).data


def _as_integers(samples: Float32[ndarray, "frames channels"]) -> Int16[ndarray, "frames channels"] | None:
    """Floats as 16-bit integers, or None if any is not one; the first frames show it for most sounds."""
    for some in (samples[:FEW], samples):
        scaled = some * np.float32(FULL_SCALE)
        if not (scaled.max() < FULL_SCALE and scaled.min() >= -FULL_SCALE):
            return None
        whole = scaled.astype(np.int16)
        if not np.array_equal(whole, scaled):
            return None
    return whole


def measure_image(picture: Image.Image) -> PictureFacts:
    """Measure an RGB picture: its size, a hash of size and pixels, and a hash of what it looks like."""
    header = f"{picture.width}x{picture.height} {picture.mode}\n".encode()
    digest = hashlib.sha256(header + picture.tobytes()).hexdigest()
    return PictureFacts(digest, difference_hash(picture), picture.width, picture.height)


def difference_hash(picture: Image.Image) -> str:
    """64 bits in hexadecimal: whether each of 8×8 fields is brighter than the field on its left, row by row.

    A copy at another size or quality has almost the same bits; the more bits differ, the less alike two
    pictures are. A picture that does not change from left to right gives 0000000000000000, which says
    nothing.

    Source: N. Krawetz, "Kind of Like That" (2013), dHash.
    Differs: each field is the mean of its pixels; Pillow's usual filters also use pixels around it.
    """
    small = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.BOX))
    bits = small[:, 1:] > small[:, :-1]
    return np.packbits(bits).tobytes().hex()


def _decibels(power: Float64[ndarray, " *frames"]) -> Float64[ndarray, " *frames"]:
    decibels: Float64[ndarray, " *frames"] = 10 * np.log10(np.maximum(power, 10 ** (SILENCE_DB / 10)))
    return decibels

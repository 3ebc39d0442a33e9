"""Measure decoded media: the facts about each sound and picture in the manifest.

Numbers are rounded, so that they do not depend on the machine in their last bits.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int16
from numpy import ndarray
from PIL import Image

from safe_data.media.sound import FULL_SCALE, Pcm, peak_of

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
    """Measure a clip: level and frames of its mono mix, peak and clipping over all channels.

    `pcm_sha256` is equal for the same sound in two lossless files, and for a clip stored as FLAC or cut out
    of a WAV: see `pcm_hash`. `snr_db` is the 95th minus the 10th percentile of the levels of 25 ms frames,
    which compares loud with quiet parts without a clean reference; None for fewer than four frames.
    """
    rate, peak = pcm.sample_rate_hz, peak_of(pcm.stored)
    power = np.square(pcm.mono.samples, dtype=np.float64)
    levels = _frame_levels_db(power, rate)
    snr = float(np.percentile(levels, 95) - np.percentile(levels, 10)) if len(levels) >= 4 else None
    clipped = np.count_nonzero(np.abs(pcm.samples) >= CLIPPED) if peak >= CLIPPED else 0
    return SoundFacts(
        pcm_sha256=pcm_hash(pcm.stored, rate),
        duration_seconds=len(pcm.stored) / rate,
        sample_rate_hz=rate,
        channels=pcm.channels,
        rms_db=rms_db(power),
        peak=round(peak, 6),
        clipped_fraction=round(clipped / pcm.stored.size, 6),
        snr_db=None if snr is None else round(snr, 3),
        silence_fraction=round(float((levels < QUIET_DB).mean()), 6),
    )


def pcm_hash(
    samples: Float32[ndarray, "frames channels"] | Int16[ndarray, "frames channels"], sample_rate_hz: int
) -> str:
    """SHA-256 of rate, channels and decoded samples, channel by channel within each frame.

    Samples are hashed as little-endian 16-bit integers if each of them is a 16-bit value, in whatever format
    the file stored it, or else as 32-bit floats.
    """
    if samples.dtype != np.int16 and (whole := _as_integers(samples)) is not None:
        samples = whole
    kind = "int16" if samples.dtype == np.int16 else "float32"
    digest = hashlib.sha256(f"{sample_rate_hz} Hz {samples.shape[1]} channels {kind}\n".encode())
    digest.update(np.ascontiguousarray(samples, samples.dtype.newbyteorder("<")).data)
    return digest.hexdigest()


def _as_integers(samples: Float32[ndarray, "frames channels"]) -> Int16[ndarray, "frames channels"] | None:
    """Floats as 16-bit integers, or None if any is not one; the first frames show it for most sounds."""
    if not samples.size:
        return None
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


def _frame_levels_db(power: Float64[ndarray, " samples"], rate: int) -> Float64[ndarray, " frames"]:
    """The level in dB of each whole frame; of the whole sound if it is shorter than a frame."""
    length = min(len(power), max(1, round(FRAME_SECONDS * rate)))
    return _decibels(power[: len(power) // length * length].reshape(-1, length).mean(axis=1))


def _decibels(power: Float64[ndarray, " *frames"]) -> Float64[ndarray, " *frames"]:
    decibels: Float64[ndarray, " *frames"] = 10 * np.log10(np.maximum(power, 10 ** (SILENCE_DB / 10)))
    return decibels

"""Facts about decoded media: what the manifest says of each sound and picture.

Figures are rounded, so that the last bits of a sum do not depend on the machine that took it.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int16
from numpy import ndarray
from PIL import Image

from safe_data.media.sound import FULL_SCALE, Pcm, peak_of

SILENCE_DB = -120.0  # what digital silence counts as
QUIET_DB = -60.0
CLIPPED = 0.999
FRAME_SECONDS = 0.025
FEW = 1024  # frames


def rms_db(power: Float64[ndarray, " samples"]) -> float:
    """The level of squared samples, to a thousandth of a dB; of none at all that of silence."""
    return round(float(_decibels(power.mean())), 3) if len(power) else SILENCE_DB


@dataclass(frozen=True)
class SoundFacts:
    """Levels in dB relative to full scale; shares of the whole in [0, 1]."""

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
    """`image_dhash` is 64 bits in hexadecimal; of pictures that look alike, few of them differ."""

    pixel_sha256: str
    image_dhash: str
    image_width: int
    image_height: int


def measure_sound(pcm: Pcm) -> SoundFacts:
    """Measure a clip: level and frames of its mono mix, peak and clipping of every channel.

    `pcm_sha256` is equal for one sound in two lossless files, and for a clip stored as FLAC or cut out of a
    WAV: see `pcm_hash`. `snr_db` is the 95th less the 10th percentile of the levels of 25 ms frames: loud
    parts against the quiet ones, an estimate without a clean reference; None for fewer than four frames.
    """
    rate, peak = pcm.sample_rate_hz, peak_of(pcm)
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

    Samples are little-endian 16-bit integers if they all are such, in whatever file, and else 32-bit floats.
    """
    if samples.dtype != np.int16 and (whole := _as_integers(samples)) is not None:
        samples = whole
    kind = "int16" if samples.dtype == np.int16 else "float32"
    digest = hashlib.sha256(f"{sample_rate_hz} Hz {samples.shape[1]} channels {kind}\n".encode())
    digest.update(np.ascontiguousarray(samples, samples.dtype.newbyteorder("<")).data)
    return digest.hexdigest()


def _as_integers(samples: Float32[ndarray, "frames channels"]) -> Int16[ndarray, "frames channels"] | None:
    """Floats as the 16-bit integers they are, or None if one is not: most sounds show it in the first few."""
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
    """Size, and the hashes of an RGB picture: of size and pixels, and of what it looks like."""
    header = f"{picture.width}x{picture.height} {picture.mode}\n".encode()
    digest = hashlib.sha256(header + picture.tobytes()).hexdigest()
    return PictureFacts(digest, difference_hash(picture), picture.width, picture.height)


def difference_hash(picture: Image.Image) -> str:
    """Whether each of 8×8 fields is brighter than the one on its left, row by row, the first bit the highest.

    Equal for a picture at another size or quality; the number of bits that differ says how unlike two are.
    A picture without any change from left to right is 0000000000000000: that says nothing about it.

    Source: N. Krawetz, "Kind of Like That" (2013), dHash.
    Differs: each field is the mean of its pixels; Pillow's usual filters look beyond a field's borders.
    """
    small = np.asarray(picture.convert("L").resize((9, 8), Image.Resampling.BOX))
    bits = small[:, 1:] > small[:, :-1]
    return np.packbits(bits).tobytes().hex()


def _frame_levels_db(power: Float64[ndarray, " samples"], rate: int) -> Float64[ndarray, " frames"]:
    """The level of each whole frame; of all there is when that is less than a frame."""
    length = min(len(power), max(1, round(FRAME_SECONDS * rate)))
    return _decibels(power[: len(power) // length * length].reshape(-1, length).mean(axis=1))


def _decibels(power: Float64[ndarray, " *frames"]) -> Float64[ndarray, " *frames"]:
    decibels: Float64[ndarray, " *frames"] = 10 * np.log10(np.maximum(power, 10 ** (SILENCE_DB / 10)))
    return decibels

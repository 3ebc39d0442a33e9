"""Drawn sound: the peaks of a sound's waveform, and its spectrogram as a PNG.

Both have fixed scales, so that the sounds of two conditions can be compared by eye. Equal sounds give equal
bytes.
"""

import io
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float32, Int64, UInt8
from numpy import ndarray

from safe_data.media.sound import Sound

PEAKS = 200
COLUMNS, BANDS = 600, 128  # pixels of a spectrogram
QUIETEST_DB, LOUDEST_DB = -100.0, -10.0  # where a full-scale sine is 0 dB
SPECTROGRAM_SAYS = (
    "Time from left to right, frequency from 0 Hz at the bottom to half the sample rate at the top (mel "
    f"scale), level from {QUIETEST_DB:.0f} dB (dark) to {LOUDEST_DB:.0f} dB (light)."
)
_WINDOW_SECONDS = 0.046
_FRAMES_AT_ONCE = 2048  # bounds the memory for long sounds
_LEVELS = 64  # colours; few make a small file
# From dark to light by way of other hues, so that both themes, and eyes that see no colours, read it.
_COLOURS = (
    *((13, 13, 43), (54, 32, 110), (120, 36, 120), (186, 54, 95), (235, 104, 58), (250, 178, 70)),
    (253, 240, 190),
)


def peaks(sound: Sound, count: int = PEAKS) -> list[float]:
    """The largest magnitude of each part of a sound, where 1 is full scale and above; 0 of an empty sound.

    >>> wave = np.array([0.1, -0.5, 0.25, 0.0], np.float32)
    >>> peaks(Sound(wave, 8000, 8000, 1), 2)
    [0.5, 0.25]
    """
    samples = np.abs(sound.samples)
    if not len(samples):
        return [0.0] * count
    starts = np.arange(count) * len(samples) // count
    largest = np.minimum(np.maximum.reduceat(samples, starts), 1)
    return [round(value, 3) for value in largest.tolist()]


def spectrogram_png(sound: Sound) -> bytes:
    """A spectrogram as a picture of 600 × 128 pixels in 64 colours; `SPECTROGRAM_SAYS` is its legend."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(_numbers(band_levels(sound))), "L")
    picture = picture.convert("P")
    picture.putpalette(_palette())
    file = io.BytesIO()
    picture.save(file, "PNG", optimize=True)
    return file.getvalue()


def band_levels(sound: Sound) -> Float32[ndarray, "bands columns"]:
    """The level in dB of the loudest frequency of each band in each part of a sound; the highest band first.

    Windows overlap by half or more, so that no sample is left out; a column is the mean power of its windows.
    """
    samples, rate = sound.samples, sound.sample_rate_hz
    size = int(2 ** np.round(np.log2(_WINDOW_SECONDS * rate)))
    hop = max(1, min(size // 2, -(-len(samples) // COLUMNS)))
    frames = max(1, -(-len(samples) // hop))
    padded = np.zeros(frames * hop + size, np.float32)
    padded[size // 2 : size // 2 + len(samples)] = samples
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    scale = 2 / float(window.sum())
    cut = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop]
    column = np.arange(frames) * COLUMNS // frames
    sums = np.zeros((COLUMNS, BANDS))
    for start in range(0, frames, _FRAMES_AT_ONCE):
        stop = min(start + _FRAMES_AT_ONCE, frames)
        power = np.square(np.abs(np.fft.rfft(cut[start:stop] * window)) * scale)
        np.add.at(sums, column[start:stop], np.maximum.reduceat(power, _first_bins(rate, size), axis=1))
    counts = np.bincount(column, minlength=COLUMNS)
    last = np.maximum.accumulate(np.where(counts > 0, np.arange(COLUMNS), 0))  # a short sound has few windows
    mean = sums[last] / counts[last][:, None]
    decibels: Float32[ndarray, "columns bands"] = 10 * np.log10(np.maximum(mean, 1e-12)).astype(np.float32)
    return decibels.T[::-1]


@lru_cache(maxsize=16)
def _first_bins(rate_hz: int, size: int) -> Int64[ndarray, " bands"]:
    """The first frequency bin of each band; bands are equally wide on the mel scale (O'Shaughnessy 1987)."""
    highest_mel = 2595 * np.log10(1 + rate_hz / 2 / 700)
    edges_hz = 700 * (10 ** (np.arange(BANDS) * highest_mel / BANDS / 2595) - 1)
    nearest = np.floor(edges_hz * size / rate_hz + 0.5).astype(np.int64)
    bins: Int64[ndarray, " bands"] = np.minimum(nearest, size // 2)
    return bins


def _numbers(decibels: Float[ndarray, "bands columns"]) -> UInt8[ndarray, "bands columns"]:
    """The number of the colour of each level."""
    share = (decibels - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB)
    numbers: UInt8[ndarray, "bands columns"] = np.clip(share * _LEVELS, 0, _LEVELS - 1).astype(np.uint8)
    return numbers


@lru_cache(maxsize=1)
def _palette() -> bytes:
    """The colours by number, three bytes each."""
    places = np.linspace(0, len(_COLOURS) - 1, _LEVELS)
    channels = np.array(_COLOURS, float).T
    colours = np.stack([np.interp(places, np.arange(len(_COLOURS)), channel) for channel in channels], axis=1)
    return bytes(np.rint(colours).astype(np.uint8).tobytes())

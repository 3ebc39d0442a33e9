"""Sound prints: what is left of a sound under gain, padding, another rate or encoding, and most of a cut.

A print is the magnitude of the spectrum of the whole sound at fixed frequencies, relative to the frequencies
around each. A shift or padding does not change it at all; two recordings of the same thing, or two stretches
of one noise, have it in common no more than by chance.

Source: waveforms are compared as in Knapp & Carter, "The Generalized Correlation Method for Estimation of
Time Delay", IEEE Trans. ASSP 24 (1976).
Differs: the whitening is partial, so that rounding errors between the tones of a pure sound do not count.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float16, Float32, Int
from numpy import ndarray
from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import uniform_filter1d

from safe_data.audit.corpus import Corpus
from safe_data.core.cores import cores
from safe_data.core.errors import InputError, MediaError
from safe_data.media.decode import decode_audio

SAMPLE_RATE_HZ = 8_000
LENGTH = 819

# The sum of a sound's stretches of so many samples has the spectrum of the whole sound, at fewer frequencies.
_FOLD = 8_192
_LOWEST_BIN, _HIGHEST_BIN, _STEP = 204, 3_480, 4  # 200 to 3,400 Hz, what is left of a sound at 8 kHz
_AROUND = 17  # bins; about 17 Hz
_FLOOR = 10 ** (-60 / 20)  # relative to the loudest frequency: below it is what encoders add
_WHITENING = 0.7  # 1 would make all frequencies equal, those of rounding errors too
_LARGEST_PEAK = 2.0
_COMMON = 0.8  # of the shorter sound
_FRACTIONS = 4  # of a sample

Samples = Float32[ndarray, " samples"]


class Prints(NamedTuple):
    """The prints of sounds with the rows of their records, and the rows whose sound could not be read."""

    rows: Int[ndarray, " sounds"]
    prints: Float16[ndarray, "sounds 819"]
    unread: tuple[int, ...]


def sound_prints(corpus: Corpus, rows: Sequence[int]) -> Prints:
    """The print of the sound of each of these records; silence and what cannot be read have none."""
    prints = np.zeros((len(rows), LENGTH), np.float16)
    unread = []
    with ThreadPoolExecutor(cores()) as pool:
        for place, samples in enumerate(pool.map(lambda row: _print_of(corpus, row), rows)):
            if samples is None:
                unread.append(rows[place])
            else:
                prints[place] = samples
    found = np.flatnonzero(prints.any(axis=1))
    return Prints(np.asarray(rows, np.int64)[found], prints[found], tuple(unread))


def _print_of(corpus: Corpus, row: int) -> Float32[ndarray, " 819"] | None:
    try:
        return sound_print(heard(corpus, row))
    except (InputError, MediaError):
        return None


def heard(corpus: Corpus, row: int) -> Samples:
    """The stored sound of a record at the rate of prints.

    Raises:
        InputError: its tar cannot be read.
        MediaError: it cannot be decoded.
    """
    data = corpus.member(row, "audio")
    if data is None:
        raise MediaError("no sound")
    return decode_audio(data, SAMPLE_RATE_HZ).samples


def sound_print(samples: Samples) -> Float32[ndarray, " 819"]:
    """The print of a sound at 8 kHz, of length 1; zeros for silence."""
    whole = -(-max(len(samples), 1) // _FOLD) * _FOLD
    folded = np.pad(samples, (0, whole - len(samples))).reshape(-1, _FOLD).sum(axis=0)
    level = np.sqrt(np.abs(rfft(folded)))
    loudest = level[_LOWEST_BIN:_HIGHEST_BIN].max()
    if not np.isfinite(loudest) or loudest <= 0:
        return np.zeros(LENGTH, np.float32)
    around = uniform_filter1d(level, _AROUND)
    heard = around / (around + np.sqrt(_FLOOR) * loudest)
    peaks = np.minimum(level / np.maximum(around, 1e-20) - 1, _LARGEST_PEAK) * heard
    chosen = peaks[_LOWEST_BIN:_HIGHEST_BIN:_STEP]
    length = np.linalg.norm(chosen)
    scaled: Float32[ndarray, " 819"] = (chosen / max(length, 1e-20)).astype(np.float32)
    return scaled


def same_recording(one: Samples, other: Samples) -> float:
    """How much of one sound is the other, shifted: the highest whitened cross-correlation, from 0 to 1.

    What is cut off at either end does not count, up to a fifth of the shorter sound: after both were aligned,
    only the stretch that they share is compared. It is 1 for a quieter copy, about 0.9 or more for one that
    was encoded with loss, and small for another recording, however similar it sounds.
    """
    shift, _ = _best_shift(one, other)
    start, end = max(round(shift), 0), min(len(one), len(other) + round(shift))
    if end - start < _COMMON * min(len(one), len(other)):
        return 0.0
    return _best_shift(one[start:end], other[start - round(shift) : end - round(shift)])[1]


def _best_shift(one: Samples, other: Samples) -> tuple[float, float]:
    """By how many samples `other` has to be delayed to fit `one` best, and how well it fits.

    Sounds were shifted by whole samples at another rate, so that fractions of a sample are tried as well.
    """
    length = next_fast_len(len(one) + len(other), real=True)
    spectra = [_whitened(samples, length) for samples in (one, other)]
    energy = np.prod([np.sum(np.square(np.abs(spectrum))) for spectrum in spectra])
    if not energy > 0:
        return 0.0, 0.0
    correlation = np.abs(irfft(spectra[0] * np.conj(spectra[1]), length * _FRACTIONS))
    place = int(correlation.argmax())
    score = float(min(correlation[place] * length * _FRACTIONS / 2 / np.sqrt(energy), 1.0))
    shift = place / _FRACTIONS
    return shift if shift < len(one) else shift - length, score


def _whitened(samples: Samples, length: int) -> Complex[ndarray, " frequencies"]:
    spectrum: Complex[ndarray, " frequencies"] = rfft(samples, length)
    level = np.abs(spectrum)
    loudest = level.max(initial=0)
    return spectrum / (level + _FLOOR * loudest) ** _WHITENING if loudest > 0 else spectrum

"""Non-speech: sounds that are no voice, from noise and tones to the events of the other worlds.

Some share what speech has: `flutter` has the rhythm of syllables, `harmonics` a pitch with overtones.
"""

import numpy as np
import soxr
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.sources.synthetic.sounds import MOST_EVENTS, SOUNDS, play
from safe_data.sources.synthetic.sounds import SAMPLE_RATE_HZ as EVENTS_RATE_HZ
from safe_data.sources.synthetic.speakers import SAMPLE_RATE_HZ

MADE = ("noise", "band", "tone", "sweep", "clicks", "flutter", "harmonics")
NON_SPEECH = (*MADE, *SOUNDS)
SECONDS = 2.0

_LOWEST_HZ, _HIGHEST_HZ = 150.0, 3500.0
_FEWEST_BEATS, _MOST_BEATS = 3, 7  # a second, of a flutter

Samples = Float[ndarray, " samples"]


def draw_non_speech(kind: str, rng: np.random.Generator) -> Samples:
    """Draw two seconds at 16 kHz of one kind of sound.

    Raises:
        InputError: there is no such kind.
    """
    if kind in SOUNDS:  # as many events as fit into each second, in noise that is hardly heard
        seconds = [play(kind, MOST_EVENTS, "easy", rng)[0] / 32767 for _ in range(round(SECONDS))]
        heard: Samples = soxr.resample(np.concatenate(seconds), EVENTS_RATE_HZ, SAMPLE_RATE_HZ)
        return heard
    times = np.arange(round(SECONDS * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    white = rng.standard_normal(len(times))
    match kind:
        case "noise":
            return _tilted(white, rng.uniform(0.0, 2.0))
        case "band":
            return _band(white, rng)
        case "tone":
            return _wave(np.full(len(times), _hertz(rng)))
        case "sweep":
            return _wave(np.geomspace(_hertz(rng), _hertz(rng), len(times)))
        case "clicks":
            return _clicks(len(times), rng)
        case "flutter":
            beats = rng.uniform(_FEWEST_BEATS, _MOST_BEATS)
            return _tilted(white, 1.0) * np.abs(np.sin(np.pi * beats * times)) ** 1.5
        case "harmonics":
            pitch = rng.uniform(90.0, 300.0)
            tones = (_wave(np.full(len(times), pitch * n)) / n for n in range(1, 11))
            return np.asarray(sum(tones, np.zeros_like(times)))
        case _:
            raise InputError(f"{kind!r} is none of the sounds {', '.join(NON_SPEECH)}")


def _hertz(rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(_LOWEST_HZ), np.log(_HIGHEST_HZ))))


def _wave(hertz: Samples) -> Samples:
    """A sine whose frequency changes with time."""
    return np.asarray(np.sin(2 * np.pi * np.cumsum(hertz) / SAMPLE_RATE_HZ))


def _tilted(white: Samples, steepness: float) -> Samples:
    """Noise whose power falls with frequency: by 3 dB an octave with steepness 1, as pink noise."""
    spectrum = np.fft.rfft(white)
    bins = np.maximum(np.arange(len(spectrum)), 20 * SECONDS)  # no louder below 20 Hz
    return np.fft.irfft(spectrum * bins ** (-steepness / 2), len(white))


def _band(white: Samples, rng: np.random.Generator) -> Samples:
    """Noise of one octave around a frequency."""
    middle = _hertz(rng)
    hertz = np.fft.rfftfreq(len(white), 1 / SAMPLE_RATE_HZ)
    inside = (hertz > middle / np.sqrt(2)) & (hertz < middle * np.sqrt(2))
    return np.fft.irfft(np.fft.rfft(white) * inside, len(white))


def _clicks(samples: int, rng: np.random.Generator) -> Samples:
    """Clicks of about a millisecond, at a steady rate."""
    wave = np.zeros(samples)
    wave[:: round(SAMPLE_RATE_HZ / rng.uniform(8.0, 40.0))] = 1.0
    shape = np.exp(-np.arange(64) / rng.uniform(4.0, 16.0)) * np.sin(np.arange(64) * rng.uniform(0.3, 2.0))
    return np.convolve(wave, shape)[:samples]

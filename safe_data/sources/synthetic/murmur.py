"""Murmur: a made voice that says nothing, to run beneath the sounds that questions are about.

It has what tells speech from other sounds: a buzz of harmonics whose pitch glides, formants that move from
one vowel to the next, and the rhythm of syllables. It has no words, and no question is about it.
"""

import numpy as np
from jaxtyping import Float
from numpy import ndarray

QUIETEST_DB, LOUDEST_DB = -32.0, -24.0

# Hz: the first three formants of five vowels, rounded means of men. Source: Peterson and Barney, "Control
# methods used in a study of the vowels", JASA 24 (1952), table II: i, ae, a, u, er.
_VOWELS = ((270, 2290, 3010), (660, 1720, 2410), (730, 1090, 2440), (300, 870, 2240), (490, 1350, 1690))
_BANDWIDTHS_HZ = (80.0, 110.0, 160.0)
_FORMANT_LEVELS = (1.0, 0.5, 0.25)
_LOWEST_PITCH_HZ, _HIGHEST_PITCH_HZ = 95.0, 210.0
_FEWEST_SYLLABLES, _MOST_SYLLABLES = 4, 6  # a second

Times = Float[ndarray, " samples"]


def draw_murmur(samples: int, sample_rate_hz: int, rng: np.random.Generator) -> Times:
    """Draw so many samples of a murmur; its level over the whole time is from −32 to −24 dB."""
    seconds = samples / sample_rate_hz
    syllables = max(1, round(seconds * rng.integers(_FEWEST_SYLLABLES, _MOST_SYLLABLES + 1)))
    places = np.linspace(0, syllables, samples, endpoint=False)  # time, counted in syllables
    middles = np.arange(syllables) + 0.5
    pitch = _pitch(places, middles, rng)
    turns = 2 * np.pi * np.cumsum(pitch) / sample_rate_hz
    vowels = np.array(_VOWELS, dtype=np.float64)[rng.integers(len(_VOWELS), size=syllables)]
    formants = [np.interp(places, middles, vowels[:, number]) for number in range(3)]
    wave = np.zeros(samples)
    for harmonic in range(1, int(0.45 * sample_rate_hz / _LOWEST_PITCH_HZ) + 1):
        hertz = harmonic * pitch
        gain = _gain(hertz, formants) / harmonic  # a voice's buzz falls with frequency
        wave += np.where(hertz < 0.45 * sample_rate_hz, gain, 0.0) * np.sin(harmonic * turns)
    wave *= _loudness(places, syllables, rng)
    level = 10 ** (rng.uniform(QUIETEST_DB, LOUDEST_DB) / 20)
    scaled: Times = level * wave / np.sqrt(np.mean(wave**2))
    return scaled


def _pitch(places: Times, middles: Times, rng: np.random.Generator) -> Times:
    """Hz at each place: it falls over the whole time, and each syllable has its own step up or down."""
    steps = rng.uniform(0.9, 1.1, size=len(middles))
    base = rng.uniform(_LOWEST_PITCH_HZ / 0.75, _HIGHEST_PITCH_HZ)
    fall = np.linspace(1.0, 0.85, len(places))
    pitch: Times = base * fall * np.interp(places, middles, steps)
    return pitch


def _gain(hertz: Times, formants: list[Times]) -> Times:
    """How strongly a frequency sounds through resonances at these formants."""
    gains = [
        level / np.sqrt(1 + ((hertz - formant) / width) ** 2)
        for formant, width, level in zip(formants, _BANDWIDTHS_HZ, _FORMANT_LEVELS, strict=True)
    ]
    gain: Times = np.sum(gains, axis=0)
    return gain


def _loudness(places: Times, syllables: int, rng: np.random.Generator) -> Times:
    """A hump for each syllable, some of them stressed, and nearly nothing between two."""
    stress = rng.uniform(0.4, 1.0, size=syllables)
    within = places - np.floor(places)
    loudness: Times = stress[places.astype(int)] * np.sin(np.pi * within) ** 1.5
    return loudness

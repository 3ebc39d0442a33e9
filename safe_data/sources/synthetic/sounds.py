"""Sounds of the synthetic worlds: up to four events of the same kind in one second; there are six kinds.

Place, length, pitch and loudness vary per event; the background is noise, louder in harder clips, and in some
worlds also a murmur.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int16
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.records import Event
from safe_data.sources.synthetic.murmur import draw_murmur

SOUNDS = ("bell", "knock", "whistle", "hiss", "horn", "chirp")
SAMPLE_RATE_HZ = 8000
CLIP_SECONDS = 1.0
MOST_EVENTS = 4
NOISE_DB = {"easy": -56.0, "medium": -46.0, "hard": -36.0, "harder": -20.0, "hardest": -8.0}

# One slot per event, so that events never touch and a listener can count them.
_SLOT_SECONDS = CLIP_SECONDS / MOST_EVENTS
_EARLIEST_SECONDS, _LATEST_SECONDS = 0.01, 0.07
_SHORTEST_SECONDS, _LONGEST_SECONDS = 0.11, 0.15
_QUIETEST, _LOUDEST = 0.25, 0.8

Times = Float[ndarray, " samples"]


class Mixed(NamedTuple):
    """One second of 16-bit sound at 8 kHz, its events, and how far they stand out.

    `snr_db` is the mean power of the events over that of all else, where there are events. It is measured
    before the two are added up, and None where nothing is heard.
    """

    samples: Int16[ndarray, " samples"]
    events: list[Event]
    snr_db: float | None


def play(
    kind: str, count: int, difficulty: str, rng: np.random.Generator
) -> tuple[Int16[ndarray, " samples"], list[Event]]:
    """Make one second of 16-bit sound at 8 kHz with `count` events of a kind; return it with the events."""
    mixed = mix(kind, count, difficulty, rng)
    return mixed.samples, mixed.events


def mix(
    kind: str | None, count: int, difficulty: str, rng: np.random.Generator, *, murmur: bool = False
) -> Mixed:
    """Make a sound with `count` events of a kind, noise, and perhaps a murmur; no kind and 0 is silence."""
    noise = 10 ** (NOISE_DB[difficulty] / 20) * rng.standard_normal(round(CLIP_SECONDS * SAMPLE_RATE_HZ))
    heard, is_event = np.zeros_like(noise), np.zeros(len(noise), bool)
    events = []
    for slot in sorted(rng.choice(MOST_EVENTS, size=count, replace=False).tolist()) if kind else ():
        start = round(
            (slot * _SLOT_SECONDS + rng.uniform(_EARLIEST_SECONDS, _LATEST_SECONDS)) * SAMPLE_RATE_HZ
        )
        length = round(rng.uniform(_SHORTEST_SECONDS, _LONGEST_SECONDS) * SAMPLE_RATE_HZ)
        span = slice(start, start + length)
        heard[span] = rng.uniform(_QUIETEST, _LOUDEST) * _event(str(kind), length, rng)
        is_event[span] = True
        seconds = {"start": start / SAMPLE_RATE_HZ, "end": (start + length) / SAMPLE_RATE_HZ}
        events.append(Event(label=str(kind), **seconds))
    if murmur:
        noise += draw_murmur(len(noise), SAMPLE_RATE_HZ, rng)
    snr_db = None
    if events:
        power, rest = (float(np.mean(part[is_event] ** 2)) for part in (heard, noise))
        snr_db = round(10 * float(np.log10(power / rest)), 2)
    whole = noise + heard
    whole /= max(1.0, np.abs(whole).max())  # as a recorder turns down what would be cut off
    return Mixed(np.round(whole * 32767).astype(np.int16), events, snr_db)


def _event(kind: str, length: int, rng: np.random.Generator) -> Times:
    """One event with a peak of 1, faded over 4 ms at both ends so that clicks do not give its kind away."""
    times = np.arange(length) / SAMPLE_RATE_HZ
    wave = _wave(kind, times, rng.uniform(0.87, 1.15), rng.standard_normal(length))
    wave *= np.minimum(1, np.minimum(times, times[::-1]) / 0.004)
    wave /= np.abs(wave).max()
    return wave


def _wave(kind: str, times: Times, pitch: float, noise: Times) -> Times:
    """The sound of a kind; kinds differ in where their energy is in frequency, and how it moves."""
    wave: Times
    match kind:
        case "bell":  # partials of a struck bar, ringing out
            wave = sum((_tone(times, 780 * pitch * r) / r for r in (1.0, 2.76, 4.2)), np.zeros_like(times))
            wave *= np.exp(-18 * times)
        case "knock":
            wave = np.exp(-45 * times) * _tone(times, 130 * pitch) + 0.3 * np.exp(-500 * times) * noise
        case "whistle":
            wave = _tone(times, pitch * (1150 + 850 * times / times[-1]))
        case "hiss":  # the difference of white noise is stronger at higher frequencies
            wave = np.diff(noise, prepend=0.0)
        case "horn":
            wave = sum((_tone(times, 290 * pitch * k) / k for k in range(1, 9)), np.zeros_like(times))
        case "chirp":
            wave = _tone(times, pitch * (2750 + 450 * np.sin(2 * np.pi * 38 * times)))
        case _:
            raise InputError(f"{kind!r} is none of the synthetic sounds {', '.join(SOUNDS)}")
    return wave


def _tone(times: Times, hertz: float | Times) -> Times:
    """A sine; its frequency may change with time."""
    wave: Times = np.sin(2 * np.pi * np.cumsum(np.broadcast_to(hertz, times.shape)) / SAMPLE_RATE_HZ)
    return wave

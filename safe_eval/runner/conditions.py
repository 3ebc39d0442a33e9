"""Conditions applied: what is done to the waveform, the picture or the gate before a model gets an input."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray
from numpy.random import Generator

from safe_data.core.errors import InputError
from safe_data.records import Record
from safe_eval.models.model import Input
from safe_eval.prediction import CONDITIONS, changes_sound, snr_db

if TYPE_CHECKING:
    from PIL.Image import Image

Waveform = Float32[ndarray, " samples"]
GREY = (128, 128, 128)


def apply_condition(
    condition: str, given: Input, rng: Generator, other: tuple[Waveform, int] | None = None
) -> Input:
    """The input as a condition leaves it; without a sound or a picture there is nothing to change.

    `other` is the sound that `swap_audio` puts in, with its rate in Hz. Noise is Gaussian and scaled to the
    exact RMS asked for, so single samples may exceed 1.

    Raises:
        InputError: an unknown condition.
    """
    if condition == "full":
        return given
    if condition == "gate_off":
        return replace(given, gate=0.0)
    if condition == "mute_vision":
        return given if given.image is None else replace(given, image=_grey(given.image))
    if not changes_sound(condition):
        raise InputError(f"unknown condition {condition!r}; there are {', '.join(CONDITIONS)}, snr_<n>db")
    if given.audio is None:
        return given
    if condition == "swap_audio":
        if other is None:
            raise ValueError("swap_audio needs the other sound")
        return replace(given, audio=other[0], sample_rate_hz=other[1])
    if condition == "mute_audio":
        return replace(given, audio=np.zeros_like(given.audio))
    below_db = snr_db(condition)
    if below_db is None:
        return replace(given, audio=noise(given.audio, rng))
    return replace(given, audio=given.audio + noise(given.audio, rng) * np.float32(10 ** (-below_db / 20)))


def noise(sound: Waveform, rng: Generator) -> Waveform:
    """White Gaussian noise of a sound's length and RMS."""
    white = rng.standard_normal(len(sound))
    scale = _rms(sound) / _rms(white) if len(sound) else 0.0
    return (white * scale).astype(np.float32)


def record_rng(seed: int, record_id: str) -> Generator:
    """Draws for one record that depend on neither its place nor its batch."""
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(record_id.encode()).digest()[:8])])


def _grey(image: "Image") -> "Image":
    from PIL.Image import new

    return new("RGB", image.size, GREY)


def _rms(sound: Float[ndarray, " samples"]) -> float:
    return float(np.sqrt(np.square(sound, dtype=np.float64).mean()))


_ROUNDS, _TRIES = 50, 20  # of exchanging sources until none shares a group or an answer
_SAME_GROUP = 1000  # outweighs any number of shared answers


def swap_partners(records: Sequence[Record], seed: int) -> dict[int, int]:
    """For each record with a sound, the place of another one whose sound it hears instead.

    Partners never share a group. Each sound is used once, so that the sounds heard are the same ones as
    without swapping, and partners' answers about the sound differ where that is possible.

    Raises:
        InputError: some record has no sound of another group to swap with.
    """
    places = [place for place, record in enumerate(records) if record.audio is not None]
    heard = [_heard(records[place]) for place in places]

    def fault(listener: int, source: int) -> int:
        same_group = records[places[listener]].group == records[places[source]].group
        return _SAME_GROUP * same_group + len(heard[listener] & heard[source])

    rng = np.random.default_rng(seed)
    source = rng.permutation(len(places)).tolist()
    for _ in range(_ROUNDS):
        faulty = [i for i in range(len(places)) if fault(i, source[i])]
        if not faulty:
            break
        for i in faulty:
            for j in rng.integers(len(places), size=_TRIES).tolist():
                if fault(i, source[j]) + fault(j, source[i]) < fault(i, source[i]) + fault(j, source[j]):
                    source[i], source[j] = source[j], source[i]
                    break
    partners = {place: places[source[i]] for i, place in enumerate(places)}
    for place, partner in partners.items():
        if records[place].group == records[partner].group:
            partners[place] = _any_other(records, places, place, rng)
    return partners


def _any_other(records: Sequence[Record], places: Sequence[int], place: int, rng: Generator) -> int:
    """A sound of another group, used a second time: one group holds more than half of all sounds."""
    others = [other for other in places if records[other].group != records[place].group]
    if not others:
        raise InputError(
            f"swap_audio: every sound is of the group {records[place].group!r}; it takes sounds of two groups"
        )
    return others[int(rng.integers(len(others)))]


def _heard(record: Record) -> frozenset[tuple[object, ...]]:
    """What can be told from the record's sound: its label, and the answers that need it."""
    answers = {(example.prompt, example.references) for example in record.examples if example.needs_audio}
    return frozenset(answers | ({(record.label,)} if record.label is not None else set()))

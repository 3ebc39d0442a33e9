"""Conditions: what is done to the sound, the picture or the gate before a model gets an input."""

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
from safe_eval.prediction import changes_sound, snr_db, unknown_condition

if TYPE_CHECKING:
    from PIL.Image import Image

Waveform = Float32[ndarray, " samples"]
GREY = (128, 128, 128)
_ROUNDS, _TRIES = 50, 20  # of exchanging sources until no record hears its own group or its own answers
_SAME_GROUP = 1000  # outweighs any number of shared answers


def apply_condition(
    condition: str, given: Input, rng: Generator, swapped_in: tuple[Waveform, int] | None = None
) -> Input:
    """Apply a condition to an input. An input without a sound, or without a picture, has none to change.

    `swapped_in` is the sound that `swap_audio` sends instead, and its sample rate in Hz. Noise is Gaussian
    and is scaled to exactly the RMS asked for, so single samples may exceed 1.

    Raises:
        InputError: the condition is unknown.
    """
    if condition == "full":
        return given
    if condition == "gate_off":
        return replace(given, gate=0.0)
    if condition == "mute_vision":
        return given if given.image is None else replace(given, image=_grey(given.image))
    if not changes_sound(condition):
        raise InputError(unknown_condition(condition))
    if given.audio is None:
        return given
    if condition == "swap_audio":
        if swapped_in is None:
            raise ValueError("swap_audio needs the other sound")
        return replace(given, audio=swapped_in[0], sample_rate_hz=swapped_in[1])
    if condition == "mute_audio":
        return replace(given, audio=np.zeros_like(given.audio))
    below_db = snr_db(condition)
    if below_db is None:
        return replace(given, audio=noise(given.audio, rng))
    return replace(given, audio=given.audio + noise(given.audio, rng) * np.float32(10 ** (-below_db / 20)))


def noise(sound: Waveform, rng: Generator) -> Waveform:
    """White Gaussian noise with the length and the RMS of a sound."""
    white = rng.standard_normal(len(sound))
    scale = _rms(sound) / _rms(white) if len(sound) else 0.0
    return (white * scale).astype(np.float32)


def record_rng(seed: int, record_id: str) -> Generator:
    """A generator for one record, whatever its place in the dataset or in a batch."""
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(record_id.encode()).digest()[:8])])


def swap_partners(records: Sequence[Record], seed: int) -> dict[int, int]:
    """For each record with a sound, the index of the record whose sound it hears under `swap_audio`.

    Partners are never of the same group. Each sound is used once, so the same sounds are heard as without
    swapping. Where possible, the two partners have different answers about their sounds.

    Raises:
        InputError: all sounds are of one group, so there is nothing to swap with.
    """
    with_sound = [index for index, record in enumerate(records) if record.audio is not None]
    facts = [_facts_of_sound(records[index]) for index in with_sound]

    def fault(listener: int, source: int) -> int:
        same_group = records[with_sound[listener]].group == records[with_sound[source]].group
        return _SAME_GROUP * same_group + len(facts[listener] & facts[source])

    rng = np.random.default_rng(seed)
    source = rng.permutation(len(with_sound)).tolist()
    for _ in range(_ROUNDS):
        faulty = [i for i in range(len(with_sound)) if fault(i, source[i])]
        if not faulty:
            break
        for i in faulty:
            for j in rng.integers(len(with_sound), size=_TRIES).tolist():
                if fault(i, source[j]) + fault(j, source[i]) < fault(i, source[i]) + fault(j, source[j]):
                    source[i], source[j] = source[j], source[i]
                    break
    partners = {index: with_sound[source[i]] for i, index in enumerate(with_sound)}
    for index, partner in partners.items():
        if records[index].group == records[partner].group:
            partners[index] = _any_of_another_group(records, with_sound, index, rng)
    return partners


def _any_of_another_group(
    records: Sequence[Record], with_sound: Sequence[int], index: int, rng: Generator
) -> int:
    """A sound of another group, used a second time: one group holds more than half of all sounds."""
    possible = [partner for partner in with_sound if records[partner].group != records[index].group]
    if not possible:
        raise InputError(
            f"swap_audio: every sound is of the group {records[index].group!r}; it takes sounds of two groups"
        )
    return possible[int(rng.integers(len(possible)))]


def _facts_of_sound(record: Record) -> frozenset[tuple[object, ...]]:
    """What can be told from the record's sound: its label, and the answers that need the sound."""
    answers = {(example.prompt, example.references) for example in record.examples if example.needs_audio}
    return frozenset(answers | ({(record.label,)} if record.label is not None else set()))


def _grey(image: "Image") -> "Image":
    from PIL.Image import new

    return new("RGB", image.size, GREY)


def _rms(sound: Float[ndarray, " samples"]) -> float:
    return float(np.sqrt(np.square(sound, dtype=np.float64).mean()))

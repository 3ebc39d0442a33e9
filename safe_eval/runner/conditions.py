"""Conditions: what is done to the sound, the picture or the gate before a model gets an input.

A condition is a pure function of a record, a seed, the media of the record and those of one partner. It reads
media only when what it sends is read, so that a model which needs no samples costs no decoding.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray
from numpy.random import Generator

from safe_data.core.errors import InputError
from safe_data.media.sound import Sound
from safe_data.records import Record
from safe_eval.condition import changes_sound, is_condition, snr_db, unknown_condition
from safe_eval.models.model import ReadPicture, ReadSound

if TYPE_CHECKING:
    from PIL.Image import Image

Waveform = Float32[ndarray, " samples"]
GREY = (128, 128, 128)
_ROUNDS, _TRIES = 50, 20  # of exchanging sources until no record hears its own group or its own answers
_SAME_GROUP = 1000  # outweighs any number of shared answers


class Media(NamedTuple):
    """How to read the sound and the picture of a record; None for one that it does not have."""

    sound: ReadSound | None
    picture: ReadPicture | None


class Partner(NamedTuple):
    """The record whose sound or picture is sent instead."""

    record_id: str
    media: Media


class Sent(NamedTuple):
    """What a model is sent, and the same in words for the row's `metadata.sent`.

    `note` says of the sound "own", "silence", "noise", "of:RECORD" or "own:CHANGE", of the picture "own" or
    "grey", and None for what is not sent.
    """

    sound: ReadSound | None
    picture: ReadPicture | None
    gate: float
    note: dict[str, Any]


def check_conditions(conditions: Sequence[str], *, has_sound: bool, has_picture: bool) -> None:
    """Refuse conditions that cannot be run on records of which some have a sound, or a picture.

    Raises:
        InputError: one is unknown, given twice or has nothing to change, or there is none.
    """
    if not conditions or len(set(conditions)) < len(conditions):
        raise InputError(f"conditions {list(conditions)}: give at least one, and none twice")
    for condition in conditions:
        if not is_condition(condition):
            raise InputError(unknown_condition(condition))
        if changes_sound(condition) and not has_sound:
            raise InputError(f"{condition}: no record has a sound, so there is nothing to change")
        if condition == "mute_vision" and not has_picture:
            raise InputError("mute_vision: no record has a picture, so there is nothing to change")


def apply_condition(
    condition: str, record: Record, seed: int, own: Media, partner: Partner | None = None
) -> Sent:
    """Apply a condition to a record. One without a sound, or without a picture, has none to change.

    `partner` is the record whose sound `swap_audio` sends. Noise is Gaussian and is scaled to exactly the RMS
    asked for, so single samples may exceed 1.

    Raises:
        InputError: the condition is unknown.
        ValueError: the condition needs a partner.
    """
    sound, heard = own.sound, None if own.sound is None else "own"
    picture, seen = own.picture, None if own.picture is None else "own"
    gate = 1.0
    if condition == "gate_off":
        gate = 0.0
    elif condition == "mute_vision":
        if own.picture is not None:
            picture, seen = _greyed(own.picture), "grey"
    elif changes_sound(condition):
        if own.sound is not None:
            sound, heard = _change_sound(condition, record, seed, own.sound, partner)
    elif condition != "full":
        raise InputError(unknown_condition(condition))
    return Sent(sound, picture, gate, {"sound": heard, "picture": seen, "gate": gate})


def _change_sound(
    condition: str, record: Record, seed: int, own: ReadSound, partner: Partner | None
) -> tuple[ReadSound, str]:
    """The sound that is sent instead of the record's own, and what it is."""
    if condition == "swap_audio":
        if partner is None or partner.media.sound is None:
            raise ValueError("swap_audio needs the other sound")
        return partner.media.sound, f"of:{partner.record_id}"
    if condition == "mute_audio":
        return _changed(own, np.zeros_like), "silence"
    below_db = snr_db(condition)
    if below_db is None:
        return _changed(own, lambda samples: noise(samples, record_rng(seed, record.id))), "noise"
    share = np.float32(10 ** (-below_db / 20))
    return (
        _changed(own, lambda samples: samples + noise(samples, record_rng(seed, record.id)) * share),
        f"own:{condition}",
    )


def _changed(read: ReadSound, change: Callable[[Waveform], Waveform]) -> ReadSound:
    def changed() -> Sound:
        sound = read()
        return replace(sound, samples=change(sound.samples))

    return changed


def noise(sound: Waveform, rng: Generator) -> Waveform:
    """White Gaussian noise with the length and the RMS of a sound."""
    white = rng.standard_normal(len(sound))
    scale = _rms(sound) / _rms(white) if len(sound) else 0.0
    return (white * scale).astype(np.float32)


def record_rng(seed: int, record_id: str) -> Generator:
    """A generator for one record, whatever its place in the dataset or in a batch."""
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(record_id.encode()).digest()[:8])])


def partners_of(condition: str, records: Sequence[Record], seed: int) -> dict[int, int]:
    """For each record, the index of the record whose sound or picture it gets under a condition.

    Raises:
        InputError: there is nothing to get from another.
    """
    return swap_partners(records, seed) if condition == "swap_audio" else {}


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


def _greyed(read: ReadPicture) -> ReadPicture:
    def greyed() -> "Image":
        from PIL.Image import new

        return new("RGB", read().size, GREY)

    return greyed


def _rms(sound: Float[ndarray, " samples"]) -> float:
    return float(np.sqrt(np.square(sound, dtype=np.float64).mean()))

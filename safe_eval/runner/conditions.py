"""Conditions: what is done to the sound, the picture or the gate before a model gets an input.

A condition is a pure function of a record, a seed, the media of the record and those of one partner. It reads
media only when what it sends is read, so that a model which needs no samples costs no decoding.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from safe_data.core.errors import InputError
from safe_data.media.sound import Sound
from safe_data.records import Record
from safe_eval.condition import (
    changes_picture,
    changes_sound,
    condition_parts,
    is_condition,
    unknown_condition,
)
from safe_eval.models.model import ReadPicture, ReadSound
from safe_eval.runner.changed_sounds import (
    Waveform,
    clip,
    codec_mp3,
    is_dropped,
    lowpass,
    noise,
    record_rng,
    reverb,
    shift,
    with_noise,
)

if TYPE_CHECKING:
    from PIL.Image import Image

GREY = (128, 128, 128)
LEFT_OUT = "left out"


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

    `note` says of the sound "own", "silence", "noise", "of:RECORD" or "own:CHANGE", of the picture "own",
    "grey", "of:RECORD" or "own:blur", of either "left out", and None for what a record does not have.
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
        if lacking := what_lacks(condition, has_sound=has_sound, has_picture=has_picture):
            raise InputError(f"{condition}: no record has a {lacking}, so there is nothing to change")


def what_lacks(condition: str, *, has_sound: bool, has_picture: bool) -> str | None:
    """What a condition would change and records do not have: a sound, a picture, or nothing.

    >>> what_lacks("mute_audio", has_sound=False, has_picture=True)
    'sound'
    """
    sound, picture = changes_sound(condition), changes_picture(condition)
    if sound and not has_sound and not (picture and has_picture):
        return "sound"
    if picture and not has_picture and not (sound and has_sound):
        return "picture"
    return None


def apply_condition(
    condition: str, record: Record, seed: int, own: Media, partner: Partner | None = None
) -> Sent:
    """Apply a condition to a record. One without a sound, or without a picture, has none to change.

    `partner` is the record whose sound or picture is sent instead. Noise is Gaussian and is scaled to exactly
    the RMS asked for, so single samples may exceed 1. What is dropped or left out is not sent at all.

    Raises:
        InputError: the condition is unknown.
        ValueError: the condition needs a partner, or no sound contradicts this one.
    """
    parts = condition_parts(condition)
    if parts is None:
        raise InputError(unknown_condition(condition))
    kind, number = parts
    sound, heard = own.sound, None if own.sound is None else "own"
    picture, seen = own.picture, None if own.picture is None else "own"
    if own.sound is not None and changes_sound(condition):
        sound, heard = _change_sound(kind, number or 0.0, condition, record, seed, own.sound, partner)
    if own.picture is not None and changes_picture(condition):
        picture, seen = _change_picture(kind, number or 0.0, record, seed, own.picture, partner)
    gate = 0.0 if kind == "gate_off" else 1.0
    return Sent(sound, picture, gate, {"sound": heard, "picture": seen, "gate": gate})


def _change_sound(
    kind: str,
    number: float,
    condition: str,
    record: Record,
    seed: int,
    own: ReadSound,
    partner: Partner | None,
) -> tuple[ReadSound | None, str]:
    """The sound that is sent instead of the record's own, and what it is."""
    if kind in ("swap_audio", "contradict"):
        if partner is None or partner.media.sound is None:
            why = "no sound says something else" if kind == "contradict" else "it needs the other sound"
            raise ValueError(f"{kind}: {why}")
        return partner.media.sound, f"of:{partner.record_id}"
    if kind == "mute_audio":
        return _changed(own, lambda sound: np.zeros_like(sound.samples)), "silence"
    if kind == "noise_audio":
        return _changed(own, lambda sound: noise(sound.samples, record_rng(seed, record.id))), "noise"
    if kind == "text_only":
        return None, LEFT_OUT
    if kind == "drop":
        return (None, LEFT_OUT) if is_dropped(seed, record.id, "sound", number) else (own, "own")
    changes: dict[str, Callable[[Sound], Waveform]] = {
        "snr": lambda sound: with_noise(sound.samples, record_rng(seed, record.id), number),
        "lowpass": lambda sound: lowpass(sound, number),
        "codec_mp3": lambda sound: codec_mp3(sound, round(number)),
        "reverb": reverb,
        "clip": lambda sound: clip(sound, number),
        "shift": lambda sound: shift(sound, number),
    }
    return _changed(own, changes[kind]), f"own:{condition}"


def _changed(read: ReadSound, change: Callable[[Sound], Waveform]) -> ReadSound:
    def changed() -> Sound:
        sound = read()
        return replace(sound, samples=change(sound))

    return changed


def _change_picture(
    kind: str, number: float, record: Record, seed: int, own: ReadPicture, partner: Partner | None
) -> tuple[ReadPicture | None, str]:
    """The picture that is sent instead of the record's own, and what it is."""
    if kind == "swap_vision":
        if partner is None or partner.media.picture is None:
            raise ValueError("swap_vision: it needs the other picture")
        return partner.media.picture, f"of:{partner.record_id}"
    if kind == "mute_vision":
        return (lambda: greyed(own())), "grey"
    if kind == "blur":
        return (lambda: blurred(own())), "own:blur"
    if kind == "drop" and not is_dropped(seed, record.id, "picture", number):
        return own, "own"
    return None, LEFT_OUT


def greyed(picture: "Image") -> "Image":
    """A uniform grey picture of the same size."""
    from PIL.Image import new

    return new("RGB", picture.size, GREY)


def blurred(picture: "Image") -> "Image":
    """A picture blurred by a Gaussian whose standard deviation is a sixteenth of its shorter side."""
    from PIL.ImageFilter import GaussianBlur

    return picture.filter(GaussianBlur(min(picture.size) / 16))

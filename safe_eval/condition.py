"""Condition: what was done to the input before the model saw it, by its name and its number."""

import math
import re
from functools import lru_cache
from typing import NamedTuple

from safe_data.core.errors import did_you_mean

# What each does. Those with a number are written with it, such as snr_10db: see `condition_parts`.
CONDITIONS = {
    "full": "nothing",
    "mute_audio": "the sound replaced by digital silence of the same length",
    "noise_audio": "the sound replaced by noise of the same loudness",
    "swap_audio": "the sound replaced by a sound of another group",
    "reverb": "the sound as in a hall",
    "mute_vision": "the picture replaced by uniform grey",
    "swap_vision": "the picture replaced by a picture of another group",
    "blur": "the picture blurred",
    "contradict": "the sound replaced by a sound that says something else",
    "text_only": "neither sound nor picture",
    "gate_off": "the audio pathway switched off",
}


class Family(NamedTuple):
    """Conditions that differ in a number: how they are written, the least and most, and what they do."""

    written: str
    least: float
    most: float
    does: str


FAMILIES = {
    "snr": Family("snr_<n>db", -999, 999, "noise added at this signal-to-noise ratio"),
    "lowpass": Family("lowpass_<hz>", 1, 192_000, "the sound without what lies above this frequency"),
    "codec_mp3": Family("codec_mp3_<kbps>", 8, 320, "the sound as MP3 of this rate plays it"),
    "clip": Family("clip_<seconds>", 0.01, 3600, "only the first seconds of the sound"),
    "shift": Family("shift_<ms>", -60_000, 60_000, "the sound later, or with a minus earlier"),
    "drop": Family("drop_<percent>", 0, 100, "sound and picture each left out with this probability"),
}
_WRITTEN = {
    "snr": re.compile(r"snr_(-?\d{1,3})db"),
    "lowpass": re.compile(r"lowpass_(\d{1,6})"),
    "codec_mp3": re.compile(r"codec_mp3_(\d{1,3})"),
    "clip": re.compile(r"clip_(\d{1,4}(?:\.\d{1,3})?)"),
    "shift": re.compile(r"shift_(-?\d{1,5})"),
    "drop": re.compile(r"drop_(\d{1,3})"),
}
KNOWN = ", ".join([*CONDITIONS, *(family.written for family in FAMILIES.values())])
_SOUND = frozenset(("mute_audio", "noise_audio", "swap_audio", "reverb", "contradict", "text_only"))
_SOUND_FAMILIES = frozenset(FAMILIES)  # `drop` changes some sounds
_PICTURE = frozenset(("mute_vision", "swap_vision", "blur", "text_only", "drop"))


@lru_cache(maxsize=1024)  # every row of a file names one
def condition_parts(condition: str) -> tuple[str, float | None] | None:
    """The kind of a condition and its number; None for one that is not known.

    >>> condition_parts("snr_-5db"), condition_parts("clip_0.5"), condition_parts("full")
    (('snr', -5.0), ('clip', 0.5), ('full', None))
    >>> condition_parts("lowpass_0"), condition_parts("mute_adio")
    (None, None)
    """
    if condition in CONDITIONS:
        return condition, None
    for kind, pattern in _WRITTEN.items():
        if match := pattern.fullmatch(condition):
            number = float(match[1])
            family = FAMILIES[kind]
            return (kind, number) if family.least <= number <= family.most else None
    return None


def is_condition(name: str) -> bool:
    """Whether a condition is known. A misspelt condition must not pass as a new one."""
    return condition_parts(name) is not None


def unknown_condition(name: str) -> str:
    """A message about a condition that is not known, with the nearest one that is.

    >>> unknown_condition("mute_adio")
    "unknown condition 'mute_adio'; did you mean 'mute_audio'?"
    """
    return f"unknown condition {name!r}; {condition_hint(name) or f'there are {KNOWN}'}"


@lru_cache(maxsize=128)  # a misspelt condition is misspelt in all rows
def condition_hint(name: str) -> str:
    """What a misspelt condition may have meant, or the range of its number; empty if nothing is near."""
    for kind, pattern in _WRITTEN.items():
        if pattern.fullmatch(name):
            family = FAMILIES[kind]
            return f"{family.written} takes a number from {family.least:g} to {family.most:g}"
    for kind, family in FAMILIES.items():
        if name.startswith(kind):
            return f"such a condition is written {family.written}"
    return did_you_mean(name, CONDITIONS)


def snr_db(condition: str) -> int | None:
    """The signal-to-noise ratio in dB of a condition `snr_<n>db`; None for other conditions.

    >>> snr_db("snr_-5db"), snr_db("full")
    (-5, None)
    """
    number = condition_number("snr", condition)
    return None if number is None else int(number)


def condition_number(kind: str, condition: str) -> float | None:
    """The number of a condition of one kind; None for other conditions.

    >>> condition_number("lowpass", "lowpass_4000"), condition_number("lowpass", "snr_10db")
    (4000.0, None)
    """
    parts = condition_parts(condition)
    if parts is None or parts[0] != kind or parts[1] is None or not math.isfinite(parts[1]):
        return None
    return parts[1]


def changes_sound(condition: str) -> bool:
    """Whether a condition changes the sound, and so needs one; `drop` changes some of them."""
    parts = condition_parts(condition)
    return parts is not None and (parts[0] in _SOUND or parts[0] in _SOUND_FAMILIES)


def changes_picture(condition: str) -> bool:
    """Whether a condition changes the picture, and so needs one; `drop` changes some of them."""
    parts = condition_parts(condition)
    return parts is not None and parts[0] in _PICTURE

"""Conditions applied: what is done to the waveform, the picture or the gate before a model gets an input."""

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32
from numpy import ndarray
from numpy.random import Generator

from safe_data.errors import InputError
from safe_eval.models import Input
from safe_eval.predictions import CONDITIONS, snr_db

if TYPE_CHECKING:
    from PIL.Image import Image

Waveform = Float32[ndarray, " samples"]

GREY = (128, 128, 128)


def changes_sound(condition: str) -> bool:
    """Whether a condition needs a sound that it can change."""
    return condition in ("mute_audio", "noise_audio", "swap_audio") or snr_db(condition) is not None


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

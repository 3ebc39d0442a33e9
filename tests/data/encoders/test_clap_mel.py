"""ClapMel against ClapFeatureExtractor: the same numbers, whatever the filters, the padding, the sound."""

import numpy as np
import pytest
import torch
from folders import STAMPS, needs_stamps
from jaxtyping import Float32
from numpy import ndarray
from tiny_encoders import sound
from transformers import ClapFeatureExtractor

from safe_data.core.errors import InputError
from safe_data.encoders.clap_mel import ClapMel
from safe_data.media.decode import decode_audio

RATE = 48_000
Samples = Float32[ndarray, " samples"]

noise = np.random.default_rng(0).standard_normal(10 * RATE).astype("f4")
SOUNDS = {
    "noise": 0.1 * noise,
    "full-scale sine": np.sin(2 * np.pi * 1000 / RATE * np.arange(10 * RATE)).astype("f4"),
    "tones over noise": sound(10, RATE),
    "silence": np.zeros(10 * RATE, np.float32),
    "square noise": np.sign(noise),
    "whisper": 1e-5 * noise,
    "a click": np.eye(1, 10 * RATE, 5 * RATE, dtype=np.float32)[0],
    "7.3 s": sound(7.3, RATE),
    "2.5 s": sound(2.5, RATE),
    "0.3 s": sound(0.3, RATE),
    "one sample": np.ones(1, np.float32),
}


def largest_difference(extractor: ClapFeatureExtractor, clip: Samples) -> float:
    mel = ClapMel.read(extractor.to_dict())
    ours = mel.features(torch.from_numpy(mel.fill(clip))[None])[0, 0].numpy()
    reference = extractor(clip, sampling_rate=RATE, return_tensors="np")["input_features"][0, 0]
    assert ours.shape == reference.shape == (mel.frames, 64)
    return float(np.abs(ours - reference).max())


@pytest.mark.parametrize("truncation", ["fusion", "rand_trunc"])
@pytest.mark.parametrize("name", SOUNDS)
def test_features_equal_the_references(name: str, truncation: str) -> None:
    assert largest_difference(ClapFeatureExtractor(truncation=truncation), SOUNDS[name]) < 1e-4


@pytest.mark.parametrize("padding", ["repeatpad", "repeat", "pad"])
def test_short_sounds_are_filled_up_as_the_settings_say(padding: str) -> None:
    extractor = ClapFeatureExtractor(truncation="rand_trunc", padding=padding)
    for seconds in (0.7, 4.9, 5.0, 10.0):
        assert largest_difference(extractor, sound(seconds, RATE)) < 1e-4


def test_other_settings_are_followed() -> None:
    extractor = ClapFeatureExtractor(
        truncation="rand_trunc", max_length_s=2, fft_window_size=800, hop_length=300, frequency_min=50
    )
    assert largest_difference(extractor, sound(1.5, RATE)) < 1e-4


def test_the_two_filter_banks_differ() -> None:
    fused, unfused = (
        ClapMel.read(ClapFeatureExtractor(truncation=name).to_dict()) for name in ("fusion", "rand_trunc")
    )
    window = torch.from_numpy(SOUNDS["noise"])[None]
    assert (fused.features(window) - unfused.features(window)).abs().max() > 1


@needs_stamps
def test_features_of_real_sounds_equal_the_references() -> None:
    files = sorted(STAMPS.rglob("*.ogg"))[::8]
    assert files
    for truncation in ("fusion", "rand_trunc"):
        extractor = ClapFeatureExtractor(truncation=truncation)
        for file in files:
            clip = decode_audio(file.read_bytes(), RATE).samples[: 10 * RATE]
            assert largest_difference(extractor, clip) < 1e-4, file.name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampling_rate": None}, "cannot be read"),
        ({"hop_length": 0}, "make no sense"),
        ({"fft_window_size": 10**9}, "make no sense"),
        ({"max_length_s": 10**6}, "make no sense"),
        ({"frequency_max": 99_000}, "make no sense"),
        ({"padding": "mirror"}, "make no sense"),
    ],
)
def test_settings_that_make_no_sense_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        ClapMel.read({**ClapFeatureExtractor().to_dict(), **change})

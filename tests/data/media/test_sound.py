"""Samples are mixed to one channel and resampled to exactly the right number."""

import numpy as np
import pytest
from folders import sound_bytes
from hypothesis import given, settings
from hypothesis import strategies as st
from videos import chirp

from safe_data.media.decode import decode_audio, decode_pcm
from safe_data.media.sound import resample, to_mono


def test_channels_are_averaged() -> None:
    stereo = np.array([[0.5, -0.25], [0.25, 0.25]], np.float32)
    np.testing.assert_array_equal(to_mono(stereo), np.array([0.125, 0.25], np.float32))
    sound = decode_audio(sound_bytes(stereo, subtype="FLOAT"))
    assert (sound.source_channels, sound.source_rate_hz) == (2, 8000)


@settings(max_examples=50, deadline=None)
@given(
    length=st.integers(1, 5000),
    old=st.sampled_from([8000, 11025, 16000, 44100, 48000]),
    new=st.sampled_from([8000, 16000, 48000]),
)
def test_resampling_gives_the_exact_length(length: int, old: int, new: int) -> None:
    samples = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    exact = length * new / old
    result = resample(samples, old, new)
    assert abs(len(result) - exact) <= 0.5
    assert result.dtype == np.float32


def test_resampling_keeps_a_tone_a_tone() -> None:
    times = np.arange(48000) / 48000
    tone = np.sin(2 * np.pi * 440 * times).astype(np.float32)
    heard = decode_audio(sound_bytes(tone, rate=48000, subtype="FLOAT"), 8000).samples
    expected = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    assert np.abs(heard - expected)[200:-200].max() < 1e-3


@pytest.mark.parametrize(
    ("rate", "wanted"), [(44_100, 48_000), (44_100, 16_000), (16_000, 48_000), (22_050, 8_000)]
)
def test_samples_equal_librosas(rate: int, wanted: int) -> None:
    import librosa

    samples = chirp(1.234, rate)
    ours = resample(to_mono(samples), rate, wanted)
    theirs = librosa.resample(librosa.to_mono(samples.T), orig_sr=rate, target_sr=wanted)
    assert len(ours) == round(len(samples) * wanted / rate)
    assert len(theirs) - len(ours) in (0, 1)  # librosa rounds up
    np.testing.assert_allclose(ours, theirs[: len(ours)], atol=1e-6)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_one_decoding_serves_every_rate(channels: int) -> None:
    data = sound_bytes(np.random.default_rng(0).uniform(-1, 1, (4_410, channels)), rate=44_100)
    sound = decode_pcm(data).mono
    for rate in (8_000, 16_000, 44_100, 48_000):
        again, directly = sound.resampled(rate), decode_audio(data, rate)
        assert again.samples.tobytes() == directly.samples.tobytes()
        assert (again.sample_rate_hz, again.source_rate_hz, again.source_channels) == (rate, 44_100, channels)
        assert directly.source_channels == channels

"""Each change of a sound does what it says, keeps what it says it keeps, and has the same bits everywhere."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.media.sound import Sound
from safe_eval.runner.changed_sounds import (
    clip,
    codec_mp3,
    lowpass,
    noise,
    record_rng,
    reverb,
    rms,
    shift,
)

RATE_HZ = 8000
SOUND = (0.2 * np.sin(np.arange(8000) / 5)).astype(np.float32)


def spoken(samples: np.ndarray, rate_hz: int = RATE_HZ) -> Sound:
    return Sound(samples.astype(np.float32), rate_hz, rate_hz, 1)


def tone(hz: float, rate_hz: int = RATE_HZ) -> Sound:
    return spoken(0.3 * np.sin(2 * np.pi * hz * np.arange(rate_hz) / rate_hz), rate_hz)


def whole_numbers() -> Sound:
    """A sound made without sines, so that it is the same on any machine."""
    numbers = np.arange(4000, dtype=np.int64) * 7919 % 4001 - 2000
    return spoken(numbers / 4096)


def digest(samples: np.ndarray) -> str:
    assert samples.dtype == np.float32
    return hashlib.sha256(samples.tobytes()).hexdigest()[:16]


PINNED = {
    "lowpass_1000": "586f2910c1325360",
    "reverb": "b3c3eb1b6293476a",
    "clip_0.1": "8f7b22e190843752",
    "shift_50": "4ffd69d68b387446",
    "shift_-50": "3a896203b1d49698",
    "noise": "b1b6981806c7b6a2",
}


@pytest.mark.parametrize("name", PINNED)
def test_it_has_the_same_bits_on_every_machine(name: str) -> None:
    sound = whole_numbers()
    changed = {
        "lowpass_1000": lambda: lowpass(sound, 1000),
        "reverb": lambda: reverb(sound),
        "clip_0.1": lambda: clip(sound, 0.1),
        "shift_50": lambda: shift(sound, 50),
        "shift_-50": lambda: shift(sound, -50),
        "noise": lambda: noise(sound.samples, record_rng(0, "r")),
    }
    assert digest(changed[name]()) == PINNED[name]


def test_a_low_pass_takes_away_what_is_above_it_alone() -> None:
    for hz, kept in ((200, 1.0), (800, 1.0), (1500, 0.0), (3000, 0.0)):
        assert rms(lowpass(tone(hz), 1000)[500:-500]) == pytest.approx(
            kept * rms(tone(hz).samples), abs=0.0005
        )
    assert np.array_equal(lowpass(tone(3000), 4000), tone(3000).samples)
    middle = slice(500, -500)
    assert np.allclose(lowpass(tone(200), 1000)[middle], tone(200).samples[middle], atol=1e-3)  # no delay


def test_a_hall_rings_on_as_loud_as_before() -> None:
    click = np.zeros(RATE_HZ, np.float32)
    click[100] = 0.5
    heard = reverb(spoken(click))
    assert not heard[:100].any()
    early, late = rms(heard[101:2000]), rms(heard[6000:])
    assert 0 < late < early / 10
    assert rms(heard) == pytest.approx(rms(click), rel=1e-6)


@pytest.mark.parametrize(
    ("rate_hz", "kbps"), [(8000, 16), (16000, 64), (44100, 128), (48000, 64), (7000, 64)]
)
def test_mp3_is_as_long_as_before_and_not_late(rate_hz: int, kbps: int) -> None:
    rng = np.random.default_rng(0)
    smooth = np.convolve(rng.standard_normal(rate_hz), np.hanning(32), "same")
    sound = spoken(0.1 * smooth / smooth.std(), rate_hz)
    played = codec_mp3(sound, kbps)
    assert len(played) == len(sound.samples)
    assert played.dtype == np.float32
    assert not np.array_equal(played, sound.samples)
    middle = slice(2500, -2500)
    likeness = [np.dot(np.roll(played, by)[middle], sound.samples[middle]) for by in range(-50, 51)]
    assert int(np.argmax(likeness)) == 50
    assert np.array_equal(played, codec_mp3(sound, kbps))


def test_a_rate_that_mp3_does_not_have() -> None:
    with pytest.raises(ValueError, match=r"codec_mp3_128: MP3 at 8000 Hz has 8, 16, .* 64 kbps; choose one"):
        codec_mp3(tone(440), 128)


def test_clip_and_shift() -> None:
    assert np.array_equal(clip(spoken(SOUND), 0.25), SOUND[:2000])
    assert np.array_equal(clip(spoken(SOUND), 5), SOUND)
    later, earlier = shift(spoken(SOUND), 100), shift(spoken(SOUND), -100)
    assert np.array_equal(later[800:], SOUND[:-800])
    assert not later[:800].any()
    assert np.array_equal(earlier[:-800], SOUND[800:])
    assert not earlier[-800:].any()
    assert not shift(spoken(SOUND), 1000).any()
    assert np.array_equal(shift(spoken(SOUND), 0), SOUND)


SOUNDS = st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=400).map(np.array)


@settings(max_examples=60, deadline=None)
@given(SOUNDS, st.sampled_from(["lowpass", "reverb", "shift", "noise", "codec"]))
def test_any_sound_keeps_its_length_and_is_never_not_a_number(samples: np.ndarray, change: str) -> None:
    sound = spoken(samples)
    changed = {
        "lowpass": lambda: lowpass(sound, 700),
        "reverb": lambda: reverb(sound),
        "shift": lambda: shift(sound, 10),
        "noise": lambda: noise(sound.samples, record_rng(0, "r")),
        "codec": lambda: codec_mp3(sound, 8),
    }[change]
    first = changed()
    assert first.shape == samples.shape
    assert first.dtype == np.float32
    assert np.isfinite(first).all()
    assert np.array_equal(first, changed())
    if change in ("reverb", "noise"):
        assert rms(first) == pytest.approx(rms(sound.samples), rel=1e-4, abs=1e-7)


def test_silence_and_an_empty_sound_stay_what_they_are() -> None:
    assert not noise(np.zeros(10, np.float32), record_rng(0, "r")).any()
    assert len(noise(np.zeros(0, np.float32), record_rng(0, "r"))) == 0


def test_noise_belongs_to_the_record_and_the_seed() -> None:
    def draw(seed: int, record: str) -> list[float]:
        return noise(SOUND, record_rng(seed, record))[:3].tolist()

    assert draw(0, "r1") == draw(0, "r1")
    assert draw(0, "r1") != draw(1, "r1")
    assert draw(0, "r1") != draw(0, "r2")

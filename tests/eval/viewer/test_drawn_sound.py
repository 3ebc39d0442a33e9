"""Peaks and spectrograms show what is in a sound, on scales that do not depend on it."""

import io

import numpy as np
import pytest
from PIL import Image

from safe_data.media.sound import Sound
from safe_eval.viewer.drawn_sound import BANDS, COLUMNS, PEAKS, band_levels, peaks, spectrogram_png

RATE_HZ = 16_000


def sound(samples: np.ndarray, rate_hz: int = RATE_HZ) -> Sound:
    return Sound(samples.astype(np.float32), rate_hz, rate_hz, 1)


def tone(frequency_hz: float, seconds: float = 2.0, level: float = 1.0) -> np.ndarray:
    return level * np.sin(2 * np.pi * frequency_hz * np.arange(round(seconds * RATE_HZ)) / RATE_HZ)


def test_peaks_are_where_the_sound_is() -> None:
    samples = np.zeros(RATE_HZ)
    samples[RATE_HZ // 2] = -0.5
    samples[-1] = 3.0
    found = peaks(sound(samples))
    assert len(found) == PEAKS
    assert (found[PEAKS // 2], found[-1], sum(found)) == (0.5, 1.0, 1.5)


@pytest.mark.parametrize("length", [0, 1, 7, 199, 201])
def test_short_sounds_have_as_many_peaks(length: int) -> None:
    found = peaks(sound(np.full(length, 0.25)))
    assert found == [0.25 if length else 0.0] * PEAKS


@pytest.mark.parametrize("frequency_hz", [200.0, 1000.0, 5000.0])
def test_a_tone_is_a_line_at_its_frequency_and_level(frequency_hz: float) -> None:
    levels = band_levels(sound(tone(frequency_hz, level=0.1)))
    assert levels.shape == (BANDS, COLUMNS)
    middle = levels[:, COLUMNS // 4 : -COLUMNS // 4].mean(axis=1)
    share = 1 - (int(middle.argmax()) + 0.5) / BANDS
    expected = np.log10(1 + frequency_hz / 700) / np.log10(1 + RATE_HZ / 2 / 700)
    assert share == pytest.approx(expected, abs=1.5 / BANDS)
    assert middle.max() == pytest.approx(-20, abs=2)
    assert np.median(middle) < -60


def test_no_sample_of_a_long_sound_is_left_out() -> None:
    samples = np.zeros(120 * RATE_HZ)
    samples[1_234_567] = 1.0
    levels = band_levels(sound(samples))
    column = int(levels.max(axis=0).argmax())
    assert column == pytest.approx(COLUMNS * 1_234_567 / len(samples), abs=1)
    assert levels.max() > -80


def test_silence_is_dark_and_a_short_sound_fills_the_width() -> None:
    assert band_levels(sound(np.zeros(5000))).max() == pytest.approx(-120)
    assert band_levels(sound(np.zeros(0))).max() == pytest.approx(-120)
    short = band_levels(sound(tone(1000, seconds=0.01)))
    assert short.max(axis=0).min() > -60


@pytest.mark.parametrize(("length", "rate_hz"), [(0, 8000), (1, 1000), (44_100, 44_100), (1000, 384_000)])
def test_the_picture_is_small_and_always_the_same(length: int, rate_hz: int) -> None:
    made = sound(0.1 * np.random.default_rng(0).standard_normal(length), rate_hz)
    png = spectrogram_png(made)
    picture = Image.open(io.BytesIO(png))
    assert (picture.size, picture.mode, picture.format) == ((COLUMNS, BANDS), "P", "PNG")
    assert png == spectrogram_png(made)
    assert len(png) < 70_000
    grey = np.asarray(picture.convert("L"))
    assert grey.min() >= 10  # it differs from a black page in lightness alone where it is silent


def test_louder_is_lighter() -> None:
    lightness = [
        np.asarray(Image.open(io.BytesIO(spectrogram_png(sound(tone(1000, level=level))))).convert("L")).max()
        for level in (0.0, 0.001, 0.01, 0.1)
    ]
    assert lightness == sorted(set(lightness))

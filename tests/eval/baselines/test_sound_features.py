"""Sound features: what a gain changes and what it does not, and tokens that are averaged."""

from types import SimpleNamespace

import numpy as np
import pytest

from safe_data.media.sound import Sound
from safe_eval.baselines.sound_features import features_of, levels, relative_levels

RATE_HZ = 8000


def burst() -> np.ndarray:
    """Half a second of soft noise with a loud tenth."""
    samples = 0.01 * np.random.default_rng(0).standard_normal(RATE_HZ // 2)
    samples[:800] *= 30
    return samples.astype(np.float32)


def test_levels_are_those_of_the_samples() -> None:
    samples = burst()
    peak, rms, floor, seconds = levels(samples, RATE_HZ)
    assert peak == pytest.approx(20 * np.log10(np.abs(samples).max()), abs=1e-3)
    assert rms == pytest.approx(10 * np.log10(np.mean(samples.astype(float) ** 2)), abs=1e-3)
    frames = 10 * np.log10(np.mean(samples.astype(float).reshape(-1, 160) ** 2, axis=1))
    assert floor == pytest.approx(np.percentile(frames, 10), abs=2e-3)
    assert -41 < floor < -39
    assert seconds == 0.5


def test_a_gain_changes_levels_and_no_relative_level() -> None:
    soft, loud = levels(burst(), RATE_HZ), levels(2 * burst(), RATE_HZ)
    assert np.subtract(loud, soft) == pytest.approx([6.02, 6.02, 6.02, 0], abs=0.01)
    assert relative_levels(2 * burst(), RATE_HZ) == pytest.approx(relative_levels(burst(), RATE_HZ), abs=2e-3)


def test_silence_and_less_than_a_frame_have_levels() -> None:
    silent = np.zeros(1000, np.float32)
    assert levels(silent, RATE_HZ) == (-120.0, -120.0, -120.0, 0.125)
    assert relative_levels(silent, RATE_HZ) == (-120.0, -120.0, 0.125)
    assert levels(np.full(8, 0.1, np.float32), RATE_HZ) == (-20.0, -20.0, -20.0, 0.001)


def test_tokens_are_averaged() -> None:
    stored = np.random.default_rng(0).standard_normal((700, 3, 5)).astype(np.float16)
    dataset = SimpleNamespace(
        encoder={"name": "tokens"},
        audio=lambda _: Sound(burst(), RATE_HZ, RATE_HZ, 1),
        embeddings=lambda records: stored[records],
    )
    records = list(range(0, 700, 1))
    found = features_of(dataset, records)["probe"]
    assert np.array_equal(found, stored.astype(float).mean(axis=1))

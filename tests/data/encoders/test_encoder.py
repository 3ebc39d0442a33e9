"""An embedding depends on the clip and the encoder's parameters, and on nothing else."""

import hashlib
import itertools

import numpy as np
import pytest

from safe_data.core.errors import InputError
from safe_data.encoders.encoder import ENCODERS, load_encoder
from safe_data.encoders.logmel import LogMelEncoder, mel_triangles

RATE = LogMelEncoder.sample_rate_hz
encoder = LogMelEncoder()


def noise(seconds: float, seed: int = 0) -> np.ndarray:
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * RATE))).astype(np.float32)


def tone(hertz: float, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE).astype(np.float32)


def embed(clip: np.ndarray) -> np.ndarray:
    return encoder.encode([clip])[0].reshape(8, 64).astype(np.float64)


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_follows_the_protocol(name: str) -> None:
    found = load_encoder(name)
    embeddings = found.encode([noise(0.7), noise(0), noise(2)])
    assert embeddings.shape == (3, *found.shape)
    assert embeddings.dtype == np.float16
    assert np.isfinite(embeddings).all()
    assert found.name == name
    assert len(found.fingerprint) >= 8
    int(found.fingerprint, 16)


@pytest.mark.parametrize("name", ENCODERS)
def test_a_clip_has_one_embedding_whatever_the_batch(name: str) -> None:
    clips = [noise(seconds, seed) for seed, seconds in enumerate([1, 1, 0.2, 3, 1, 0, 1.37, 1])]
    together = load_encoder(name).encode(clips)
    alone = np.concatenate([load_encoder(name).encode([clip]) for clip in clips])
    backwards = load_encoder(name).encode(clips[::-1])[::-1]
    assert together.tobytes() == alone.tobytes() == backwards.tobytes()


def test_an_unknown_encoder_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"^encoder 'logmal' is unknown; did you mean 'logmel'\?$"):
        load_encoder("logmal")
    with pytest.raises(InputError, match=r"^encoder 'x' is unknown; choose from logmel"):
        load_encoder("x")


def test_triangles_equal_librosas() -> None:
    import librosa

    bins = np.arange(129) * (8_000 / 256)
    theirs = librosa.filters.mel(sr=8_000, n_fft=256, n_mels=64, fmin=50, fmax=4_000, norm=None, dtype=float)
    np.testing.assert_allclose(mel_triangles(bins, 64, 50, 4_000), theirs, rtol=0, atol=1e-12)


def test_bands_equal_librosas() -> None:
    import librosa

    clip = noise(1.0)
    power = (
        librosa.feature.melspectrogram(
            y=clip.astype(np.float64),
            sr=RATE,
            n_fft=256,
            hop_length=128,
            window="hann",
            center=True,
            pad_mode="constant",
            power=2.0,
            n_mels=64,
            fmin=50.0,
            fmax=4000.0,
            norm=None,
        )
        / 64**2
    )
    edges = [stretch * power.shape[1] // 8 for stretch in range(9)]
    means = np.stack([power[:, a:b].mean(axis=1) for a, b in itertools.pairwise(edges)])
    expected = librosa.power_to_db(means, ref=1.0, amin=1e-8, top_db=None) / 40 + 1
    np.testing.assert_allclose(embed(clip), expected, atol=1e-3)


def test_a_full_scale_tone_is_one_in_its_band_and_silence_is_minus_one() -> None:
    assert embed(tone(1000)).max() == pytest.approx(1.0, abs=0.03)
    assert (embed(np.zeros(RATE, np.float32)) == -1).all()
    quieter = embed(0.1 * tone(1000)).max()
    assert quieter == pytest.approx(embed(tone(1000)).max() - 20 / 40, abs=0.01)


def test_pitch_and_place_can_be_told_apart() -> None:
    low, high = (embed(tone(hertz)).mean(axis=0).argmax() for hertz in (300, 3000))
    assert low < 20 < 40 < high
    clip = np.zeros(RATE, np.float32)
    clip[3000:4000] = tone(1000)[:1000]  # the fourth of eight stretches
    assert embed(clip).max(axis=1).argmax() == 3


def test_no_band_is_deaf() -> None:
    assert (embed(noise(1)) > -0.9).all()


def test_a_short_clip_is_filled_up_with_silence() -> None:
    filled = np.concatenate([noise(0.5), np.zeros(RATE // 2, np.float32)])
    assert embed(noise(0.5)).tobytes() == embed(filled).tobytes()
    assert (embed(np.zeros(0, np.float32)) == -1).all()


def test_a_long_clip_is_stretched_and_the_rest_after_thirty_seconds_is_not_heard() -> None:
    long = np.concatenate([noise(15), np.zeros(15 * RATE, np.float32)])
    assert (embed(long)[:4].mean() > -0.5) & (embed(long)[4:].mean() < -0.9)
    longer = np.concatenate([long, noise(15)])
    assert embed(longer).tobytes() == embed(long).tobytes()


PARAMETERS = {
    "sample_rate_hz": 16_000,
    "stretches": 4,
    "bands": 32,
    "window_samples": 512,
    "hop_samples": 64,
    "lowest_hz": 0.0,
    "highest_hz": 3_000.0,
    "floor_db": -60.0,
    "min_seconds": 2,
    "max_seconds": 10,
    "version": 99,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_fingerprint_covers_every_parameter(name: str) -> None:
    other = type("Other", (LogMelEncoder,), {name: PARAMETERS[name]})()
    assert other.fingerprint != encoder.fingerprint


def test_no_parameter_is_forgotten_above() -> None:
    numbers = {name for name, value in vars(LogMelEncoder).items() if isinstance(value, int | float)}
    values = numbers - {"__firstlineno__"}  # Python 3.13 puts it there
    assert values == set(PARAMETERS)


def test_the_embedding_is_the_one_of_this_version() -> None:
    """If this fails, embeddings have changed: raise `version`, or old sidecars will pass for new ones."""
    saw = ((np.arange(RATE) * 37 % 200 - 100) / 128).astype(np.float32)
    digest = hashlib.sha256(encoder.encode([saw]).tobytes()).hexdigest()
    assert (encoder.fingerprint, digest[:16]) == ("0f573aec3015b914", "48e3a23ecbc7f3f1")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("clap", r"^encoder 'clap' names no checkpoint; write clap:DIRECTORY or clap:owner/name$"),
        ("whisper:", r"^encoder 'whisper:' names no checkpoint"),
        ("yamnet", r"^encoder 'yamnet' names no checkpoint; write yamnet:DIRECTORY$"),
        ("yamnet:not/a/model", r"^yamnet checkpoint 'not/a/model' has no variables/variables.index; give"),
        ("logmel:x", r"^encoder 'logmel:x': logmel has no weights to load; write 'logmel'$"),
        ("clop:x", r"^encoder 'clop:x' is unknown; did you mean 'clap'\?$"),
        ("clap:not/a/model", r"^clap checkpoint 'not/a/model' is not a directory"),
    ],
)
def test_a_spec_that_names_no_encoder(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        load_encoder(spec)

"""WhisperEncoder on a small real checkpoint: the reference's states, and the same bytes in any batch."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from jaxtyping import Float32
from numpy import ndarray
from tiny_encoders import WHISPER_SECONDS, save_whisper, sound

from safe_data.core.errors import InputError
from safe_data.encoders.whisper import WhisperEncoder

RATE = 16_000
CLIPS = [sound(seconds, RATE, seed) for seed, seconds in enumerate((3, 1, 0.01, 5, 3.2, 0.5, 11))]


@pytest.fixture(scope="session")
def whisper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_whisper(tmp_path_factory.mktemp("whisper"))


def reference_states(directory: Path, clip: Float32[ndarray, " samples"]) -> Float32[ndarray, "steps dims"]:
    from transformers import WhisperFeatureExtractor, WhisperModel

    inputs = WhisperFeatureExtractor.from_pretrained(directory)(clip, sampling_rate=RATE, return_tensors="pt")
    with torch.inference_mode():
        encoder = WhisperModel.from_pretrained(directory).eval().encoder
        states: Float32[ndarray, "steps dims"] = encoder(inputs.input_features).last_hidden_state[0].numpy()
    return states


def test_frames_are_the_means_of_the_references_states(whisper: Path) -> None:
    encoder = WhisperEncoder(str(whisper), frames=30)
    found = encoder.encode(CLIPS[:1])[0]
    assert encoder.name == "whisper"
    assert encoder.sample_rate_hz == RATE
    assert found.dtype == np.float16
    assert found.shape == encoder.shape == (30, 16)
    expected = reference_states(whisper, CLIPS[0]).reshape(30, 5, 16).mean(axis=1)
    np.testing.assert_allclose(found.astype("f4"), expected, atol=5e-3)


def test_only_the_states_of_the_sound_are_averaged(whisper: Path) -> None:
    one_second = CLIPS[1]
    found = WhisperEncoder(str(whisper), frames=10).encode([one_second])[0].astype("f4")
    states = reference_states(whisper, one_second)
    np.testing.assert_allclose(found, states[:50].reshape(10, 5, 16).mean(axis=1), atol=5e-3)
    assert np.abs(states[50:].mean(axis=0) - states[:50].mean(axis=0)).max() > 0.1


def test_a_sound_has_the_same_bytes_in_any_batch_order_and_number_of_threads(whisper: Path) -> None:
    together = WhisperEncoder(str(whisper)).encode(CLIPS)
    assert together.shape == (len(CLIPS), 32, 16)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        alone = [WhisperEncoder(str(whisper)).encode([clip]) for clip in reversed(CLIPS)]
    finally:
        torch.set_num_threads(threads)
    assert np.concatenate(alone[::-1]).tobytes() == together.tobytes()


def test_a_long_sound_is_heard_from_end_to_end(whisper: Path) -> None:
    encoder = WhisperEncoder(str(whisper), frames=4)
    clip = sound(2 * WHISPER_SECONDS, RATE, 9)
    halves = encoder.encode([clip[: WHISPER_SECONDS * RATE], clip[WHISPER_SECONDS * RATE :]]).astype("f4")
    whole = encoder.encode([clip])[0].astype("f4")
    expected = halves.reshape(4, 2, 16).mean(axis=1)  # two frames of a half make one of the whole
    np.testing.assert_allclose(whole, expected, atol=2e-2)


def test_very_short_and_empty_sounds_have_states(whisper: Path) -> None:
    encoder = WhisperEncoder(str(whisper))
    embeddings = encoder.encode([CLIPS[2], CLIPS[2][:0]])
    assert np.isfinite(embeddings).all()
    assert (embeddings == embeddings[:, :1]).all(), "a single state is every frame"


def test_dither_is_off(whisper: Path, tmp_path: Path) -> None:
    plain = WhisperEncoder(str(whisper))
    dithered = WhisperEncoder(str(save_whisper(tmp_path / "dithered", dither=0.01)))
    assert dithered.encode(CLIPS[:1]).tobytes() == plain.encode(CLIPS[:1]).tobytes()


def test_the_fingerprint_covers_weights_and_frames(whisper: Path, tmp_path: Path) -> None:
    original = WhisperEncoder(str(whisper)).fingerprint
    assert WhisperEncoder(str(save_whisper(tmp_path / "same"))).fingerprint == original
    assert WhisperEncoder(str(save_whisper(tmp_path / "other", seed=1))).fingerprint != original
    assert WhisperEncoder(str(whisper), frames=16).fingerprint != original


def test_settings_of_another_model_are_refused(whisper: Path, tmp_path: Path) -> None:
    other = save_whisper(tmp_path / "other")
    file = other / "preprocessor_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), "chunk_length": 30}), "utf-8")
    message = r"gives \(20, 3000\) mel bands and frames, config.json expects \(20, 300\)"
    with pytest.raises(InputError, match=message):
        WhisperEncoder(str(other))

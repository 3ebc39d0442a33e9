"""ClapEncoder on a small real checkpoint: the reference's embedding, and the same bytes in any batch."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from jaxtyping import Float32
from numpy import ndarray
from safetensors.torch import load_file, save_file
from tiny_encoders import save_clap, sound

from safe_data.core.errors import InputError
from safe_data.encoders.clap import ClapEncoder

RATE = 48_000
CLIPS = [sound(seconds, RATE, seed) for seed, seconds in enumerate((10, 3, 0.4, 12, 10.02, 25, 7.7, 10))]


@pytest.fixture(scope="session")
def clap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clap(tmp_path_factory.mktemp("clap"))


@pytest.fixture(scope="session")
def fused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clap(tmp_path_factory.mktemp("fused"), fused=True)


@pytest.fixture(scope="session")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLAP so wide that batch size and threads would change the bytes without our precautions."""
    return save_clap(tmp_path_factory.mktemp("wide"), wide=True)


def reference(directory: Path, clip: Float32[ndarray, " samples"]) -> Any:
    """The result of transformers for a clip of at most ten seconds, without its random fusion."""
    from transformers import ClapFeatureExtractor, ClapModel

    inputs = ClapFeatureExtractor.from_pretrained(directory)(clip, sampling_rate=RATE, return_tensors="pt")
    inputs["is_longer"] = torch.zeros(1, 1, dtype=torch.bool)
    with torch.inference_mode():
        return ClapModel.from_pretrained(directory).eval().get_audio_features(**inputs)


@pytest.mark.parametrize("checkpoint", ["clap", "fused"])
def test_pooled_embeddings_are_the_references(checkpoint: str, request: pytest.FixtureRequest) -> None:
    directory = request.getfixturevalue(checkpoint)
    clips = [clip for clip in CLIPS if len(clip) <= 10 * RATE]
    encoder = ClapEncoder(str(directory))
    embeddings = encoder.encode(clips)
    assert encoder.name == "clap"
    assert encoder.sample_rate_hz == RATE
    assert embeddings.shape == (len(clips), *encoder.shape) == (len(clips), 24)
    assert embeddings.dtype == np.float16
    for clip, embedding in zip(clips, embeddings, strict=True):
        expected = reference(directory, clip).pooler_output[0].numpy()
        np.testing.assert_allclose(embedding.astype("f4"), expected, atol=1e-3)
    distances = np.linalg.norm(embeddings[0].astype("f4") - embeddings[1:].astype("f4"), axis=1)
    assert distances.min() > 0.02, "the tiny model tells sounds apart, or the comparison means nothing"


def test_tokens_are_the_references_states_in_order_of_time(clap: Path) -> None:
    encoder = ClapEncoder(str(clap), "tokens")
    tokens = encoder.encode(CLIPS[:1])[0]
    assert encoder.name == "clap-tokens"
    assert tokens.shape == encoder.shape == (64, 64)
    states = reference(clap, CLIPS[0]).last_hidden_state[0].numpy()  # dims, bands, steps
    np.testing.assert_allclose(tokens.reshape(32, 2, 64).transpose(2, 1, 0).astype("f4"), states, atol=2e-3)


def test_a_tokens_place_is_its_time(clap: Path) -> None:
    quiet = 0.01 * np.random.default_rng(0).standard_normal(30 * RATE).astype("f4")
    burst = quiet.copy()
    burst[18 * RATE : 20 * RATE] *= 100
    before, after = ClapEncoder(str(clap), "tokens").encode([quiet, burst]).astype("f4").reshape(2, 32, -1)
    changed = np.linalg.norm(after - before, axis=1)
    assert set(np.argsort(changed)[-2:]) <= {18, 19, 20, 21}  # 18…20 of 30 seconds are steps 19.2…21.3 of 32


@pytest.mark.parametrize("pooling", ["pooled", "tokens"])
def test_a_sound_has_the_same_bytes_in_any_batch_and_order(wide: Path, pooling: Any) -> None:
    encoder = ClapEncoder(str(wide), pooling)
    together = encoder.encode(CLIPS)
    alone = np.concatenate([ClapEncoder(str(wide), pooling).encode([clip]) for clip in CLIPS])
    assert together.tobytes() == alone.tobytes()
    for seed in range(2):
        order = np.random.default_rng(seed).permutation(len(CLIPS))
        assert encoder.encode([CLIPS[i] for i in order]).tobytes() == together[order].tobytes()


def test_threads_do_not_change_the_bytes_and_are_left_as_they_were(wide: Path) -> None:
    threads = torch.get_num_threads()
    try:
        found = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            found.append(ClapEncoder(str(wide), "tokens").encode(CLIPS).tobytes())
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)
    assert len(set(found)) == 1


def test_another_process_makes_the_same_bytes(wide: Path) -> None:
    code = (
        "import hashlib, sys\n"
        "from safe_data.encoders.clap import ClapEncoder\n"
        "from tiny_encoders import sound\n"
        "encoder = ClapEncoder(sys.argv[1])\n"
        f"print(encoder.fingerprint, hashlib.sha256(encoder.encode([sound(3, {RATE}, 1)])).hexdigest())"
    )
    encoder = ClapEncoder(str(wide))
    here = f"{encoder.fingerprint} {hashlib.sha256(encoder.encode([sound(3, RATE, 1)])).hexdigest()}"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-c", code, str(wide)]
    there = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout
    assert there.strip() == here


def test_a_long_sound_is_the_mean_direction_of_its_windows(wide: Path) -> None:
    encoder = ClapEncoder(str(wide))
    clip = np.concatenate([sound(10, RATE, 5), 0.001 * sound(8, RATE, 6), sound(7, RATE, 7)])
    starts = [0, round(7.5 * RATE), 15 * RATE]
    windows = encoder.encode([clip[start : start + 10 * RATE] for start in starts]).astype("f4")
    mean = windows.mean(axis=0)
    assert np.linalg.norm(mean) < 0.97, "the windows differ, or their mean would have length 1 by itself"
    found = encoder.encode([clip])[0].astype("f4")
    np.testing.assert_allclose(found, mean / np.linalg.norm(mean), atol=1e-3)
    assert np.linalg.norm(found) == pytest.approx(1, abs=1e-3)


def test_a_little_over_ten_seconds_is_cut_at_both_ends(clap: Path) -> None:
    encoder = ClapEncoder(str(clap))
    clip = sound(10.4, RATE, 6)
    middle = clip[round(0.2 * RATE) : round(10.2 * RATE)]
    assert encoder.encode([clip]).tobytes() == encoder.encode([middle]).tobytes()


def test_no_samples_and_no_clips_are_fine(clap: Path) -> None:
    encoder = ClapEncoder(str(clap))
    silence = np.zeros(10 * RATE, np.float32)
    assert encoder.encode([silence[:0]]).tobytes() == encoder.encode([silence]).tobytes()
    assert encoder.encode([]).shape == (0, 24)


def test_encoding_leaves_the_random_state_alone(clap: Path) -> None:
    torch.manual_seed(0)
    np_state, expected = np.random.get_state()[1].tolist(), torch.get_rng_state()  # type: ignore[index]
    ClapEncoder(str(clap)).encode(CLIPS[3:4])
    assert torch.equal(torch.get_rng_state(), expected)
    assert np.random.get_state()[1].tolist() == np_state  # type: ignore[index]


def test_nan_is_not_embedded(clap: Path) -> None:
    with pytest.raises(InputError, match="not finite in float16"):
        ClapEncoder(str(clap)).encode([np.full(RATE, np.nan, np.float32)])


def changed_json(directory: Path, name: str, **values: Any) -> None:
    file = directory / name
    file.write_text(json.dumps({**json.loads(file.read_text("utf-8")), **values}), "utf-8")


def test_the_fingerprint_depends_on_the_model_and_not_on_its_place(clap: Path, tmp_path: Path) -> None:
    original = ClapEncoder(str(clap)).fingerprint
    moved = Path(shutil.copytree(clap, tmp_path / "another name"))
    os.utime(moved / "model.safetensors", (0, 0))
    changed_json(moved, "config.json", transformers_version="4.0.0", _name_or_path="/elsewhere")
    assert ClapEncoder(str(moved)).fingerprint == original
    assert len(original) >= 8
    assert int(original, 16)
    assert ClapEncoder(str(clap), "tokens").fingerprint != original


def test_the_fingerprint_changes_with_weights_configuration_and_preprocessing(
    clap: Path, tmp_path: Path
) -> None:
    found = {ClapEncoder(str(clap)).fingerprint}
    for number, change in enumerate(
        (
            lambda directory: nudge_a_weight(directory / "model.safetensors"),
            lambda directory: changed_json(directory, "config.json", projection_hidden_act="gelu"),
            lambda directory: changed_json(directory, "preprocessor_config.json", padding="repeat"),
        ),
        start=1,
    ):
        copy = Path(shutil.copytree(clap, tmp_path / str(number)))
        change(copy)
        found.add(ClapEncoder(str(copy)).fingerprint)
        assert len(found) == number + 1


def test_the_fingerprint_tells_what_a_gpu_made(clap: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = ClapEncoder(str(clap)).fingerprint
    monkeypatch.setattr("safe_data.encoders.inference.device", lambda: "cuda")
    assert ClapEncoder(str(clap)).fingerprint != here


def nudge_a_weight(file: Path) -> None:
    weights = load_file(file)
    weights["audio_projection.linear2.bias"][3] += 1e-4
    save_file(weights, file, {"format": "pt"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"truncation": "fusion"}, "no fusion layers"),
        ({"feature_size": 32}, "32 mel bands are extracted, 64 are expected"),
        ({"hop_length": 240}, "2001 frames are extracted, at most 1024 fit"),
    ],
)
def test_settings_of_another_model_are_refused(
    clap: Path, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    copy = Path(shutil.copytree(clap, tmp_path / "copy"))
    changed_json(copy, "preprocessor_config.json", **change)
    with pytest.raises(InputError, match=f"not this model's: .*{message}"):
        ClapEncoder(str(copy))

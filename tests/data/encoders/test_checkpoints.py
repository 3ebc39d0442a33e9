"""A checkpoint is found, complete and harmless, or it is refused with a message that says what to do."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_encoders import save_clap, save_whisper, sound

from safe_data.core.errors import InputError
from safe_data.encoders.clap import ClapEncoder
from safe_data.encoders.whisper import WhisperEncoder

CLIP = sound(1, 48_000)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clap(tmp_path_factory.mktemp("saved"))


@pytest.fixture
def clap(saved: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    return Path(shutil.copytree(saved, tmp_path / "clap"))


def empty(directory: Path) -> None:
    for file in directory.iterdir():
        file.unlink()


def pickle_only(directory: Path) -> None:
    weights = load_file(directory / "model.safetensors")
    (directory / "model.safetensors").unlink()
    torch.save(weights, directory / "pytorch_model.bin")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (empty, "has no config.json; give the directory that save_pretrained wrote"),
        (pickle_only, r"only pickled weights \(pytorch_model.bin\), and reading a pickle can run code"),
        (lambda d: (d / "model.safetensors").unlink(), "has no model.safetensors"),
        (lambda d: (d / "preprocessor_config.json").unlink(), "has no preprocessor_config.json"),
        (lambda d: (d / "config.json").write_text("{", "utf-8"), "config.json: is not JSON"),
        (lambda d: (d / "config.json").write_text("[]", "utf-8"), "config.json: holds a list"),
        (lambda d: (d / "config.json").write_text("[" * 10**5, "utf-8"), "config.json: is not JSON"),
        (lambda d: save_whisper(d), "model_type is 'whisper', not 'clap'; give a checkpoint that ClapModel"),
        (
            lambda d: (d / "config.json").write_text('{"model_type": "clap", "audio_config": 5}', "utf-8"),
            "config.json: .*audio_config.*; fetch the checkpoint again",
        ),
    ],
)
def test_what_is_no_checkpoint_is_refused_when_opened(
    clap: Path, spoil: Callable[[Path], object], message: str
) -> None:
    spoil(clap)
    with pytest.raises(InputError, match=message):
        ClapEncoder(str(clap))


@pytest.mark.parametrize("source", ["no/such/dir", "./clap", "/", "../clap", "file.safetensors"])
def test_a_path_that_is_no_directory_is_refused_without_asking_a_hub(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.safetensors").touch()
    with pytest.raises(InputError, match=r"is not a directory; give one that holds|has no config.json"):
        ClapEncoder(source)


def without(directory: Path, key: str) -> None:
    weights = load_file(directory / "model.safetensors")
    del weights[key]
    save_file(weights, directory / "model.safetensors")


def with_more(directory: Path) -> None:
    weights = load_file(directory / "model.safetensors")
    weights["audio_model.audio_encoder.layers.9.weight"] = torch.zeros(3)
    save_file(weights, directory / "model.safetensors")


def truncated(directory: Path) -> None:
    data = (directory / "model.safetensors").read_bytes()
    (directory / "model.safetensors").write_bytes(data[: len(data) // 2])


def wider(directory: Path) -> None:
    config = json.loads((directory / "config.json").read_text("utf-8"))
    config["projection_dim"] = 48
    (directory / "config.json").write_text(json.dumps(config), "utf-8")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (
            lambda d: without(d, "audio_projection.linear1.weight"),
            "Missing key.*audio_projection.linear1.weight",
        ),
        (with_more, "Unexpected key.*layers.9.weight"),
        (truncated, "nvalid|ncomplete"),
        (wider, "size mismatch"),
    ],
)
def test_weights_that_do_not_fit_are_refused_not_filled_with_random_ones(
    clap: Path, spoil: Callable[[Path], object], reason: str
) -> None:
    spoil(clap)
    with pytest.raises(InputError, match=f"the weights do not fit config.json: .*(?:{reason})"):
        ClapEncoder(str(clap)).encode([CLIP])


def test_weights_in_several_files_and_settings_in_the_processors_file_are_the_same_model(
    clap: Path, saved: Path
) -> None:
    from transformers import ClapModel

    ClapModel.from_pretrained(saved).save_pretrained(clap, max_shard_size="20kB")
    (clap / "model.safetensors").unlink()
    assert len(list(clap.glob("*.safetensors"))) > 2
    settings = (clap / "preprocessor_config.json").rename(clap / "aside")
    nested = {
        "feature_extractor": json.loads(settings.read_text("utf-8")),
        "processor_class": "ClapProcessor",
    }
    (clap / "processor_config.json").write_text(json.dumps(nested), "utf-8")
    assert ClapEncoder(str(clap)).encode([CLIP]).tobytes() == ClapEncoder(str(saved)).encode([CLIP]).tobytes()


@pytest.mark.parametrize("name", ["../outside.safetensors", "/etc/passwd", "absent.safetensors", 7])
def test_an_index_cannot_lead_away_from_the_checkpoint(clap: Path, name: Any) -> None:
    (clap / "model.safetensors").rename(clap.parent / "outside.safetensors")
    index = clap / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"audio_model.x": name}}), "utf-8")
    with pytest.raises(InputError, match="names weights that are not here"):
        ClapEncoder(str(clap))


def test_a_hub_id_is_read_from_the_cache_or_refused_by_name(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    revision = "0" * 40
    cached = tmp_path / "models--someone--tiny-clap"
    shutil.copytree(saved, cached / "snapshots" / revision)
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text(revision, "utf-8")
    assert ClapEncoder("someone/tiny-clap").fingerprint == ClapEncoder(str(saved)).fingerprint
    with pytest.raises(InputError, match="'someone/absent' is not a directory, nor could it be had from"):
        ClapEncoder("someone/absent")


@pytest.mark.parametrize("encoder", [ClapEncoder, WhisperEncoder])
def test_missing_libraries_are_named_with_the_command_that_brings_them(
    clap: Path, encoder: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(
        InputError, match=r"needs transformers, which is not installed; run pip install '\.\[train\]'"
    ):
        encoder(str(clap))

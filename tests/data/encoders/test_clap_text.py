"""The text tower of a CLAP gives what transformers gives, and is only read from this machine."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_encoders import save_clap
from tiny_text_models import save_clap_that_reads

from safe_data.core.errors import InputError
from safe_data.encoders.clap import ClapEncoder
from safe_data.encoders.clap_text import ClapText, local_clap

CAPTIONS = ["a dog barks", "rain falls on the tin roof", "a dog barks", "two men talk while wind blows ."]


@pytest.fixture(scope="module")
def clap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_clap_that_reads(tmp_path_factory.mktemp("clap"))


def test_vectors_are_those_of_transformers(clap: Path) -> None:
    from transformers import AutoTokenizer, ClapModel

    model, tokenizer = ClapModel.from_pretrained(clap).eval(), AutoTokenizer.from_pretrained(clap)
    with torch.inference_mode():
        made = model.get_text_features(**tokenizer(CAPTIONS, padding=True, return_tensors="pt"))
    expected = torch.nn.functional.normalize(getattr(made, "pooler_output", made), dim=-1).numpy()
    found = ClapText(clap).encode(CAPTIONS)
    assert found == pytest.approx(expected, abs=1e-5)
    assert (found[0] == found[2]).all()
    assert np.abs(found[0] - found[1]).max() > 0.01


def test_a_checkpoint_without_the_constants_is_read(clap: Path, tmp_path: Path) -> None:
    for file in clap.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(clap / "model.safetensors")
    constants = [name for name in weights if name.endswith("_ids")]
    assert constants
    kept = {name: weight for name, weight in weights.items() if name not in constants}
    save_file(kept, tmp_path / "model.safetensors", {"format": "pt"})
    assert (ClapText(tmp_path).encode(CAPTIONS) == ClapText(clap).encode(CAPTIONS)).all()


def test_a_long_caption_is_cut_off(clap: Path) -> None:
    long = " ".join(["a dog barks"] * 100)
    assert np.linalg.norm(ClapText(clap).encode([long])) == pytest.approx(1)


def test_it_fits_the_embeddings_of_its_own_checkpoint(clap: Path, tmp_path: Path) -> None:
    other = save_clap(tmp_path, frequency_min=60)
    assert ClapText(clap).fits(ClapEncoder(str(clap)).fingerprint)
    assert not ClapText(clap).fits(ClapEncoder(str(other)).fingerprint)


def test_a_checkpoint_without_a_tokenizer_says_so(tmp_path: Path) -> None:
    assert not ClapText(save_clap(tmp_path)).has_tokenizer
    with pytest.raises(InputError, match="has no tokenizer; save its files there"):
        ClapText(tmp_path).encode(CAPTIONS)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    from tiny_text_models import save_tokenizer

    save_tokenizer(save_clap(tmp_path))
    with pytest.raises(InputError, match="has 25 tokens and the model 8; save the tokenizer of this model"):
        ClapText(tmp_path).encode(CAPTIONS)


def test_a_checkpoint_is_looked_for_on_this_machine_only(
    clap: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert local_clap(str(clap)) == clap
    assert local_clap("nobody/has-this") is None
    assert local_clap("no such: folder") is None

"""Adapted files: peft and transformers read what was trained, and what was changed since is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_models import llava_inputs, tiny_llava

from safe_data.core.errors import InputError
from safe_eval.models.files import Hashes
from safe_train.base.adaptation import adapt
from safe_train.base.adapted_files import attach_adapted, check_adapted, remove_adapted, save_adapted
from safe_train.settings.adaptation import AdaptationConfig

LORA = AdaptationConfig(base="lora", lora_targets="attention_mlp", lora_rank=4)
FULL = AdaptationConfig(base="full")
BOTH = pytest.mark.parametrize("config", [LORA, FULL], ids=["lora", "full"])
WEIGHTS = {"lora": "lora/adapter_model.safetensors", "full": "base/model.safetensors"}


@torch.no_grad()
def logits(base: Any) -> torch.Tensor:
    found: torch.Tensor = base(**llava_inputs(3)).logits
    return found


def written(out: Path, config: AdaptationConfig) -> tuple[Hashes, torch.Tensor]:
    """Train every weight a little, and write them: the hashes, and the logits of the trained model."""
    base = tiny_llava()
    adaptation = adapt(base, config)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in adaptation.weights.values():
            weight += 0.05 * torch.randn(weight.shape, generator=generator)
    return save_adapted(out, base, adaptation, "llava"), logits(base)


@BOTH
def test_what_was_trained_is_attached_again_to_the_last_bit(tmp_path: Path, config: AdaptationConfig) -> None:
    hashes, expected = written(tmp_path, config)
    check_adapted(tmp_path, config, hashes)
    base = tiny_llava()
    before = logits(base)
    adaptation = attach_adapted(tmp_path, base, config)
    assert torch.equal(logits(base), expected)
    adaptation.remove()
    assert torch.equal(logits(base), before)
    assert written(tmp_path / "again", config)[0] == hashes  # the same bytes
    remove_adapted(tmp_path)
    assert not (tmp_path / "lora").exists()
    assert not (tmp_path / "base").exists()


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")  # peft's
def test_peft_reads_the_updates(tmp_path: Path) -> None:
    from peft import PeftModel

    _, expected = written(tmp_path, LORA)
    assert torch.equal(logits(PeftModel.from_pretrained(tiny_llava(), tmp_path / "lora")), expected)


def test_transformers_reads_the_whole_model(tmp_path: Path) -> None:
    from transformers import AutoModelForImageTextToText

    _, expected = written(tmp_path, FULL)
    assert torch.equal(logits(AutoModelForImageTextToText.from_pretrained(tmp_path / "base")), expected)


def test_a_frozen_base_has_no_files(tmp_path: Path) -> None:
    base, frozen = tiny_llava(), AdaptationConfig()
    assert save_adapted(tmp_path, base, adapt(base, frozen), "llava") == {}
    check_adapted(tmp_path, frozen, {})
    assert list(tmp_path.iterdir()) == []
    assert attach_adapted(tmp_path, base, frozen).weights == {}


@BOTH
def test_a_file_that_was_changed_is_missing_or_is_new_is_refused(
    tmp_path: Path, config: AdaptationConfig
) -> None:
    hashes, _ = written(tmp_path, config)
    file = tmp_path / WEIGHTS[config.base]
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(InputError, match=f"{file}: was changed since it was written; copy or train it again"):
        check_adapted(tmp_path, config, hashes)
    file.unlink()
    with pytest.raises(InputError, match=f"{file}: is missing since it was written"):
        check_adapted(tmp_path, config, hashes)
    file.write_bytes(content)
    (file.parent / "more.json").write_text("{}")
    with pytest.raises(InputError, match=r"more\.json: is new since it was written"):
        check_adapted(tmp_path, config, hashes)


@BOTH
def test_numbers_that_are_not_finite_are_refused(tmp_path: Path, config: AdaptationConfig) -> None:
    written(tmp_path, config)
    file = tmp_path / WEIGHTS[config.base]
    weights = load_file(file)
    next(iter(weights.values())).view(-1)[0] = torch.nan
    save_file(weights, file, {"format": "pt"})
    base = tiny_llava()
    with pytest.raises(InputError, match=r"\(torch\.float32\) is not all finite numbers; train it again"):
        attach_adapted(tmp_path, base, config)


def test_updates_of_another_rank_or_of_other_layers_are_refused(tmp_path: Path) -> None:
    written(tmp_path, LORA)
    base = tiny_llava()
    file = tmp_path / "lora/adapter_model.safetensors"
    huge = AdaptationConfig(base="lora", lora_targets="attention_mlp", lora_rank=10**9)
    with pytest.raises(InputError, match=r"holds updates of rank \[4\], config\.json says 1000000000; train"):
        attach_adapted(tmp_path, base, huge)
    with pytest.raises(InputError, match=r"do not fit it: base_model\.model\..*mlp\.down_proj\.lora_A"):
        attach_adapted(tmp_path, base, AdaptationConfig(base="lora", lora_rank=4))
    assert not [name for name in base.state_dict() if "lora" in name]  # it was taken back
    file.write_bytes(b"not weights")
    with pytest.raises(InputError, match=f"{file}: is not a safetensors file: "):
        attach_adapted(tmp_path, base, LORA)


def test_a_whole_model_that_cannot_be_loaded_is_refused(tmp_path: Path) -> None:
    written(tmp_path, FULL)
    (tmp_path / "base/model.safetensors").unlink()
    with pytest.raises(InputError, match=r"base: is no LlavaForConditionalGeneration that can be loaded: "):
        attach_adapted(tmp_path, tiny_llava(), FULL)

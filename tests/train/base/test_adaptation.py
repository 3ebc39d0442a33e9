"""Adaptation: a base that is trained can be taken back, bit for bit, by families of other names too."""

import re
from typing import Any

import pytest
import torch
from tiny_models import TEXT, llava_inputs, tiny_llava
from torch import nn

from safe_data.core.errors import InputError
from safe_train.base.adaptation import Full, Lora, adapt, adapted_weights, linear_layers, load_adapted
from safe_train.base.freeze import audit_freeze, freeze
from safe_train.settings.adaptation import AdaptationConfig

LORA = AdaptationConfig(base="lora", lora_targets="attention_mlp", lora_rank=4, lora_dropout=0.5)
FULL = AdaptationConfig(base="full")
BOTH = pytest.mark.parametrize("config", [LORA, FULL], ids=["lora", "full"])


@pytest.fixture
def base() -> Any:
    model = tiny_llava()
    freeze(model)
    return model


def tiny_qwen() -> Any:
    """A Qwen2-VL, whose projector (`merger`) is a part of its vision tower."""
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    vision = {"depth": 1, "embed_dim": 16, "hidden_size": 32, "num_heads": 2, "mlp_ratio": 2, "patch_size": 4}
    return Qwen2VLForConditionalGeneration(Qwen2VLConfig(text_config=TEXT, vision_config=vision))


def tiny_opt() -> Any:
    from transformers import OPTConfig, OPTForCausalLM

    sizes = {"hidden_size": 32, "ffn_dim": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    return OPTForCausalLM(OPTConfig(vocab_size=64, word_embed_proj_dim=32, **sizes))


@torch.no_grad()
def logits(base: Any) -> torch.Tensor:
    found: torch.Tensor = base(**llava_inputs(3)).logits
    return found


@torch.no_grad()
def trained(weights: dict[str, nn.Parameter]) -> None:
    """Move every weight, as training would."""
    generator = torch.Generator().manual_seed(1)
    for weight in weights.values():
        weight += 0.05 * torch.randn(weight.shape, generator=generator)


@BOTH
def test_an_adapted_base_can_be_taken_back_to_the_last_bit(base: Any, config: AdaptationConfig) -> None:
    before, audit, names = logits(base), audit_freeze(base), list(base.state_dict())
    modules, attributes = dict(base.named_modules()), set(vars(base))
    adaptation = adapt(base, config)
    assert torch.equal(logits(base), before)  # nothing is trained yet
    trained(adaptation.weights)
    moved = logits(base)
    assert not torch.equal(moved, before)
    with adaptation.untouched():
        assert torch.equal(logits(base), before)
    assert torch.equal(logits(base), moved)
    assert all(weight.requires_grad for weight in adaptation.weights.values())
    adaptation.remove()
    adaptation.remove()  # twice does no harm
    assert torch.equal(logits(base), before)
    assert audit_freeze(base) == audit
    assert list(base.state_dict()) == names
    assert dict(base.named_modules()) == modules
    assert set(vars(base)) == attributes


@BOTH
def test_an_error_inside_leaves_what_was_trained_in_place(base: Any, config: AdaptationConfig) -> None:
    adaptation = adapt(base, config)
    trained(adaptation.weights)
    moved = logits(base)
    with pytest.raises(KeyError), adaptation.untouched():
        raise KeyError
    assert torch.equal(logits(base), moved)


def test_the_updates_are_of_the_decoder_alone_and_the_base_stays_frozen(base: Any) -> None:
    names = {id(weight): name for name, weight in base.named_parameters()}
    adaptation = adapt(base, LORA)
    thawed = {id(weight) for weight in base.parameters() if weight.requires_grad}
    assert thawed == {id(weight) for weight in adaptation.weights.values()}
    assert not thawed & names.keys()
    widths = 2 * (32 + 32) + 2 * (32 + 16) + 3 * (32 + 64)  # in and out: q and o, k and v, the MLP
    assert len(adaptation.weights) == 4 * 7 * 2
    assert sum(weight.numel() for weight in adaptation.weights.values()) == 4 * LORA.lora_rank * widths
    assert not [one for one in base.model.vision_tower.modules() if hasattr(one, "lora_A")]
    assert {weight.dtype for weight in adaptation.weights.values()} == {torch.float32}


def test_the_updates_of_attention_are_fewer(base: Any) -> None:
    adaptation = adapt(base, AdaptationConfig(base="lora"))
    assert {name.split(".")[-3] for name in adaptation.weights} == {"q_proj", "k_proj", "v_proj", "o_proj"}


def test_the_first_updates_follow_from_the_seed_and_leave_the_generator_alone(base: Any) -> None:
    state, found = torch.get_rng_state(), []
    for seed in (3, 3, 4):
        adaptation = Lora(base, LORA, seed)
        found.append(torch.cat([weight.flatten() for weight in adapted_weights(adaptation).values()]))
        adaptation.remove()
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])
    assert torch.equal(torch.get_rng_state(), state)


def test_dropout_of_the_updates_is_that_of_training_alone(base: Any) -> None:
    adaptation = adapt(base, LORA)
    trained(adaptation.weights)
    calm = logits(base)
    assert torch.equal(logits(base), calm)
    adaptation.train(True)
    assert not torch.equal(logits(base), logits(base))
    assert [name for name, one in base.named_modules() if one.training and "lora_dropout" not in name] == []
    adaptation.train(False)
    assert torch.equal(logits(base), calm)


def test_all_but_the_vision_tower_is_trained_whole(base: Any) -> None:
    adaptation = adapt(base, FULL)
    frozen = {name for name, weight in base.named_parameters() if not weight.requires_grad}
    assert frozen == {f"model.vision_tower.{name}" for name, _ in base.model.vision_tower.named_parameters()}
    assert [tuple(weight.shape) for weight in adaptation.sometimes] == [(32, 24), (32,), (32, 32), (32,)]
    assert adaptation.sees_anew


def test_a_projector_inside_the_vision_tower_is_trained() -> None:
    base = tiny_qwen()
    adaptation = Full(base)
    seen = {name for name in adaptation.weights if ".visual." in name}
    assert seen
    assert all(".visual.merger." in name for name in seen)
    assert len(adaptation.sometimes) == len(seen)
    assert any(".visual.blocks." in name for name, weight in base.named_parameters())


def test_other_names_of_linear_layers() -> None:
    pattern = linear_layers(tiny_opt(), "attention_mlp")
    for name in ("self_attn.q_proj", "self_attn.out_proj", "fc1", "fc2"):
        assert re.fullmatch(pattern, f"model.decoder.layers.1.{name}"), name
    assert not re.fullmatch(pattern, "model.decoder.layers.1.self_attn")
    assert "fc1" not in linear_layers(tiny_opt(), "attention")


def test_a_family_without_such_layers_or_vision_tower_is_refused(base: Any) -> None:
    for layer in base.get_decoder().layers:
        layer.mlp = nn.Identity()
    assert linear_layers(base, "attention")
    with pytest.raises(
        InputError, match=r"LlavaForC.*: no layer of its decoder has a linear layer of an MLP"
    ):
        linear_layers(base, "attention_mlp")
    with pytest.raises(InputError, match="OPTForCausalLM: found no vision tower to keep frozen; choose base"):
        Full(tiny_opt())


def test_a_quantised_base_is_not_trained_whole(base: Any) -> None:
    layer = base.get_decoder().layers[0].self_attn.q_proj
    layer.weight = nn.Parameter(layer.weight.to(torch.int8), requires_grad=False)
    with pytest.raises(
        InputError, match=r"q_proj\.weight is torch\.int8; a quantised base cannot be trained"
    ):
        Full(base)
    layer.weight = nn.Parameter(layer.weight.float().to("meta"), requires_grad=False)
    with pytest.raises(
        InputError, match=r"q_proj\.weight is offloaded; to train a base whole, keep all of it"
    ):
        Full(base)


@BOTH
def test_what_was_stored_comes_back_and_other_weights_are_refused(
    base: Any, config: AdaptationConfig
) -> None:
    adaptation = adapt(base, config)
    trained(adaptation.weights)
    moved, stored = logits(base), adapted_weights(adaptation)
    adaptation.remove()
    again = adapt(base, config)
    load_adapted(again, stored)
    assert torch.equal(logits(base), moved)
    name = next(iter(stored))
    with pytest.raises(InputError, match=f"do not fit it: {re.escape(name)}; train it again"):
        load_adapted(again, stored | {name: stored[name][:1]})

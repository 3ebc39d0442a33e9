"""Activation checkpointing of a frozen base: less is kept, and nothing else changes."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from tiny_models import awake_pathway, llava_inputs, sounds, tiny_llava
from torch import Tensor

from safe_train.base.backbone import decoder_layers
from safe_train.base.freeze import audit_freeze
from safe_train.pathway.model import SafeModel

ROWS = 4


def tiny_opt() -> Any:
    """A language model whose layers drop out a tenth of what they add, if they are in training mode."""
    from transformers import OPTConfig, OPTForCausalLM

    torch.manual_seed(0)
    config = OPTConfig(
        vocab_size=64, hidden_size=32, ffn_dim=64, num_hidden_layers=4, num_attention_heads=4,
        word_embed_proj_dim=32, max_position_embeddings=64,
    )  # fmt: skip
    assert config.dropout == 0.1
    return OPTForCausalLM(config)


def offloaded_llava() -> Any:
    """A LLaVA whose weights lie elsewhere until their module computes, in the backward pass too."""
    from accelerate import cpu_offload

    return cpu_offload(copy.deepcopy(tiny_llava()), execution_device=torch.device("cpu"))


def inputs_of(base: Any) -> dict[str, Tensor]:
    inputs = llava_inputs(ROWS)
    if not hasattr(base.config, "vision_config"):
        inputs.pop("pixel_values")
    return inputs | {"use_cache": False}


class Seen:
    """What one step of training computes, keeps and learns."""

    def __init__(self, base: Any, *, recompute: bool) -> None:
        model = SafeModel(base, awake_pathway(), recompute=recompute)
        self.attention_calls = self.layer_calls = self.kept_bytes = 0
        self.in_training: list[str] = []
        layer, kept = decoder_layers(base)[1], set()

        def attend(*_: object) -> None:
            self.attention_calls += 1
            self.in_training += [name for name, module in base.named_modules() if module.training]

        def enter(*_: object) -> None:
            self.layer_calls += 1

        def keep(tensor: Tensor) -> Tensor:
            if tensor.data_ptr() not in kept:
                kept.add(tensor.data_ptr())
                self.kept_bytes += tensor.nbytes
            return tensor

        hooks = [layer.self_attn.register_forward_hook(attend), layer.register_forward_hook(enter)]
        saving = torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor)
        with model.fuse(audio=sounds(ROWS)), saving:
            self.logits = model(**inputs_of(base)).logits
            self.own_forwards = ["forward" in vars(one) for one in decoder_layers(base)]
            self.logits.square().sum().backward()
        self.gradients = {name: parameter.grad for name, parameter in model.pathway.named_parameters()}
        model.detach()
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize("make", [tiny_llava, tiny_opt, offloaded_llava])
def test_it_keeps_less_and_learns_the_same(make: Callable[[], Any]) -> None:
    base = make()
    plain, less = Seen(base, recompute=False), Seen(base, recompute=True)
    assert torch.equal(plain.logits, less.logits)
    assert all(gradient is not None for gradient in plain.gradients.values())
    for name, gradient in plain.gradients.items():
        assert torch.equal(gradient, less.gradients[name]), name
    assert (plain.attention_calls, less.attention_calls) == (1, 2)
    assert (plain.layer_calls, less.layer_calls) == (1, 1)  # our hooks stand outside of what runs again
    assert less.kept_bytes < 0.5 * plain.kept_bytes


@pytest.mark.parametrize("make", [tiny_llava, tiny_opt, offloaded_llava])
def test_the_layers_stay_in_eval_mode_and_as_they_were(make: Callable[[], Any]) -> None:
    base = make()
    before = [vars(layer).get("forward") for layer in decoder_layers(base)]
    less = Seen(base, recompute=True)
    assert less.in_training == []
    assert less.own_forwards == [forward is not None for forward in before]
    assert [vars(layer).get("forward") for layer in decoder_layers(base)] == before
    audit_freeze(base)  # as strict as ever


def test_the_base_itself_and_passes_without_gradients_keep_as_always(
    llava: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> None:
        raise AssertionError("it was checkpointed")

    monkeypatch.setattr("safe_train.pathway.model.recomputing", never)
    model = SafeModel(llava, awake_pathway(), recompute=True)
    with model.fuse(audio=sounds(ROWS)):
        model.base(**inputs_of(llava))
        with torch.no_grad():
            model(**inputs_of(llava))
        with pytest.raises(AssertionError, match="it was checkpointed"):
            model(**inputs_of(llava))


def test_a_cache_would_be_filled_twice_and_is_refused(llava: Any) -> None:
    model = SafeModel(llava, awake_pathway(), recompute=True)
    with pytest.raises(ValueError, match="the layer was given a cache; pass use_cache=False"):
        model(**inputs_of(llava) | {"use_cache": True})
    assert not any("forward" in vars(layer) for layer in decoder_layers(llava))

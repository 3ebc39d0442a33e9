"""Counts by part, against published figures; and the check of the freeze, which must be able to fail."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from audit_plans import DIMS, TINY, WIDTH, published_llava, tiny_llava

from safe_train.audit.blueprint import blueprint, count_pathway
from safe_train.audit.counts import components, freeze_faults
from safe_train.pathway import model as pathway_model
from safe_train.pathway.model import SafeModel
from safe_train.settings.learning import OptimConfig
from safe_train.settings.pathway import PathwayConfig

PLAIN = {"input_norm": False, "hidden_norm": False, "token_norm": False}
PLAN = PathwayConfig(layers=(8, 16, 24, 32), rank=64, heads=8, tokens=32, **PLAIN)
SMALL = PathwayConfig(layers=(2, 4), rank=8, heads=2, tokens=4, bottleneck=16)


def made(config: Any = None, plan: PathwayConfig = SMALL, dims: int = DIMS) -> SafeModel:
    return blueprint(config or tiny_llava(), plan, [(dims,)], torch.float32)


@pytest.mark.parametrize(
    ("large", "parts"),
    [
        (False, (303_507_456, 20_979_712, 6_607_605_760, 131_334_144)),
        (True, (303_507_456, 31_467_520, 12_852_352_000, 164_167_680)),
    ],
)
def test_the_parts_of_llava_are_the_published_ones(large: bool, parts: tuple[int, ...]) -> None:
    model = made(published_llava(large=large), PLAN, 512)
    found = components(model)
    names = ("vision tower", "multimodal projector", "language model", "head")
    assert tuple(part.name for part in found[:4]) == names
    assert tuple(part.parameters for part in found[:4]) == parts
    assert sum(parts) == (13_351_494_656 if large else 7_063_427_072)
    assert all(part.trainable == 0 for part in found[:4])
    assert found[1].modules == "model.multi_modal_projector"
    assert freeze_faults(model, OptimConfig()) == ()


def test_the_pathway_on_13b_is_as_published() -> None:
    found = components(made(published_llava(large=True), PLAN, 512))[4:]
    assert [part.name for part in found] == [
        "audio projectors",
        *(f"fusion at layer {n}" for n in PLAN.layers),
    ]
    assert [part.parameters for part in found] == [168_461_312, *[4 * 5120 * 64] * 4]
    assert [part.trainable for part in found] == [part.parameters for part in found]
    assert count_pathway(PLAN, width=5120, shapes=[(512,)]) == (
        168_461_312,
        dict.fromkeys(PLAN.layers, 4 * 5120 * 64),
    )


def test_nested_budgets_are_the_parameters_of_the_largest() -> None:
    largest, nested = (replace(SMALL, tokens=tokens) for tokens in (12, (4, 8, 12)))
    assert components(made(plan=nested)) == components(made(plan=largest))
    counted = [count_pathway(plan, width=WIDTH, shapes=[(DIMS,)]) for plan in (nested, largest)]
    assert counted[0] == counted[1]


@pytest.mark.parametrize("family", TINY)
def test_every_parameter_is_in_exactly_one_part(family: str) -> None:
    model = made(TINY[family]())
    found = {part.name: part.parameters for part in components(model)}
    pathway = sum(parameter.numel() for parameter in model.pathway.parameters())
    assert sum(found.values()) == sum(p.numel() for p in model.base.parameters()) + pathway
    assert found["language model"] == sum(p.numel() for p in model.base.get_decoder().parameters())
    assert found["vision tower"] > 0


def test_a_head_that_shares_the_embeddings_has_none_of_its_own() -> None:
    config = tiny_llava()
    config.tie_word_embeddings = config.text_config.tie_word_embeddings = True
    found = {part.name: part for part in components(made(config))}
    assert (found["head"].parameters, found["head"].modules) == (0, "")


def test_what_is_inside_the_vision_tower_counts_there() -> None:
    found = {part.name: part for part in components(made(TINY["qwen2-vl"]()))}
    assert found["multimodal projector"].parameters == 0
    blip2 = {part.name: part for part in components(made(TINY["blip-2"]()))}
    assert blip2["multimodal projector"].modules == "query_tokens, qformer, language_projection" or (
        "qformer, language_projection" in blip2["multimodal projector"].modules
    )


def test_a_base_that_was_not_frozen_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pathway_model, "freeze", lambda base: base.eval())
    model = made()
    (fault,) = freeze_faults(model, OptimConfig())
    assert fault.startswith(f"{len(list(model.base.parameters()))} parameters of the base would be trained: ")
    assert sum(part.trainable for part in components(model)[:4]) == sum(
        p.numel() for p in model.base.parameters()
    )


def test_one_parameter_that_was_thawed_later_is_named() -> None:
    model = made()
    model.base.get_decoder().layers[2].mlp.up_proj.weight.requires_grad_(True)
    assert freeze_faults(model, OptimConfig()) == (
        "1 parameter of the base would be trained: model.language_model.layers.2.mlp.up_proj.weight",
    )


def test_a_module_in_training_mode_is_named() -> None:
    model = made()
    model.base.get_decoder().norm.train()
    assert freeze_faults(model, OptimConfig()) == (
        "1 module of the base would be in training mode: model.language_model.norm",
    )


def test_a_weight_of_the_base_inside_the_pathway_is_found_whatever_its_name() -> None:
    model = made()
    stolen = model.base.get_decoder().norm.weight
    assert len(stolen) == WIDTH
    model.pathway.block(2).hidden_norm.weight = stolen
    assert freeze_faults(model, OptimConfig()) == (
        "1 parameter of the pathway belong to the base: blocks.2.hidden_norm.weight",
        "the optimizer would get 1 parameter of the base: model.language_model.norm.weight",
    )


def test_what_is_trained_beside_projector_and_fusion_is_found() -> None:
    model = made()
    model.pathway.register_parameter("extra", torch.nn.Parameter(torch.zeros(3, device="meta")))
    assert freeze_faults(model, OptimConfig()) == ("1 parameter beside projector and fusion: pathway.extra",)

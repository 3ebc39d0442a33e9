"""The estimate of memory: on the meta device the real model is run, and what it keeps is what it keeps."""

from typing import Any

import pytest
import torch
from audit_plans import DIMS, TINY, published_llava, really_alive, really_kept, tiny_llava

from safe_train.audit.blueprint import blueprint
from safe_train.audit.live import checkpoint_layers
from safe_train.audit.memory import Memory, Sizes, measure
from safe_train.base.backbone import decoder_layers
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.retention.distillation import TEACHER_CACHE_BYTES
from safe_train.settings.pathway import PathwayConfig

SIZES = Sizes(rows=4, kept=2, positions=96, answer_positions=6)
GB = 10**9


def pathway(*layers: int, **settings: Any) -> PathwayConfig:
    return PathwayConfig(layers=layers, **{"rank": 8, "heads": 2, "tokens": 4, "bottleneck": 32, **settings})


def estimated(
    config: Any,
    plan: PathwayConfig,
    sizes: Sizes = SIZES,
    dtype: torch.dtype = torch.float32,
    *,
    checkpointing: bool = False,
    dims: int = DIMS,
) -> Memory:
    model = blueprint(config, plan, [(dims,)], dtype)
    return measure(model, sizes, checkpointing=checkpointing)


def real_model(config: Any, plan: PathwayConfig, dtype: torch.dtype) -> tuple[SafeModel, Any]:
    """A model of random weights, and the part of it that takes words alone."""
    from transformers import AutoModelForImageTextToText

    torch.manual_seed(0)
    base = AutoModelForImageTextToText.from_config(config, dtype=dtype)
    speaker = base.language_model if config.model_type == "blip-2" else base
    return SafeModel(speaker, new_pathway(plan, speaker, [(DIMS,)], seed=0)), speaker


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layers", [(1, 3), (3,), (4,)])
@pytest.mark.parametrize("family", TINY)
def test_the_estimate_is_what_a_real_pass_keeps(
    family: str, layers: tuple[int, ...], dtype: torch.dtype
) -> None:
    config, plan = TINY[family](), pathway(*layers)
    model, speaker = real_model(config, plan, dtype)
    real = really_kept(model, speaker, SIZES)
    assert estimated(config, plan, dtype=dtype).activations == pytest.approx(real, rel=0.1)


@pytest.mark.parametrize("changed", [{"rows": 9}, {"positions": 200}, {"answer_positions": 60}])
def test_the_estimate_follows_the_sizes(changed: dict[str, int]) -> None:
    config, plan, sizes = tiny_llava(), pathway(2, design="lora"), SIZES._replace(**changed)
    model, speaker = real_model(config, plan, torch.float32)
    real = really_kept(model, speaker, sizes)
    assert estimated(config, plan, sizes).activations == pytest.approx(real, rel=0.1)
    assert real != pytest.approx(estimated(config, plan).activations, rel=0.1)


def test_nothing_is_kept_below_the_lowest_layer_that_hears() -> None:
    sizes = SIZES._replace(kept=0)
    by_layer = [estimated(tiny_llava(), pathway(layer), sizes).activations for layer in (1, 2, 3)]
    assert by_layer[0] - by_layer[1] == pytest.approx(by_layer[1] - by_layer[2], rel=0.01)
    assert by_layer[0] > 2 * by_layer[2]


def test_checkpointing_keeps_the_input_of_each_layer() -> None:
    config, plan = published_llava(large=True), pathway(8, 16, 24, 32, heads=8, rank=64)
    plain, less = (
        estimated(config, plan, Sizes(4, 0, 620, 16), torch.bfloat16, checkpointing=checkpointing, dims=512)
        for checkpointing in (False, True)
    )
    inputs = 4 * 620 * 5120 * 2 * (40 - 8)  # of the layers above the lowest that hears, in bfloat16
    assert inputs < less.activations < inputs + 0.9 * GB
    assert plain.activations > 9 * less.activations
    assert less.base == plain.base == pytest.approx(2 * 13_351_494_656, rel=1e-6)  # and a few buffers
    assert less.working > plain.working  # a layer is computed again, beside its input


def test_a_pass_leaves_nothing_behind() -> None:
    assert estimated(tiny_llava(), pathway(2)) == estimated(tiny_llava(), pathway(2))


@pytest.mark.parametrize("family", ["llava", "qwen2-vl"])
def test_checkpointing_estimated_is_what_is_really_alive(family: str) -> None:
    """Live counts real tensors too, where layers are computed again and nothing is saved by autograd."""
    config, plan = TINY[family](), pathway(1, 3)
    plain, less = (estimated(config, plan, checkpointing=checkpointing) for checkpointing in (False, True))
    model, speaker = real_model(config, plan, torch.float32)
    checkpoint_layers(speaker, decoder_layers(speaker))
    kept = really_alive(model, speaker, SIZES)
    assert less.activations == pytest.approx(kept, rel=0.1)
    assert less.activations < 0.5 * plain.activations


def test_weights_gradients_and_moments_are_in_float32_beside_a_half_precision_base() -> None:
    found = estimated(tiny_llava(), pathway(2), dtype=torch.float16)
    model = blueprint(tiny_llava(), pathway(2), [(DIMS,)], torch.float32)
    trained = sum(parameter.numel() for parameter in model.pathway.parameters())
    assert found.gradients == 4 * trained
    assert found.optimizer == 8 * trained
    assert found.pathway == 4 * (trained + 2 * DIMS)  # with the mean and the deviation of the embeddings
    parts = (found.base, found.pathway, found.gradients, found.optimizer, found.teacher_cache)
    assert found.total == sum(parts) + found.activations + found.working
    assert found.teacher_cache == TEACHER_CACHE_BYTES
    assert estimated(tiny_llava(), pathway(2), SIZES._replace(kept=0)).teacher_cache == 0

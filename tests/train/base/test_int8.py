"""int8: matrices of a base in 8 bits on a CPU: near its answers, fewer bytes, hashed and frozen."""

import sys
from pathlib import Path

import pytest
import torch
from tiny_models import wake

from safe_data.core.errors import InputError
from safe_train.base.adaptation import adapt
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.base.freeze import audit_freeze, weights_sha256
from safe_train.base.int8 import floats_of, is_divided, parts_of, to_int8
from safe_train.base.loading import place
from safe_train.parity.memory import LiveTensors, bytes_of
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.settings.adaptation import AdaptationConfig
from safe_train.settings.backbone import LoadingConfig
from safe_train.settings.pathway import PathwayConfig

SHAPE = PathwayConfig(tokens=(2,), rank=8, heads=2, bottleneck=32)


@pytest.fixture(scope="module")
def rounded(untaught: Path) -> Backbone:
    """The tiny base as int8."""
    return load_backbone(untaught, LoadingConfig(quantization="int8"))


def logits(base: Backbone) -> torch.Tensor:
    tokens = torch.arange(5, 15).view(2, 5)
    with torch.no_grad():
        found: torch.Tensor = base.model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits
    return found


def test_the_decoder_is_rounded_and_the_output_layer_is_not(rounded: Backbone, loaded: Backbone) -> None:
    named = dict(rounded.model.named_parameters())
    divided = {name for name, weight in named.items() if is_divided(weight)}
    inner = [name for name in named if "language_model.layers" in name and "norm" not in name]
    assert divided.issuperset(inner)
    assert not any("embed_tokens" in name or "lm_head" in name or "norm" in name for name in divided)
    whole = dict(loaded.model.named_parameters())
    for name in divided:
        integers, scale = list(parts_of(named[name]))[:2]
        assert integers.dtype == torch.int8
        error = (floats_of(named[name]) - whole[name]).abs()
        assert bool((error <= scale / 2 + 1e-7).all())  # no number moves by more than half a step


def test_it_says_nearly_what_the_base_says(rounded: Backbone, loaded: Backbone) -> None:
    ours, whole = logits(rounded), logits(loaded)
    assert not torch.equal(ours, whole)
    assert (ours - whole).abs().max() < 0.05 * whole.abs().max()


def test_bytes_are_those_of_the_integers(rounded: Backbone, loaded: Backbone) -> None:
    divided = [weight for weight in rounded.model.parameters() if is_divided(weight)]
    spared = sum(3 * weight.numel() - 5 * len(weight) for weight in divided)  # a scale and a zero point a row
    assert bytes_of(loaded.model) - bytes_of(rounded.model) == spared
    with LiveTensors() as live:
        logits(rounded)
    assert live.peak > 0


def test_it_is_frozen_and_hashed_by_what_it_computes_with(rounded: Backbone, loaded: Backbone) -> None:
    audit = audit_freeze(rounded.model)
    assert audit.parameters == audit_freeze(loaded.model).parameters
    assert audit.weights_sha256 != weights_sha256(loaded.model)
    weight = next(weight for weight in rounded.model.parameters() if is_divided(weight))
    integers = next(parts_of(weight))
    integers[0, 0] += 1
    try:
        assert weights_sha256(rounded.model) != audit.weights_sha256
    finally:
        integers[0, 0] -= 1
    assert weights_sha256(rounded.model) == audit.weights_sha256


def test_it_can_be_moved_and_carries_gradients_to_the_pathway(rounded: Backbone) -> None:
    place(rounded.model, LoadingConfig(quantization="int8"), torch.device("cpu"))
    model = SafeModel(rounded.model, wake(new_pathway(SHAPE, rounded.model, [(512,)], seed=0)))
    tokens = torch.arange(5, 15).view(2, 5)
    try:
        with model.fuse(audio=torch.randn(2, 512, generator=torch.Generator().manual_seed(0))):
            model(input_ids=tokens, attention_mask=torch.ones_like(tokens)).logits.sum().backward()
    finally:
        model.detach()
    trained = [weight.grad for weight in model.pathway.parameters() if weight.requires_grad]
    assert all(gradient is not None and bool(gradient.any()) for gradient in trained)
    assert not any(weight.grad is not None for weight in rounded.model.parameters())


def test_it_cannot_be_trained_whole(untaught: Path) -> None:
    base = load_backbone(untaught, LoadingConfig(quantization="int8")).model
    with pytest.raises(InputError, match="is Int8Tensor; a quantised base cannot be trained whole"):
        adapt(base, AdaptationConfig(base="full"))


def test_without_torchao_it_is_one_line(monkeypatch: pytest.MonkeyPatch, untaught: Path) -> None:
    monkeypatch.setitem(sys.modules, "torchao", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    said = (
        "int8 needs torchao, which is not installed; run pip install '.[quantize]' in the SAFE project folder"
    )
    with pytest.raises(InputError) as refused:
        to_int8(torch.nn.Linear(2, 2))
    assert str(refused.value) == said

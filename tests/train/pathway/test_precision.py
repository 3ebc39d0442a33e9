"""Precision of the pathway: fewer bits, nearly the same answers, and a closed gate that stays closed."""

from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from tiny_models import sounds

from safe_train.base.backbone import Backbone
from safe_train.base.int8 import is_divided
from safe_train.checkpoint import attach_checkpoint, read_checkpoint
from safe_train.parity.memory import bytes_of
from safe_train.pathway.model import SafeModel
from safe_train.settings.backbone import PathwayPrecision

TOKENS = torch.arange(5, 15).view(2, 5)


def logits(model: SafeModel, gate: float) -> torch.Tensor:
    heard = torch.randn(2, 512, generator=torch.Generator().manual_seed(1))
    with torch.no_grad(), model.fuse(audio=heard, gate=gate):
        found: torch.Tensor = model.base(input_ids=TOKENS, attention_mask=torch.ones_like(TOKENS)).logits
    return found


def attached(adapter: Path, backbone: Backbone, precision: Any) -> SafeModel:
    return attach_checkpoint(read_checkpoint(adapter), backbone, precision)


@pytest.mark.parametrize("precision", get_args(PathwayPrecision))
def test_it_moves_what_is_heard_a_little_and_never_the_base(
    precision: Any, adapter: Path, backbone: Backbone
) -> None:
    with torch.no_grad():
        alone = backbone.model(input_ids=TOKENS, attention_mask=torch.ones_like(TOKENS)).logits
    whole = attached(adapter, backbone, "float32")
    heard = logits(whole, 1.0)
    whole.detach()
    model = attached(adapter, backbone, precision)
    assert torch.equal(logits(model, 0.0), alone)
    assert (heard - alone).abs().max() > 0.01
    moved = (logits(model, 1.0) - heard).abs().max()
    assert moved < 0.1 * (heard - alone).abs().max()
    assert bool(moved > 0) is (precision != "float32")


def test_half_the_bits_are_half_the_bytes(adapter: Path, backbone: Backbone) -> None:
    sizes = {}
    for precision in get_args(PathwayPrecision):
        model = attached(adapter, backbone, precision)
        sizes[precision] = bytes_of(model.pathway)
        model.detach()
    statistics = 2 * 512 * 4  # the mean and the deviation of the embeddings, which stay float32
    assert sizes["bfloat16"] == sizes["float16"] == (sizes["float32"] - statistics) // 2 + statistics
    assert sizes["int8"] < sizes["bfloat16"]


def test_embeddings_are_standardised_in_float32(adapter: Path, backbone: Backbone) -> None:
    """Numbers with a large mean in common would all be the same in bfloat16."""
    checkpoint = read_checkpoint(adapter)
    checkpoint.weights["projectors.0.mean"] += 1000
    projector = attach_checkpoint(checkpoint, backbone, "bfloat16").pathway.projector()
    assert projector.mean.dtype == projector.deviation.dtype == torch.float32
    heard = sounds(2)[:, :1] * torch.ones(512) + 1000 + torch.randn(2, 512)
    with torch.no_grad():
        first, second = projector(heard)
    assert not torch.equal(first, second)


def test_only_matrices_become_int8(adapter: Path, backbone: Backbone) -> None:
    named = dict(attached(adapter, backbone, "int8").pathway.named_parameters())
    assert {name for name, weight in named.items() if is_divided(weight)} == {
        name for name, weight in named.items() if weight.dim() == 2
    }

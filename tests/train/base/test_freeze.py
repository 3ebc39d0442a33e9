"""The freeze: an audit that can fail, and a hash that sees every bit."""

from pathlib import Path

import pytest
import torch
from tiny_models import tiny_llava
from torch import nn

from safe_data.core.errors import InputError
from safe_train.base.backbone import load_backbone
from safe_train.base.freeze import audit_freeze, freeze, weights_sha256
from safe_train.toy.words import make_processor


def small_model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.1), nn.Linear(4, 2))


def test_a_frozen_model_passes_the_audit() -> None:
    model = small_model()
    freeze(model)
    audit = audit_freeze(model)
    assert (audit.architecture, audit.parameters, audit.trainable_parameters) == ("Sequential", 30, 0)
    assert audit.weights_sha256 == weights_sha256(model)


def test_one_trainable_parameter_fails_the_audit() -> None:
    model = small_model()
    freeze(model)
    model[2].bias.requires_grad_(True)
    with pytest.raises(InputError, match=r"1 parameters of the base are trainable, the first is 2\.bias"):
        audit_freeze(model)


def test_training_mode_fails_the_audit() -> None:
    model = small_model()
    freeze(model)
    model[1].train()
    with pytest.raises(InputError, match=r"1 modules of the base are in training mode, the first is 1;"):
        audit_freeze(model)


@torch.no_grad()
def test_the_hash_sees_one_bit_a_type_and_a_name() -> None:
    model = small_model()
    hashes = [weights_sha256(model), weights_sha256(small_model())]
    assert hashes[0] == hashes[1]
    weight = model[0].weight
    weight[0, 0] = torch.nextafter(weight[0, 0], torch.tensor(9.0))
    hashes.append(weights_sha256(model))
    hashes.append(weights_sha256(small_model().to(torch.bfloat16)))
    hashes.append(weights_sha256(nn.ModuleDict({"renamed": small_model()})))
    assert len(set(hashes)) == 4


def test_saved_weights_hash_the_same_in_one_file_or_many(tmp_path: Path) -> None:
    model = tiny_llava()
    for name, size in [("one", "1GB"), ("many", "40KB")]:
        model.save_pretrained(tmp_path / name, max_shard_size=size)
        make_processor().save_pretrained(tmp_path / name)
    assert len(list((tmp_path / "many").glob("*.safetensors"))) > 1
    loaded = [load_backbone(tmp_path / name).model for name in ("one", "many")]
    assert {weights_sha256(m) for m in loaded} == {weights_sha256(model)}
    for found in loaded:
        assert audit_freeze(found).trainable_parameters == 0

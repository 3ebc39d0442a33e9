"""A checkpoint comes back as it was, fits one base and one encoder, and refuses anything else."""

import json
from pathlib import Path

import pytest
import torch

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.shards.dataset import ShardDataset
from safe_data.sources.synthetic.world import write_world
from safe_train.base.backbone import Backbone
from safe_train.base.freeze import audit_freeze, weights_sha256
from safe_train.checkpoint import (
    TrainedFor,
    attach_checkpoint,
    check_dataset,
    read_checkpoint,
    save_checkpoint,
)
from safe_train.config import PathwayConfig, StageAConfig
from safe_train.pathway.model import AudioPathway, new_pathway


@pytest.fixture
def pathway(backbone: Backbone) -> AudioPathway:
    made = new_pathway(PathwayConfig(layers=(2, 4), tokens=3), backbone.model, 512, seed=1)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.1)
    return made


@pytest.fixture
def folder(tmp_path: Path, pathway: AudioPathway, backbone: Backbone, train_split: ShardDataset) -> Path:
    audit = audit_freeze(backbone.model)
    base = TrainedFor("untaught", audit.architecture, audit.weights_sha256)
    save_checkpoint(tmp_path / "adapter", pathway, train_split, base, StageAConfig(steps=7))
    return tmp_path / "adapter"


def edit(folder: Path, **changes: object) -> None:
    facts = json.loads((folder / "config.json").read_text())
    for path, value in changes.items():
        *parents, name = path.split("__")
        part = facts
        for parent in parents:
            part = part[parent]
        part[name] = value
    (folder / "config.json").write_text(json.dumps(facts))


def test_it_comes_back_as_it_was(folder: Path, pathway: AudioPathway, backbone: Backbone) -> None:
    inputs = {"input_ids": torch.tensor([[5, 6, 7]])}
    read = read_checkpoint(folder)
    model = attach_checkpoint(read, backbone.model)
    again = model.pathway.state_dict()
    assert all(torch.equal(value, again[name]) for name, value in pathway.state_dict().items())
    assert model.pathway.config == pathway.config
    assert not model.pathway.training
    with torch.no_grad():
        before = backbone.model(**inputs).logits
        with model.fuse(audio=torch.randn(1, 512)):
            assert not torch.allclose(backbone.model(**inputs).logits, before)
    assert read.config.stage_a.steps == 7
    assert read.config.trained_parameters == sum(p.numel() for p in pathway.parameters())


def test_it_holds_nothing_of_the_base(folder: Path) -> None:
    names = read_checkpoint(folder).weights
    assert {name.split(".")[0] for name in names} == {"projector", "attentions"}


def test_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no checkpoint \(config\.json and adapter\.safetensors\)"):
        read_checkpoint(tmp_path)


def test_weights_that_were_changed(folder: Path) -> None:
    data = bytearray((folder / "adapter.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "adapter.safetensors").write_bytes(data)
    with pytest.raises(
        InputError, match=r"has sha256 .*…, config\.json says .*the file was changed or cut off"
    ):
        read_checkpoint(folder)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format_version": 2}, "is of format 2; this version reads 1"),
        ({"pathway__tokens": 0}, "is not a checkpoint's configuration: tokens=0: must be at least 1"),
        ({"surprise": 1}, "is not a checkpoint's configuration: Object contains unknown field `surprise`"),
        (
            {"encoder__fingerprint": "0" * 16},
            "takes embeddings of logmel 0000000000000000, the encoder here is",
        ),
        ({"encoder__name": "nosuch"}, "encoder 'nosuch' is unknown"),
    ],
)
def test_facts_that_cannot_be(folder: Path, changes: dict[str, object], message: str) -> None:
    edit(folder, **changes)
    with pytest.raises(InputError, match=message):
        read_checkpoint(folder)


def test_facts_that_do_not_fit_the_weights(folder: Path, backbone: Backbone) -> None:
    edit(folder, pathway__bottleneck=64)
    with pytest.raises(InputError, match=r"weights and config\.json disagree about projector\.down\.bias"):
        attach_checkpoint(read_checkpoint(folder), backbone.model)


def test_another_base(folder: Path, backbone: Backbone) -> None:
    trained_for = weights_sha256(backbone.model)
    with torch.no_grad():
        backbone.model.lm_head.weight[0, 0] += 1e-3
    found = weights_sha256(backbone.model)
    message = (
        f"was trained for untaught with weights {trained_for[:12]}…, this LlavaForConditionalGeneration has "
        f"{found[:12]}…; give the base it was trained for with --backbone"
    )
    with pytest.raises(InputError, match=message):
        attach_checkpoint(read_checkpoint(folder), backbone.model)


def test_another_dataset_only_if_it_is_meant(folder: Path, train_split: ShardDataset, tmp_path: Path) -> None:
    write_world(tmp_path / "world", clips=24, seed=9)
    build_dataset(tmp_path / "world", tmp_path / "other")
    other = ShardDataset(tmp_path / "other", "test")
    read = read_checkpoint(folder)
    message = f"{train_split.fingerprint[:12]}….*{other.fingerprint[:12]}….*--allow-other-dataset"
    with pytest.raises(InputError, match=message):
        check_dataset(read, other, allow_other=False)
    check_dataset(read, other, allow_other=True)
    check_dataset(read, train_split, allow_other=False)


def test_another_encoder_never(folder: Path, train_split: ShardDataset) -> None:
    edit(folder, encoder__fingerprint="0" * 16)
    ours = LogMelEncoder().fingerprint
    with pytest.raises(
        InputError, match=f"takes embeddings of logmel {'0' * 16}, the encoder here is logmel {ours}"
    ):
        read_checkpoint(folder)


def test_embeddings_of_another_version_in_the_dataset(
    folder: Path, train_split: ShardDataset, tmp_path: Path
) -> None:
    read = read_checkpoint(folder)
    facts = json.loads((train_split.root / "dataset.json").read_text())
    facts["encoders"][0]["fingerprint"] = "f" * 16
    (tmp_path / "dataset.json").write_text(json.dumps(facts))
    train_split.root = tmp_path
    with pytest.raises(
        InputError, match=f"embeddings of logmel .*, {tmp_path} has embeddings of {'f' * 16}; train"
    ):
        check_dataset(read, train_split, allow_other=True)

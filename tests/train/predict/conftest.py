"""A checkpoint with a random pathway for the untaught backbone: its answers depend on what it hears."""

from pathlib import Path

import pytest
from tiny_models import SHORT, wake
from two_encoders import two_encoder_split

from safe_data.shards.dataset import ShardDataset
from safe_eval.models.files import base_files
from safe_train.base.backbone import load_backbone
from safe_train.base.freeze import audit_freeze
from safe_train.checkpoint import (
    Checkpoint,
    TrainedFor,
    TrainedOn,
    read_checkpoint,
    save_checkpoint,
    used_encoders,
)
from safe_train.pathway.model import new_pathway
from safe_train.settings.learning import LossConfig, OptimConfig
from safe_train.settings.pathway import PathwayConfig


def trained_for(untaught: Path) -> TrainedFor:
    base = audit_freeze(load_backbone(untaught).model)
    files = base_files(untaught)
    return TrainedFor("untaught", base.architecture, files, base.parameters, base.weights_sha256)


@pytest.fixture(scope="session")
def adapter(shards: Path, untaught: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    base = load_backbone(untaught).model
    config = PathwayConfig(tokens=4, rank=8, heads=2, bottleneck=64)
    pathway = wake(new_pathway(config, base, [(512,)], seed=0))
    folder = tmp_path_factory.mktemp("adapter")
    dataset = ShardDataset(shards, "train", "logmel")
    save_checkpoint(
        folder,
        pathway,
        encoders=used_encoders([dataset]),
        datasets=[TrainedOn(dataset.name, dataset.fingerprint, dataset.split, len(dataset))],
        base=trained_for(untaught),
        loss=LossConfig(),
        optim=OptimConfig(),
        seed=0,
        step=1,
        asking=SHORT,
    )
    return folder


@pytest.fixture
def checkpoint(adapter: Path) -> Checkpoint:
    return read_checkpoint(adapter)


@pytest.fixture(scope="session")
def split(tmp_path_factory: pytest.TempPathFactory) -> ShardDataset:
    """Five clips with the embeddings of two encoders: number 1 has no sound, number 2 has two channels."""
    return two_encoder_split(tmp_path_factory.mktemp("two"))

"""A checkpoint with a random pathway for the untaught backbone: its answers depend on what it hears."""

from pathlib import Path

import pytest
from tiny_checkpoints import SHAPE, save_random
from tiny_models import SHORT
from two_encoders import two_encoder_split

from safe_data.shards.dataset import ShardDataset
from safe_train.checkpoint import (
    Checkpoint,
    read_checkpoint,
)


@pytest.fixture(scope="session")
def adapter(shards: Path, untaught: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random(tmp_path_factory.mktemp("adapter"), SHAPE, shards, untaught, asking=SHORT)


@pytest.fixture
def checkpoint(adapter: Path) -> Checkpoint:
    return read_checkpoint(adapter)


@pytest.fixture(scope="session")
def split(tmp_path_factory: pytest.TempPathFactory) -> ShardDataset:
    """Five clips with the embeddings of two encoders: number 1 has no sound, number 2 has two channels."""
    return two_encoder_split(tmp_path_factory.mktemp("two"))

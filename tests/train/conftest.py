"""Tiny models and a small world for all tests; each test must leave them unchanged."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_models import tiny_llava

from safe_data.build.build import build_dataset
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.shards.dataset import ShardDataset
from safe_data.sources.synthetic.world import write_world
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.batches import Loader
from safe_train.config import PathwayConfig
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.questions import Questions
from safe_train.toy.recipe import Recipe, new_model
from safe_train.toy.words import make_processor


@pytest.fixture(scope="session")
def shared_llava() -> Any:
    return tiny_llava()


@pytest.fixture
def llava(shared_llava: Any) -> Iterator[Any]:
    yield shared_llava
    for layer in shared_llava.get_decoder().layers:
        layer._forward_hooks.clear()


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shards of a world of 48 clips."""
    root = tmp_path_factory.mktemp("small")
    write_world(root / "world", clips=48, seed=0)
    build_dataset(root / "world", root / "shards")
    return root / "shards"


@pytest.fixture(scope="session")
def untaught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy backbone with random weights, as a checkpoint directory."""
    folder = tmp_path_factory.mktemp("untaught")
    torch.manual_seed(0)
    processor = make_processor()
    new_model(Recipe(), processor).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture
def backbone(untaught: Path) -> Backbone:
    return load_backbone(untaught)


@pytest.fixture
def train_split(shards: Path) -> ShardDataset:
    return ShardDataset(shards, "train", "logmel")


@pytest.fixture
def loader(train_split: ShardDataset, backbone: Backbone) -> Loader:
    return Loader(train_split, backbone.processor, LogMelEncoder())


@pytest.fixture
def questions(train_split: ShardDataset, backbone: Backbone) -> Questions:
    return Questions(train_split, backbone.processor)


@pytest.fixture
def test_split(shards: Path) -> ShardDataset:
    return ShardDataset(shards, "test")


@pytest.fixture
def model(backbone: Backbone) -> SafeModel:
    """A model with a random pathway: its answers depend on what it hears."""
    pathway = new_pathway(PathwayConfig(), backbone.model, [(512,)], seed=0)
    with torch.no_grad():
        for number in pathway.config.layers:
            torch.nn.init.normal_(pathway.block(number).output.weight)
    return SafeModel(backbone.model, pathway)

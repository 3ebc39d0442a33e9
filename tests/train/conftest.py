"""Tiny models and a small world for all tests; each test must leave them unchanged."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_checkpoints import SHAPE, save_random
from tiny_corpora import build_corpus, only_heard, only_seen
from tiny_encoders import save_whisper
from tiny_models import tiny_llava, wake

from safe_data.build.build import build_dataset
from safe_data.shards.dataset import ShardDataset
from safe_data.sources.synthetic.world import write_world
from safe_train.base.backbone import Backbone, load_backbone
from safe_train.batches import Loader
from safe_train.corpora import Corpora
from safe_train.pathway.model import SafeModel, new_pathway
from safe_train.questions import Questions, read_questions
from safe_train.toy.recipe import Recipe, new_model
from safe_train.toy.words import make_processor


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of hashes for these tests alone."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("cache")
        patch.setenv("XDG_CACHE_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def shared_llava() -> Any:
    return tiny_llava()


@pytest.fixture
def llava(shared_llava: Any) -> Iterator[Any]:
    yield shared_llava
    for layer in shared_llava.get_decoder().layers:
        layer._forward_hooks.clear()
        layer._forward_pre_hooks.clear()


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shards of a world of 48 clips."""
    root = tmp_path_factory.mktemp("small")
    write_world(root / "world", clips=48, seed=0)
    build_dataset(root / "world", root / "shards")
    return root / "shards"


@pytest.fixture(scope="session")
def vl_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of pictures without sounds, `vl_only`, none of whose questions needs a sound."""
    return build_corpus(tmp_path_factory.mktemp("seen"), "vl_only", only_seen, clips=36, seed=1)


@pytest.fixture(scope="session")
def audio_only(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of sounds without pictures, `audio_only`, all of whose questions need the sound."""
    return build_corpus(tmp_path_factory.mktemp("heard"), "audio_only", only_heard, clips=36, seed=2)


@pytest.fixture(scope="session")
def twice_heard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset with the embeddings of two encoders: a vector by logmel, and a sequence by Whisper."""
    root = tmp_path_factory.mktemp("twice")
    whisper = save_whisper(root / "whisper")
    return build_corpus(root, "twice_heard", encoders=("logmel", f"whisper:{whisper}"))


@pytest.fixture(scope="session")
def untaught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy backbone with random weights, as a checkpoint directory."""
    folder = tmp_path_factory.mktemp("untaught")
    torch.manual_seed(0)
    processor = make_processor()
    new_model(Recipe(), processor).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def adapter(shards: Path, untaught: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a random pathway for the untaught backbone: its answers depend on what it hears."""
    return save_random(tmp_path_factory.mktemp("trained") / "adapter", SHAPE, shards, untaught, steps=7)


@pytest.fixture(scope="session")
def loaded(untaught: Path) -> Backbone:
    return load_backbone(untaught)


@pytest.fixture
def backbone(loaded: Backbone) -> Backbone:
    """A copy for each test, as copying takes a quarter of the time of loading."""
    return copy.deepcopy(loaded)


@pytest.fixture
def train_split(shards: Path) -> ShardDataset:
    return ShardDataset(shards, "train", "logmel")


@pytest.fixture
def test_split(shards: Path) -> ShardDataset:
    return ShardDataset(shards, "test")


@pytest.fixture(scope="session")
def questions(shards: Path) -> Questions:
    """The questions of the train split."""
    return read_questions(Corpora([shards], "train"), quiet=True)


@pytest.fixture(scope="session")
def both(vl_only: Path, audio_only: Path) -> Questions:
    """The questions of two datasets, of which one has no sounds and the other no pictures."""
    return read_questions(Corpora([vl_only, audio_only], "train"), quiet=True)


@pytest.fixture
def loader(questions: Questions, backbone: Backbone) -> Loader:
    return Loader(questions, backbone.processor)


@pytest.fixture
def model(backbone: Backbone) -> SafeModel:
    """A model with a random pathway: its answers depend on what it hears."""
    return SafeModel(backbone.model, wake(new_pathway(SHAPE, backbone.model, [(512,)], seed=0)))

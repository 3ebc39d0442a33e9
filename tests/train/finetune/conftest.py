"""Shards of the speech world, and a toy with random weights that has its words."""

import json
from pathlib import Path

import pytest
import torch

from safe_data.build.build import build_dataset
from safe_data.sources.synthetic.world import write_world
from safe_train.toy.recipe import Recipe, new_model
from safe_train.toy.words import make_processor


@pytest.fixture(scope="session")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """72 clips of 9 groups: 3 to train, 3 for dev, 3 for test; and a question about each that is no class."""
    root = tmp_path_factory.mktemp("finetune")
    write_world(root / "world", clips=72, seed=0, world="speech", speaker="formants")
    file = root / "world/metadata.jsonl"
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for row in rows:
        (asked,) = row["examples"]
        other = {"id": f"{row['id']}-sound", "task": "vqa", "choices": None, "references": ["bell"]}
        row["examples"].append(asked | other | {"prompt": "what sound is heard ?"})
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    splits = [f"{row['id']},{('train', 'dev', 'test')[number // 8 % 3]}" for number, row in enumerate(rows)]
    (root / "splits.csv").write_text("\n".join(["id,split", *splits]) + "\n")
    build_dataset(root / "world", root / "shards", name="speech", splits=root / "splits.csv", quiet=True)
    return root / "shards"


@pytest.fixture(scope="session")
def wordy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy of the speech world with random weights."""
    folder = tmp_path_factory.mktemp("wordy")
    torch.manual_seed(0)
    processor = make_processor("speech")
    new_model(Recipe(world="speech"), processor).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder

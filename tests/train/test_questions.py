"""Questions: those that need the sound, those that do not, and sounds that are unrelated to them."""

import json
from pathlib import Path

import numpy as np
import pytest

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_data.sources.synthetic.world import write_world
from safe_train.base.backbone import Backbone
from safe_train.questions import Questions


def test_each_question_is_of_one_kind(questions: Questions, train_split: ShardDataset) -> None:
    assert len(questions.audio) == len(questions.vision) == 2 * len(train_split)
    assert all(q.example.needs_audio for q in questions.audio)
    assert not any(q.example.needs_audio for q in questions.vision)


def test_an_unrelated_sound_is_of_another_group(questions: Questions, train_split: ShardDataset) -> None:
    rng = np.random.default_rng(0)
    heard = set()
    for _ in range(20):
        sounds = questions.unrelated_sounds(questions.vision, rng)
        for question, record in zip(questions.vision, sounds, strict=True):
            assert questions.groups[record] != question.group
            heard.add(record)
    assert heard == set(range(len(train_split)))


@pytest.mark.parametrize(("needs_audio", "missing"), [(True, "false"), (False, "true")])
def test_a_split_with_questions_of_one_kind(
    tmp_path: Path, backbone: Backbone, needs_audio: bool, missing: str
) -> None:
    world = tmp_path / "world"
    write_world(world, clips=24, seed=0)
    rows = [json.loads(line) for line in (world / "metadata.jsonl").read_text().splitlines()]
    for row in rows:
        row["examples"] = [example for example in row["examples"] if example["needs_audio"] is needs_audio]
    (world / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build_dataset(world, tmp_path / "shards")
    dataset = ShardDataset(tmp_path / "shards", "train")
    with pytest.raises(
        InputError,
        match=rf"none of the \d+ questions in split 'train' has needs_audio {missing}; stage",
    ):
        Questions(dataset, backbone.processor)

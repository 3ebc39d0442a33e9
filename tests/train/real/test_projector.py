"""Only the projector of pictures learns, from questions about the pictures of one split, always the same."""

import copy
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_archives import placed
from tiny_packages import picture

from safe_data.build.build import build_dataset
from safe_data.shards.dataset import ShardDataset
from safe_train.real import projector
from safe_train.real.base_model import TOKENS, BaseModel
from safe_train.real.picture_lessons import ASKS_WHETHER, draw_lesson, picture_lessons
from safe_train.real.projector import held_out_accuracy, teach_projector
from safe_train.real.vision_tower import FEATURES

KINDS = ("bird", "tool", "fish")
PICTURES = {"train": 9, "val": 3}
PROJECTOR = "model.multi_modal_projector."


@pytest.fixture(scope="module")
def stamps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of three kinds of things, which their colours tell, one of them twice, and one of none."""
    root = tmp_path_factory.mktemp("stamps")
    rows: list[dict[str, Any]] = []
    for split, count in PICTURES.items():
        for number in range(count):
            name = f"{split}{number}"
            placed(root / f"{name}.png", picture(name))
            rows.append(_row(name, f"{name}.png", split, KINDS[number % 3], "thing"))
    rows.append(_row("again", "train0.png", "train", KINDS[0], "thing"))
    placed(root / "other.png", picture("other"))
    rows.append(_row("other", "other.png", "train", "red", "colour"))
    (root / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    build_dataset(root, root / "shards", workers=1)
    return root / "shards"


def _row(name: str, file: str, split: str, answer: str, asked: str) -> dict[str, Any]:
    question = {
        "id": f"{name}-q",
        "prompt": f"What {asked}?",
        "references": [answer],
        "question_type": asked,
        "task": "vqa",
        "needs_audio": False,
    }
    return {"id": name, "image_file_name": file, "split": split, "group": name, "examples": [question]}


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(projector, "WORD_STEPS", 60)
    monkeypatch.setattr(projector, "STEPS", 12)
    monkeypatch.setattr(projector, "ROWS", 8)


def hashes(weights: Mapping[str, torch.Tensor]) -> dict[str, str]:
    return {name: hashlib.sha256(weight.numpy().tobytes()).hexdigest() for name, weight in weights.items()}


def test_each_picture_is_seen_once_as_it_is_and_once_mirrored(stamps: Path, assembled: BaseModel) -> None:
    train = ShardDataset(stamps, "train")
    lessons = picture_lessons(train, *assembled)
    count = PICTURES["train"]
    assert lessons.features.shape == (2 * count, TOKENS, FEATURES)
    assert lessons.shown[:count] == lessons.shown[count:]
    assert lessons.kinds == sorted(KINDS)  # nobody asked for the kind of what is red
    assert {one.prompts for one in lessons.shown} == {("What thing?",)}
    shown = {train.value(index, "image_sha256"): index for index in reversed(range(len(train)))}
    (index,) = (index for index in shown.values() if train.record(index).id in ("train1",))
    image = train.image(index)
    for start, seen in ((0, image), (count, image.transpose(0))):  # 0: from left to right
        pixels = assembled.processor.image_processor([seen], return_tensors="pt")["pixel_values"]
        with torch.no_grad():
            wanted = assembled.model.model.vision_tower(pixels).last_hidden_state[0].flatten(1).T
        found = [(lessons.features[start + place] - wanted).abs().max() for place in range(count)]
        assert min(found) < 1e-3
        assert sorted(found)[1] > 1e-2


def test_lessons_ask_for_the_kind_and_whether_it_is_of_one(stamps: Path, assembled: BaseModel) -> None:
    lessons = picture_lessons(ShardDataset(stamps, "train"), *assembled)
    rng = np.random.default_rng(0)
    drawn = [draw_lesson(lessons, lessons.kinds, rng) for _ in range(900)]
    asked = {template.format(kind=kind): kind for template in ASKS_WHETHER for kind in KINDS}
    for one in drawn:
        kind = lessons.shown[one.picture].kind
        if one.prompt in asked:
            assert one.answer == ("yes" if asked[one.prompt] == kind else "no")
        else:
            assert (one.prompt, one.answer) == ("What thing?", kind)
    whether = [one for one in drawn if one.prompt in asked]
    assert 240 < len(whether) < 360
    assert 0.4 < np.mean([one.answer == "yes" for one in whether]) < 0.6
    assert {one.prompt for one in whether} == set(asked)
    assert {one.picture for one in drawn} == set(range(len(lessons.shown)))


def test_only_the_projector_learns_and_it_does(stamps: Path, assembled: BaseModel, short: None) -> None:
    model, processor = assembled
    train, held_out = ShardDataset(stamps, "train"), ShardDataset(stamps, "val")
    before = hashes(model.state_dict())
    facts = teach_projector(model, processor, train, held_out, seed=0)
    after = hashes(model.state_dict())
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {name for name in after if name.startswith(PROJECTOR)}
    assert len(changed) == 4
    assert [name for name, weight in model.named_parameters() if weight.requires_grad] == []
    assert facts["pictures"] == PICTURES["train"]
    assert facts["held_out_questions"] == PICTURES["val"]
    assert 0 <= facts["held_out_accuracy"] <= 1


def test_more_steps_leave_less_loss(
    stamps: Path, assembled: BaseModel, short: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, held_out = ShardDataset(stamps, "train"), ShardDataset(stamps, "val")
    first = copy.deepcopy(assembled.model)
    monkeypatch.setattr(projector, "WORD_STEPS", 2)
    monkeypatch.setattr(projector, "STEPS", 2)
    few = teach_projector(first, assembled.processor, train, held_out, seed=0)
    monkeypatch.setattr(projector, "WORD_STEPS", 150)
    monkeypatch.setattr(projector, "STEPS", 40)
    many = teach_projector(assembled.model, assembled.processor, train, held_out, seed=0)
    assert many["word_loss"] < 0.8 * few["word_loss"]
    assert many["loss"] < 0.8 * few["loss"]


def test_a_seed_teaches_the_same_each_time(stamps: Path, assembled: BaseModel, short: None) -> None:
    train, held_out = ShardDataset(stamps, "train"), ShardDataset(stamps, "val")
    taught = []
    for seed in (0, 0, 1):
        model = copy.deepcopy(assembled.model)
        facts = teach_projector(model, assembled.processor, train, held_out, seed)
        taught.append((facts, hashes(model.state_dict())))
    assert taught[0] == taught[1]
    assert taught[0] != taught[2]


def test_only_an_exact_answer_for_the_kind_of_thing_counts(
    stamps: Path, assembled: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Says:
        def __init__(self, *_: Any) -> None:
            pass

        def answer(self, questions: list[Any]) -> list[Any]:
            said = (" Bird\n", "tool", "fishes")
            return [type("Answer", (), {"text": said[place % 3]}) for place in range(len(questions))]

    monkeypatch.setattr(projector, "Dialogue", Says)
    right, asked = held_out_accuracy(*assembled, ShardDataset(stamps, "val"))
    assert (right, asked) == (pytest.approx(2 / 3), 3)

"""The toy backbone: an ordinary checkpoint, the same every time, that sees well and has never heard."""

import dataclasses
from pathlib import Path

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image
from tiny_models import QUICK_RECIPE

from safe_data.core.errors import InputError
from safe_data.records import Record
from safe_data.sources.all_sources import SOURCES
from safe_data.sources.synthetic.world import write_world
from safe_train.base.backbone import load_backbone
from safe_train.base.dialogue import Dialogue, Question
from safe_train.base.freeze import audit_freeze
from safe_train.base.prompts import Picture, encode_prompt
from safe_train.toy import backbone as toy
from safe_train.toy.backbone import pretrain, read_toy_backbone
from safe_train.toy.lessons import draw_pictures
from safe_train.toy.recipe import Recipe, new_model, recipe_for
from safe_train.toy.words import IMAGE, UNKNOWN, make_processor, vocabulary


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return pretrain(tmp_path_factory.mktemp("toy") / "backbone", seed=0, recipe=QUICK_RECIPE)


def test_the_checkpoint_is_an_ordinary_one(backbone: Path) -> None:
    from transformers import LlavaForConditionalGeneration, LlavaProcessor

    model, processor, _ = load_backbone(backbone)
    assert isinstance(model, LlavaForConditionalGeneration)
    assert isinstance(processor, LlavaProcessor)
    made = read_toy_backbone(backbone)
    audit = audit_freeze(model)
    assert (audit.weights_sha256, audit.parameters) == (made.weights_sha256, made.parameters)
    assert made.recipe == QUICK_RECIPE
    assert 0 <= made.held_out_accuracy <= 1


def test_what_is_loaded_answers_as_what_was_saved(tmp_path: Path) -> None:
    torch.manual_seed(0)
    processor = make_processor()
    model = new_model(QUICK_RECIPE, processor).eval()
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    loaded, loaded_processor, _ = load_backbone(tmp_path)
    image = draw_pictures(1, np.random.default_rng(0))[1][0]
    before = encode_prompt(processor, "what shape is the red object ?", image)
    after = encode_prompt(loaded_processor, "what shape is the red object ?", image)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    with torch.no_grad():
        assert torch.equal(model(**before).logits, loaded(**after).logits)
    assert loaded.generation_config.suppress_tokens == model.generation_config.suppress_tokens


def test_a_seed_gives_the_same_files_again(backbone: Path, tmp_path: Path) -> None:
    torch.manual_seed(99)  # the caller's generator must not matter, nor be moved
    before = torch.get_rng_state()
    again = pretrain(tmp_path / "again", seed=0, recipe=QUICK_RECIPE)
    assert torch.equal(torch.get_rng_state(), before)
    other = pretrain(tmp_path / "other", seed=1, recipe=QUICK_RECIPE)
    assert read_toy_backbone(again) == read_toy_backbone(backbone)
    assert read_toy_backbone(other).weights_sha256 != read_toy_backbone(backbone).weights_sha256


def test_a_world_has_a_recipe_and_a_toy_of_its_own(backbone: Path, tmp_path: Path) -> None:
    assert recipe_for("plain") == Recipe()
    assert (recipe_for("hard").guessed_rows, recipe_for("hard").language_steps) == (20, 800)
    with pytest.raises(InputError, match="'hrad': no such world; did you mean 'hard'"):
        recipe_for("hrad")
    foggy = dataclasses.replace(QUICK_RECIPE, world="foggy")
    other = pretrain(tmp_path / "foggy", seed=0, recipe=foggy)
    assert read_toy_backbone(other).recipe.world == "foggy"
    assert read_toy_backbone(other).weights_sha256 != read_toy_backbone(backbone).weights_sha256
    with pytest.raises(InputError, match="holds a toy backbone of seed 0, recipe"):
        pretrain(backbone, seed=0, recipe=foggy)


def test_a_backbone_that_is_there_is_used_again(backbone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toy, "teach_to_see", lambda *_: pytest.fail("taught again"))
    assert pretrain(backbone, seed=0, recipe=QUICK_RECIPE) == backbone


def test_another_seed_or_recipe_is_not_mixed_up(backbone: Path) -> None:
    with pytest.raises(
        InputError, match=r"holds a toy backbone of seed 0, .* not of seed 1, .*remove this one"
    ):
        pretrain(backbone, seed=1, recipe=QUICK_RECIPE)
    with pytest.raises(InputError, match="recipe"):
        pretrain(backbone, seed=0, recipe=dataclasses.replace(QUICK_RECIPE, language_steps=5))


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_changed_file_is_noticed(tmp_path: Path, name: str) -> None:
    out = pretrain(tmp_path / "backbone", seed=0, recipe=QUICK_RECIPE)
    data = bytearray((out / name).read_bytes())
    data[-5] ^= 1
    (out / name).write_bytes(data)
    with pytest.raises(InputError, match=f"{name}: is not the file that was made; remove"):
        pretrain(out, seed=0, recipe=QUICK_RECIPE)


def test_a_killed_pretraining_leaves_no_backbone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object, **__: object) -> float:
        raise KeyboardInterrupt

    monkeypatch.setattr(toy, "held_out_accuracy", killed)  # when the weights are on disk already
    with pytest.raises(KeyboardInterrupt):
        pretrain(tmp_path / "backbone", seed=0, recipe=QUICK_RECIPE)
    assert not (tmp_path / "backbone").exists()
    monkeypatch.undo()
    pretrain(tmp_path / "backbone", seed=0, recipe=QUICK_RECIPE)
    assert [f.name for f in tmp_path.iterdir()] == ["backbone"]


def test_somebody_elses_directory_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no toy backbone of this version"):
        pretrain(tmp_path, seed=0, recipe=QUICK_RECIPE)
    (tmp_path / "recipe.json").write_text('{"eggs": 3}')
    with pytest.raises(InputError, match="holds no toy backbone of this version"):
        pretrain(tmp_path, seed=0, recipe=QUICK_RECIPE)
    with pytest.raises(InputError, match="seed=-1"):
        pretrain(tmp_path / "new", seed=-1, recipe=QUICK_RECIPE)


def test_untaught_it_still_says_a_word(world: tuple[Path, list[Record]]) -> None:
    torch.manual_seed(5)
    processor = make_processor()
    dialogue = Dialogue(new_model(QUICK_RECIPE, processor).eval(), processor)
    image = Image.open(world[0] / str(world[1][0].image)).convert("RGB")
    asked = [
        Question(example.prompt, Picture("first", image.copy))
        for record in world[1][:8]
        for example in record.examples
    ]
    said = [answer.text for answer in dialogue.answer(asked)]
    assert said == [answer.text for answer in dialogue.answer(asked)]
    assert all(text and set(text.split()) <= set(vocabulary()) - {UNKNOWN, IMAGE} for text in said)


def test_recipe_json_is_plain(backbone: Path) -> None:
    facts = msgspec.json.decode((backbone / "recipe.json").read_bytes())
    assert facts["seed"] == 0
    assert facts["recipe"]["language_steps"] == 4
    assert set(facts["versions"]) == {"torch", "transformers"}
    assert "model.safetensors" in facts["files_sha256"]


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_whole_recipe_sees_well_and_hears_nothing(tmp_path: Path, seed: int) -> None:
    """About 40 s a seed. Asked as any model is, of pictures in the test split of a written world."""
    write_world(tmp_path / "world", clips=1000, seed=seed)
    backbone = load_backbone(pretrain(tmp_path / "backbone", seed=seed))
    dialogue = Dialogue(backbone.model, backbone.processor)
    right: dict[bool, list[bool]] = {False: [], True: []}
    for record in SOURCES["folder"](tmp_path / "world"):
        if record.split != "test" or not isinstance(record, Record):
            continue
        image = Image.open(tmp_path / "world" / str(record.image)).convert("RGB")
        asked = [Question(example.prompt, Picture(record.id, image.copy)) for example in record.examples]
        for example, answer in zip(record.examples, dialogue.answer(asked), strict=True):
            right[bool(example.needs_audio)].append(answer.text in example.references)
    assert len(right[False]) == len(right[True]) > 600
    assert np.mean(right[False]) >= 0.97
    assert 0.15 < np.mean(right[True]) < 0.27  # chance is the mean of 1/6 and 1/4

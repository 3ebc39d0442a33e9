"""Lessons: the very prompts that prediction will ask, about pictures of no written world."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import binomtest
from tiny_models import QUICK_RECIPE

from safe_data.records import Record
from safe_data.sources.synthetic.hints import hints
from safe_eval.models.token_batches import collate, pad_token
from safe_train.base.prompts import encode_prompt
from safe_train.toy.lessons import HELD_OUT_STREAM, PICTURE_STREAM, LessonLoader, draw_lessons, draw_pictures
from safe_train.toy.words import IMAGE, make_processor


def test_a_lesson_is_the_prompt_that_will_be_asked() -> None:
    processor = make_processor()
    scenes, images = draw_pictures(3, np.random.default_rng((0, PICTURE_STREAM)))
    lessons = draw_lessons(processor, 3, seed=0)
    assert lessons.scenes == scenes
    batch = LessonLoader(processor).batch(
        lessons, dataclasses.replace(QUICK_RECIPE, rows=5, told_rows=0), np.random.default_rng(0)
    )
    words = [processor.tokenizer.decode(ids[4:]) for ids in batch.inputs["input_ids"]]
    asked = []
    for text, picture in zip(words, batch.pictures, strict=True):
        prompt = text.split(" ?")[0].replace(IMAGE, "").replace("<pad>", "").strip() + " ?"
        asked.append(encode_prompt(processor, prompt, images[picture]))
    expected = collate(asked, pad_token(processor))
    assert torch.equal(batch.inputs["input_ids"][:, : expected["input_ids"].shape[1]], expected["input_ids"])
    assert torch.equal(lessons.pixels[batch.pictures], expected["pixel_values"])


def test_pictures_to_learn_from_are_not_those_of_a_world(world: tuple[Path, list[Record]]) -> None:
    root, records = world
    written = {np.asarray(Image.open(root / str(record.image))).tobytes() for record in records}
    learnt = {
        np.asarray(i).tobytes() for i in draw_pictures(500, np.random.default_rng((0, PICTURE_STREAM)))[1]
    }
    held_out = {
        np.asarray(i).tobytes() for i in draw_pictures(500, np.random.default_rng((0, HELD_OUT_STREAM)))[1]
    }
    assert (len(written), len(learnt), len(held_out)) == (24, 500, 500)
    assert not written & learnt
    assert not (written | learnt) & held_out


@pytest.mark.parametrize("world", ["hard", "foggy"])
def test_guesses_follow_the_hints_of_the_world(world: str) -> None:
    """Where a picture hints at a sound, the lesson's answer is the hint as often as it is in the world."""
    recipe = dataclasses.replace(QUICK_RECIPE, rows=64, told_rows=0, guessed_rows=64, world=world)
    processor = make_processor(world)
    lessons = draw_lessons(processor, 200, seed=0, world=world)
    loader, rng = LessonLoader(processor), np.random.default_rng(0)
    hit: list[bool] = []
    free: list[str] = []
    for _ in range(20):
        batch = loader.batch(lessons, recipe, rng)
        for ids, answer, picture in zip(
            batch.inputs["input_ids"], batch.answers, batch.pictures, strict=True
        ):
            kind = "sound_count" if "how many sounds" in processor.tokenizer.decode(ids) else "sound"
            said = processor.tokenizer.decode(answer, skip_special_tokens=True).strip()
            hint = hints(lessons.scenes[picture]).get(kind)
            if hint is None:
                free.append(said)
            else:
                hit.append(said == hint)
    assert not binomtest(sum(hit), len(hit), 0.95 * 0.97).pvalue < 1e-4
    assert {"bell", "hiss", "chirp", "none", "one", "four", "zero"} <= set(free)


def test_a_plain_world_has_no_hints_and_no_silence_to_learn() -> None:
    processor = make_processor()
    recipe = dataclasses.replace(QUICK_RECIPE, rows=64, told_rows=32, guessed_rows=32)
    lessons = draw_lessons(processor, 100, seed=0)
    batch = LessonLoader(processor).batch(lessons, recipe, np.random.default_rng(0))
    said = {processor.tokenizer.decode(a, skip_special_tokens=True).strip() for a in batch.answers}
    assert not {"zero", "none"} & said
    assert {picture.tobytes() for picture in draw_pictures(20, np.random.default_rng(1))[1]} != {
        picture.tobytes() for picture in draw_pictures(20, np.random.default_rng(1), "foggy")[1]
    }


def test_silence_in_words_is_zero() -> None:
    processor = make_processor("hard")
    recipe = dataclasses.replace(QUICK_RECIPE, rows=64, told_rows=64, guessed_rows=0, world="hard")
    lessons = draw_lessons(processor, 10, seed=0, world="hard")
    loader, rng, silent = LessonLoader(processor), np.random.default_rng(0), 0
    for _ in range(10):
        batch = loader.batch(lessons, recipe, rng)
        for ids, answer in zip(batch.inputs["input_ids"], batch.answers, strict=True):
            text = processor.tokenizer.decode(ids)
            said = processor.tokenizer.decode(answer, skip_special_tokens=True).strip()
            if "heard : zero" in text:
                assert said == ("zero" if "how many sounds" in text else "none")
                silent += 1
            else:
                assert f"heard : {said} " in text or f" {said} . what sound" in text
    assert 0 < silent < 60

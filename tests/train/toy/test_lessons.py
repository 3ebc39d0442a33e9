"""Lessons: the very prompts that prediction will ask, about pictures of no written world."""

import dataclasses
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tiny_models import QUICK_RECIPE

from safe_data.records import Record
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

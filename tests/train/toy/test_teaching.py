"""Teaching: first the vision tower, then the language model, with the loss of the model itself."""

import dataclasses

import numpy as np
import torch
import torch.nn.functional as F
from tiny_models import QUICK_RECIPE

from safe_train.toy.lessons import LessonLoader, draw_lessons
from safe_train.toy.recipe import new_model
from safe_train.toy.teaching import answer_loss, teach_to_answer, teach_to_see, vision_features
from safe_train.toy.words import make_processor


def test_lessons_are_read_as_the_model_will_read_questions() -> None:
    """The loss from cached vision features equals the model's own loss, to rounding."""
    torch.manual_seed(0)
    processor = make_processor()
    model = new_model(QUICK_RECIPE, processor).eval()
    lessons = draw_lessons(processor, 20, seed=0)
    batch = LessonLoader(processor).batch(lessons, QUICK_RECIPE, np.random.default_rng(0))
    assert len(batch.pictures) == QUICK_RECIPE.rows - QUICK_RECIPE.told_rows
    with torch.no_grad():
        short = answer_loss(model, batch, vision_features(model, lessons.pixels[batch.pictures]))
        logits = model(**batch.inputs, pixel_values=lessons.pixels[batch.pictures]).logits
    tokens = batch.answers.shape[1]
    own = F.cross_entropy(logits[:, -tokens - 1 : -1].flatten(0, 1), batch.answers.flatten())
    torch.testing.assert_close(short, own, rtol=1e-6, atol=1e-6)
    assert torch.equal(batch.inputs["input_ids"][:, -tokens:], batch.answers)


def test_teaching_teaches_each_part_in_its_turn() -> None:
    torch.manual_seed(0)
    processor = make_processor()
    model = new_model(QUICK_RECIPE, processor)
    recipe = dataclasses.replace(QUICK_RECIPE, rows=32, vision_steps=40, language_steps=40)
    lessons = draw_lessons(processor, recipe.pictures, seed=0)
    eyes, language = model.model.vision_tower, model.model.language_model
    start = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    teach_to_see(model, lessons, recipe, seed=0)
    assert all(torch.equal(t, start[f"model.language_model.{n}"]) for n, t in language.state_dict().items())
    seen = {name: tensor.clone() for name, tensor in eyes.state_dict().items()}
    assert not torch.equal(
        seen["embeddings.patch_embedding.weight"],
        start["model.vision_tower.embeddings.patch_embedding.weight"],
    )
    batch = LessonLoader(processor).batch(lessons, recipe, np.random.default_rng(1))

    def loss() -> float:
        with torch.no_grad():
            return answer_loss(model, batch, vision_features(model, lessons.pixels[batch.pictures])).item()

    before = loss()
    teach_to_answer(model, processor, lessons, recipe, seed=0)
    assert all(torch.equal(tensor, seen[name]) for name, tensor in eyes.state_dict().items())
    assert loss() < before / 3

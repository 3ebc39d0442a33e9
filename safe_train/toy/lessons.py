"""What the toy backbone learns from: scenes of its own, never a written world's, and words about sounds."""

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from PIL import Image
from torch import Tensor

from safe_data.sources.synthetic.pictures import (
    CELLS,
    COLOURS,
    DARKEST,
    LIGHTEST,
    SHAPES,
    Scene,
    draw_scene,
    render,
)
from safe_data.sources.synthetic.questions import Question, about_picture, about_sound, choose
from safe_data.sources.synthetic.sounds import MOST_EVENTS, SOUNDS
from safe_train.base.prompts import Inputs, append_answers, collate, encode_answer, encode_prompt, pad_token
from safe_train.toy.recipe import Recipe
from safe_train.toy.words import told

# Streams of random numbers of one seed; those of synthetic.py are 1 to 3.
PICTURES, STEPS, HELD_OUT = 4, 5, 6


class Lessons(NamedTuple):
    """Scenes, what is in each of their cells (0: nothing), and their pictures as the processor gives them."""

    scenes: list[Scene]
    colours: Int64[Tensor, "pictures cells"]
    shapes: Int64[Tensor, "pictures cells"]
    pixels: Float[Tensor, "pictures 3 32 32"]


class Batch(NamedTuple):
    """Prompts with their answers, those with a picture first, and which picture each of these is about."""

    inputs: Inputs
    answers: Int64[Tensor, "rows tokens"]
    pictures: list[int]


def draw_pictures(count: int, rng: np.random.Generator) -> tuple[list[Scene], list[Image.Image]]:
    """Fresh scenes and their pictures, each on a ground of its own."""
    scenes = [draw_scene(rng) for _ in range(count)]
    return scenes, [Image.fromarray(render(s, rng.uniform(DARKEST, LIGHTEST), rng)) for s in scenes]


def draw_lessons(processor: Any, count: int, seed: int) -> Lessons:
    """That many pictures to learn from."""
    scenes, images = draw_pictures(count, np.random.default_rng((seed, PICTURES)))
    colours, shapes = np.zeros((2, count, CELLS), np.int64)
    for row, scene in enumerate(scenes):
        for thing in scene:
            colours[row, thing.cell] = 1 + list(COLOURS).index(thing.colour)
            shapes[row, thing.cell] = 1 + SHAPES.index(thing.shape)
    pixels = processor.image_processor(images, return_tensors="pt")["pixel_values"]
    return Lessons(scenes, torch.from_numpy(colours), torch.from_numpy(shapes), pixels)


class Reader:
    """Makes batches of token rows; each prompt goes through the processor once, as when it will be asked."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._blank = Image.new("RGB", (1, 1))
        self._prompts: dict[tuple[str, bool], Inputs] = {}
        self._answers: dict[str, Int64[Tensor, " tokens"]] = {}

    def batch(self, lessons: Lessons, recipe: Recipe, rng: np.random.Generator) -> Batch:
        """Questions about random pictures; about sounds that cannot be heard; and about sounds told in words.

        To the second kind any answer is as right as another: they teach to guess, briefly, and to be unsure.
        """
        seeing = recipe.rows - recipe.told_rows
        pictures = rng.integers(len(lessons.scenes), size=seeing).tolist()
        asked = [
            choose(about_picture(lessons.scenes[i]), rng) for i in pictures[: seeing - recipe.guessed_rows]
        ]
        asked += [_sound_question(rng, in_words=False) for _ in range(recipe.guessed_rows)]
        asked += [_sound_question(rng, in_words=True) for _ in range(recipe.told_rows)]
        prompts = [self._prompt(question.prompt, row < seeing) for row, question in enumerate(asked)]
        answers = torch.stack([self._answer(question.answer) for question in asked])
        pad = pad_token(self._processor)
        return Batch(append_answers(collate(prompts, pad), answers, pad), answers, pictures)

    def _prompt(self, prompt: str, has_image: bool) -> Inputs:
        key = (prompt, has_image)
        if key not in self._prompts:
            encoded = encode_prompt(self._processor, prompt, self._blank if has_image else None)
            self._prompts[key] = {name: encoded[name] for name in ("input_ids", "attention_mask")}
        return self._prompts[key]

    def _answer(self, answer: str) -> Int64[Tensor, " tokens"]:
        if answer not in self._answers:
            self._answers[answer] = encode_answer(self._processor, answer)
        return self._answers[answer]


def _sound_question(rng: np.random.Generator, *, in_words: bool) -> Question:
    kind, count = SOUNDS[rng.integers(len(SOUNDS))], int(rng.integers(1, MOST_EVENTS + 1))
    question = choose(about_sound(kind, count), rng)
    return question._replace(prompt=told(kind, count, question)) if in_words else question

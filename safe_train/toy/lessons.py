"""Lessons: what the toy backbone learns from. No scene is from a written world."""

from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int64
from PIL import Image
from torch import Tensor

from safe_data.sources.synthetic.hints import draw_heard
from safe_data.sources.synthetic.non_speech import NON_SPEECH
from safe_data.sources.synthetic.pictures import (
    CELLS,
    COLOURS,
    DARKEST,
    LIGHTEST,
    SHAPES,
    Scene,
    draw_scene,
    in_fog,
    render,
)
from safe_data.sources.synthetic.questions import (
    Question,
    about_picture,
    about_sound,
    about_speech,
    choose,
)
from safe_data.sources.synthetic.speech import SPOKEN
from safe_data.sources.synthetic.worlds import PLAIN, World, find_world
from safe_eval.models.token_batches import Inputs, append_answers, collate, pad_token
from safe_train.base.prompts import encode_answer, encode_prompt
from safe_train.toy.recipe import Recipe
from safe_train.toy.words import with_sound_in_words

# Independent streams of random numbers from one seed; the synthetic world uses 1 to 3.
PICTURE_STREAM, LESSON_STREAM, HELD_OUT_STREAM = 4, 5, 6
SPEECH_QUESTIONS = 0.5  # share of the questions about sounds that ask for speech, in the speech world


class Lessons(NamedTuple):
    """Scenes, the colour and shape in each of their cells (0: empty), and their pictures as pixel values."""

    scenes: list[Scene]
    colours: Int64[Tensor, "pictures cells"]
    shapes: Int64[Tensor, "pictures cells"]
    pixels: Float[Tensor, "pictures 3 32 32"]


class LessonBatch(NamedTuple):
    """Prompts with their answers, those with a picture first, and the index of each one's picture."""

    inputs: Inputs
    answers: Int64[Tensor, "batch tokens"]
    pictures: list[int]


def draw_lessons(processor: Any, count: int, seed: int, world: str = PLAIN) -> Lessons:
    """Draw this many pictures of a world to learn from."""
    scenes, images = draw_pictures(count, np.random.default_rng((seed, PICTURE_STREAM)), world)
    colours, shapes = np.zeros((2, count, CELLS), np.int64)
    for number, scene in enumerate(scenes):
        for thing in scene:
            colours[number, thing.cell] = 1 + list(COLOURS).index(thing.colour)
            shapes[number, thing.cell] = 1 + SHAPES.index(thing.shape)
    pixels = processor.image_processor(images, return_tensors="pt")["pixel_values"]
    return Lessons(scenes, torch.from_numpy(colours), torch.from_numpy(shapes), pixels)


def draw_pictures(
    count: int, rng: np.random.Generator, world: str = PLAIN
) -> tuple[list[Scene], list[Image.Image]]:
    """Draw scenes of a world and their pictures, each with a random background."""
    foggy = find_world(world).foggy
    scenes = [draw_scene(rng) for _ in range(count)]
    pictures = [render(scene, rng.uniform(DARKEST, LIGHTEST), rng) for scene in scenes]
    if foggy:
        pictures = [in_fog(one, rng) if rng.random() < foggy else one for one in pictures]
    return scenes, [Image.fromarray(picture) for picture in pictures]


class LessonLoader:
    """Makes batches of lessons; each prompt is encoded once, exactly as it will be in prediction."""

    def __init__(self, processor: Any) -> None:
        self._processor = processor
        self._blank = Image.new("RGB", (1, 1))
        self._prompts: dict[tuple[str, bool], Inputs] = {}
        self._answers: dict[str, Int64[Tensor, " tokens"]] = {}

    def batch(self, lessons: Lessons, recipe: Recipe, rng: np.random.Generator) -> LessonBatch:
        """Ask about random pictures, about sounds the model cannot hear, and about sounds described in words.

        For the second kind no answer can be known: they teach the model to guess, briefly, and to be unsure;
        where pictures hint at sounds, to guess by the hint.
        """
        world = find_world(recipe.world)
        with_picture = recipe.rows - recipe.told_rows
        pictures = rng.integers(len(lessons.scenes), size=with_picture).tolist()
        seen = pictures[: with_picture - recipe.guessed_rows]
        questions = [choose(about_picture(lessons.scenes[i]), rng) for i in seen]
        guessed = pictures[with_picture - recipe.guessed_rows :]
        questions += [_sound_question(lessons.scenes[i], world, rng, in_words=False) for i in guessed]
        questions += [_sound_question((), world, rng, in_words=True) for _ in range(recipe.told_rows)]
        prompts = [self._prompt(question.prompt, i < with_picture) for i, question in enumerate(questions)]
        answers = torch.stack([self._answer(question.answer) for question in questions])
        pad = pad_token(self._processor)
        return LessonBatch(append_answers(collate(prompts, pad), answers, self._processor), answers, pictures)

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


def _sound_question(scene: Scene, world: World, rng: np.random.Generator, *, in_words: bool) -> Question:
    if world.speech and rng.random() < SPEECH_QUESTIONS:
        return _speech_question(rng, in_words=in_words)
    kind, count = draw_heard(scene, world, rng)
    question = choose(about_sound(kind, count, can_be_silent=world.has_silence), rng)
    return question._replace(prompt=with_sound_in_words(kind, count, question)) if in_words else question


def _speech_question(rng: np.random.Generator, *, in_words: bool) -> Question:
    """Whether speech is heard; half of the sounds are."""
    is_speech = bool(rng.random() < 0.5)
    kind = SPOKEN if is_speech else NON_SPEECH[int(rng.integers(len(NON_SPEECH)))]
    question = about_speech(is_speech=is_speech)
    return question._replace(prompt=with_sound_in_words(kind, 1, question)) if in_words else question

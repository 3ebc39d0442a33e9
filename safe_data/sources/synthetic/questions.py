"""What can be asked of a synthetic clip, with the answer: of its picture, and of its sound."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from safe_data.sources.synthetic.pictures import COLOURS, SHAPES, Scene
from safe_data.sources.synthetic.sounds import SOUNDS

NUMBERS = ("zero", "one", "two", "three", "four")


class Question(NamedTuple):
    """A question with one right answer among its choices; `type` names what is asked for."""

    type: str
    prompt: str
    answer: str
    choices: tuple[str, ...]


def about_picture(scene: Scene) -> list[Question]:
    """All questions with one answer in this scene; `colour` and `shape` need the two bound together."""
    colours, shapes = Counter(t.colour for t in scene), Counter(t.shape for t in scene)
    questions = [Question("count", "how many objects are there ?", NUMBERS[len(scene)], NUMBERS[1:])]
    for shape in SHAPES:
        questions.append(
            Question("count_shape", f"how many {shape}s are there ?", NUMBERS[shapes[shape]], NUMBERS)
        )
    for thing in scene:
        if shapes[thing.shape] == 1:
            prompt = f"what colour is the {thing.shape} ?"
            questions.append(Question("colour", prompt, thing.colour, tuple(COLOURS)))
        if colours[thing.colour] == 1:
            prompt = f"what shape is the {thing.colour} object ?"
            questions.append(Question("shape", prompt, thing.shape, SHAPES))
    return questions


def about_sound(kind: str, count: int) -> list[Question]:
    """Which sound, and how often; neither can be told from the picture."""
    return [
        Question("sound", "what sound is heard ?", kind, SOUNDS),
        Question("sound_count", "how many sounds are heard ?", NUMBERS[count], NUMBERS[1:]),
    ]


def choose(questions: list[Question], rng: np.random.Generator) -> Question:
    """One question, each type equally likely, and within a type each answer."""
    for field in ("type", "answer"):
        values = sorted({getattr(question, field) for question in questions})
        value = values[rng.integers(len(values))]
        questions = [question for question in questions if getattr(question, field) == value]
    return questions[rng.integers(len(questions))]

"""Questions about the picture and the sound of a synthetic clip, with their answers."""

from collections import Counter
from typing import NamedTuple

import numpy as np

from safe_data.sources.synthetic.pictures import COLOURS, SHAPES, Scene
from safe_data.sources.synthetic.sounds import SOUNDS

NUMBERS = ("zero", "one", "two", "three", "four")
NONE = "none"  # the sound that is heard in silence
CLASSES = ("SPEECH", "NONSPEECH")


class Question(NamedTuple):
    """A question with one right answer among its choices; `type` names the kind of answer."""

    type: str
    prompt: str
    answer: str
    choices: tuple[str, ...]


def about_picture(scene: Scene) -> list[Question]:
    """All questions with a unique answer in this scene; `colour` and `shape` ask for one given the other."""
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


def about_sound(kind: str | None, count: int, *, can_be_silent: bool = False) -> list[Question]:
    """The questions which sound is heard and how often; silence is None and 0.

    Where a clip can be silent, "none" and "zero" are choices in every clip.
    """
    kinds, numbers = ((*SOUNDS, NONE), NUMBERS) if can_be_silent else (SOUNDS, NUMBERS[1:])
    return [
        Question("sound", "what sound is heard ?", kind or NONE, kinds),
        Question("sound_count", "how many sounds are heard ?", NUMBERS[count], numbers),
    ]


def about_speech(*, is_speech: bool) -> Question:
    """The question whether a sound is speech."""
    return Question("speech", "is speech heard ?", CLASSES[0 if is_speech else 1], CLASSES)


def choose(questions: list[Question], rng: np.random.Generator) -> Question:
    """Choose a question, with each type equally likely, and each answer within a type."""
    for field in ("type", "answer"):
        values = sorted({getattr(question, field) for question in questions})
        value = values[rng.integers(len(values))]
        questions = [question for question in questions if getattr(question, field) == value]
    return questions[rng.integers(len(questions))]

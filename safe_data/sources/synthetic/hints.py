"""Hints: what a picture seems to say about the sound of its clip, in worlds where it does.

The colour of a lone object names a sound, and the number of circles is the number of sounds. Most hints are
true. One that is not contradicts what is heard, and the sound is right.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from safe_data.sources.synthetic.pictures import Scene
from safe_data.sources.synthetic.questions import NONE, NUMBERS
from safe_data.sources.synthetic.sounds import MOST_EVENTS, SOUNDS
from safe_data.sources.synthetic.worlds import World

NAMED_BY_COLOUR = {"red": "bell", "green": "knock", "blue": "whistle", "yellow": "horn"}
COUNTED_SHAPE = "circle"


def hints(scene: Scene) -> dict[str, str]:
    """The answers that a scene suggests, by the type of question; a type is missing where it says nothing.

    >>> from safe_data.sources.synthetic.pictures import Thing
    >>> hints((Thing(0, "red", "square"),))
    {'sound': 'bell'}
    >>> hints((Thing(0, "red", "circle"), Thing(3, "blue", "circle")))
    {'sound_count': 'two'}
    """
    found = {}
    if len(scene) == 1:
        found["sound"] = NAMED_BY_COLOUR[scene[0].colour]
    circles = sum(thing.shape == COUNTED_SHAPE for thing in scene)
    if circles:
        found["sound_count"] = NUMBERS[circles]
    return found


def draw_heard(scene: Scene, world: World, rng: np.random.Generator) -> tuple[str | None, int]:
    """Draw the kind and the number of the sounds that go with a scene; None and 0 are silence.

    Silence comes whatever the picture shows, so that it belies each picture with a hint.
    """
    if world.has_silence and rng.random() < world.silent:
        return None, 0
    given = hints(scene) if world.true_hints is not None else {}
    kind = _draw(SOUNDS, given.get("sound"), world, rng)
    count = _draw(NUMBERS[1 : MOST_EVENTS + 1], given.get("sound_count"), world, rng)
    return kind, NUMBERS.index(count)


def _draw(answers: Sequence[str], hint: str | None, world: World, rng: np.random.Generator) -> str:
    """The answer of the hint if it is true, and else each other answer equally likely."""
    if hint is not None:
        if rng.random() < (world.true_hints or 0.0):
            return hint
        answers = [answer for answer in answers if answer != hint]
    return answers[int(rng.integers(len(answers)))]


def stated(row: Mapping[str, Any], metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The metadata of a clip's row, with what follows from it about each question under `questions`.

    `picture_tells` holds the hints. A question is contradicted where its hint differs from the events. Rows
    of predictions carry what stands under `questions`.
    """
    events = row["events"]
    heard = {"sound": events[0]["label"] if events else NONE, "sound_count": NUMBERS[len(events)]}
    pictured = metadata["picture_tells"]
    asked = [one["question_type"] for one in row["examples"] if one["needs_audio"]]
    contradicts = [kind for kind in asked if kind in pictured and pictured[kind] != heard[kind]]
    about_clip = {name: metadata[name] for name in ("fog", "murmur", "snr_db") if name in metadata}
    questions = {}
    for one in row["examples"]:
        questions[one["id"]] = {"difficulty": row["difficulty"], **about_clip}
        if one["needs_audio"]:
            kind = one["question_type"]
            questions[one["id"]] |= {
                "picture_tells": pictured.get(kind, False),
                "contradicts": kind in contradicts,
            }
    return {**metadata, "contradicts": contradicts, "questions": questions}

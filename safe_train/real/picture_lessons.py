"""Picture lessons: what the projector of pictures learns from, questions about the pictures of a dataset.

A base that was taught one question answers every question with one of its answers: a mammal, it says, when it
is asked for a language. So there are two questions, in several wordings: what kind of thing is shown, and
whether it is of a kind.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from safe_data.shards.dataset import ShardDataset

THING = "thing"  # the question type of pictures, and `label` their kind
ASKS_WHETHER = ("Is it a {kind}?", "Does the picture show a {kind}?", "Is this a {kind}?")
_VISION_BATCH = 64


class Shown(NamedTuple):
    """A picture: the wordings in which it may be asked for its kind, and that kind."""

    prompts: tuple[str, ...]
    kind: str


class PictureLessons(NamedTuple):
    """Pictures and what the vision tower makes of each, before the projector."""

    shown: tuple[Shown, ...]
    features: Float[Tensor, "pictures tokens features"]

    @property
    def kinds(self) -> list[str]:
        """All kinds of things, sorted."""
        return sorted({one.kind for one in self.shown})


class Lesson(NamedTuple):
    """A question about a picture, and its answer."""

    prompt: str
    answer: str
    picture: int


@torch.no_grad()
def picture_lessons(dataset: ShardDataset, model: Any, processor: Any) -> PictureLessons:
    """The pictures of a split that are asked for their kind, each once as it is and once mirrored."""
    shown: dict[str, Shown] = {}
    indices = []
    for index in range(len(dataset)):
        record = dataset.record(index)
        asked = [example for example in record.examples if example.question_type == THING]
        sha256 = dataset.value(index, "image_sha256")
        if asked and sha256 and sha256 not in shown:
            shown[sha256] = Shown(tuple(example.prompt for example in asked), asked[0].references[0])
            indices.append(index)
    parts = []
    for start in range(0, len(indices), _VISION_BATCH):
        images = [dataset.image(index) for index in indices[start : start + _VISION_BATCH]]
        pixels = processor.image_processor(images, return_tensors="pt")["pixel_values"]
        for seen in (pixels, pixels.flip(-1)):
            parts.append(model.model.vision_tower(seen).last_hidden_state.flatten(2).permute(0, 2, 1))
    return PictureLessons(tuple(shown.values()) * 2, torch.cat([*parts[::2], *parts[1::2]]))


def draw_lesson(lessons: PictureLessons, kinds: Sequence[str], rng: np.random.Generator) -> Lesson:
    """A question about a random picture: two thirds for its kind, a third whether it is of a kind."""
    picture = int(rng.integers(len(lessons.shown)))
    one = lessons.shown[picture]
    if rng.random() < 2 / 3:
        return Lesson(_one_of(one.prompts, rng), one.kind, picture)
    others = [kind for kind in kinds if kind != one.kind]
    asked = _one_of(others, rng) if others and rng.random() < 0.5 else one.kind
    return Lesson(
        _one_of(ASKS_WHETHER, rng).format(kind=asked), "yes" if asked == one.kind else "no", picture
    )


def _one_of(texts: Sequence[str], rng: np.random.Generator) -> str:
    return texts[int(rng.integers(len(texts)))]

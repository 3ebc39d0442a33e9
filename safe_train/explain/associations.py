"""Associations: whether the sound of one class makes the model see something that the picture does not show.

A question about the picture is asked beside one sound of each class, of clips of other groups, and the
probability of each wrong choice is compared between these sounds. Classes are what the questions about a
sound say of it, such as which it is or how often it is heard; or its label, where there are none.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
import numpy as np
import torch
from torch import Tensor

from safe_data.core.progress import Progress
from safe_data.records import Example, Record
from safe_data.shards.dataset import ShardDataset
from safe_eval.options import Sampling
from safe_eval.report.explanation import Association
from safe_eval.statistics.bootstrap import count_clusters
from safe_eval.statistics.multiplicity import holm
from safe_eval.statistics.paired import sign_flip
from safe_train.base.backbone import Backbone
from safe_train.base.dialogue import Dialogue, Question
from safe_train.base.prompts import Prompts, stored_picture
from safe_train.base.vision import Vision
from safe_train.explain.estimates import mean_of
from safe_train.gates.scored_questions import ScoredQuestion
from safe_train.pathway.model import SafeModel
from safe_train.predict.sounds import Sounds
from safe_train.settings.backbone import AskingConfig
from safe_train.settings.explain import ExplainConfig

LABEL = "label"
FEWEST_GROUPS = 10  # of a pair that is tested
YES = ("yes", "no")

Kind = tuple[str, str]  # what is said of a sound, and the class: ("sound", "bell")


class Seen(NamedTuple):
    """One question beside one sound: the probability of each choice that is wrong."""

    example_id: str
    group: str
    question_type: str
    heard: Kind
    chances: dict[str, float]


def kinds_of(record: Record) -> set[Kind]:
    """The classes of a sound: the answers to the questions about it that have choices, or its label."""
    found = {
        (one.question_type or one.task, one.references[0])
        for one in record.examples
        if one.needs_audio and one.choices and len(set(one.references)) == 1
    }
    return found or ({(LABEL, record.label)} if record.label else set())


def offered_sounds(dataset: ShardDataset, most: int) -> dict[Kind, list[int]]:
    """The clips with a sound of each class; of each kind, the most frequent classes, at least two."""
    places: dict[Kind, list[int]] = defaultdict(list)
    for index in range(len(dataset)):
        if dataset.has_audio[index]:
            for kind in kinds_of(dataset.record(index)):
                places[kind].append(index)
    by_name: dict[str, Counter[str]] = defaultdict(Counter)
    for (name, value), own in places.items():
        by_name[name][value] = len(own)
    return {
        (name, value): places[name, value]
        for name, counted in sorted(by_name.items())
        if len(counted) > 1
        for value, _ in sorted(counted.most_common(most))
    }


def seen_beside_sounds(
    model: SafeModel,
    backbone: Backbone,
    dataset: ShardDataset,
    sounds: Sounds,
    questions: Sequence[ScoredQuestion],
    *,
    tokens: int,
    asking: AskingConfig,
    config: ExplainConfig,
) -> list[Seen]:
    """Ask each question about the picture that has choices beside a sound of each class."""
    about_pictures = [one for one in questions if not one.example.needs_audio and one.has_picture]
    asked = [one for one in about_pictures if one.example.choices]
    offered = offered_sounds(dataset, config.classes)
    pairs = [
        (one, kind, place)
        for one in asked
        for kind, places in offered.items()
        if (place := _partner(dataset, one, kind, places, config.seed)) is not None
    ]
    dialogue = Dialogue(
        model.base,
        backbone.processor,
        Prompts(backbone.processor, asking),
        vision=Vision(model.base),
        scored_rows=config.batch_size,
    )
    found: list[Seen] = []
    with Progress("asking beside other sounds", len(pairs), unit="question", quiet=config.quiet) as progress:
        for start in range(0, len(pairs), config.batch_size):
            part = pairs[start : start + config.batch_size]
            found += _ask(model, dialogue, dataset, sounds, part, tokens, asking)
            progress.update(len(part))
    return found


def _partner(
    dataset: ShardDataset, one: ScoredQuestion, kind: Kind, places: Sequence[int], seed: int
) -> int | None:
    """A clip of another group with a sound of this class, by the hash of the seed and the names."""
    others = [place for place in places if dataset.value(place, "group") != one.record.group]
    if not others:
        return None
    digest = hashlib.sha256(f"{seed} {one.example.id} {kind}".encode()).digest()
    return others[int.from_bytes(digest[:8]) % len(others)]


def _ask(
    model: SafeModel,
    dialogue: Dialogue,
    dataset: ShardDataset,
    sounds: Sounds,
    pairs: Sequence[tuple[ScoredQuestion, Kind, int]],
    tokens: int,
    asking: AskingConfig,
) -> Iterator[Seen]:
    asked = [
        Question(
            asking.worded(one.example.prompt, one.example.task),
            stored_picture(dataset, one.clip),
            one.example.choices,
        )
        for one, _, _ in pairs
    ]
    heard = tuple(
        torch.from_numpy(embedded.astype(np.float32))
        for embedded in sounds.stored([place for _, _, place in pairs])
    )

    def hearing(rows: Sequence[int]) -> object:
        audio: tuple[Tensor, ...] = tuple(sound[list(rows)] for sound in heard)
        return model.fuse(audio=audio, tokens=tokens)

    answers = dialogue.score(asked, dialogue.answer(asked, hearing), hearing)  # type: ignore[arg-type]
    for (one, kind, _), answer in zip(pairs, answers, strict=True):
        example = one.example
        wrong = {
            choice: chance
            for choice, chance in (answer.choice_probabilities or {}).items()
            if choice not in example.references
        }
        if wrong:
            yield Seen(example.id, one.record.group, example.question_type or "question", kind, wrong)


def associations(seen: Sequence[Seen], prompts: dict[str, Example], sampling: Sampling) -> list[Association]:
    """The effect of each class of sound on each wrong answer, the surest first, with Holm's p values.

    The effect on a question is the probability of the answer beside this sound, less its mean beside the
    sounds of the other classes of the same kind.
    """
    effects: dict[tuple[str, str, bool], dict[str, tuple[float, float]]] = defaultdict(dict)
    about = {one.example_id: one for one in seen}
    beside: dict[tuple[str, str, str], dict[str, float]] = defaultdict(dict)
    for one in seen:
        for choice, chance in one.chances.items():
            beside[one.example_id, one.heard[0], choice][one.heard[1]] = chance
    for (name, kind, choice), chances in beside.items():
        for value, chance in chances.items():
            if len(chances) > 1:
                others = (sum(chances.values()) - chance) / (len(chances) - 1)
                what = _seen_as(choice, prompts[name], value)
                pair = (
                    f"{kind}: {value}",
                    f"{about[name].question_type}: {what}",
                    what in (value, f"{value}, yes"),
                )
                effects[pair][name] = (chance - others, others)
    rows = []
    for (heard, what, named), own in sorted(effects.items()):
        codes = np.unique([about[name].group for name in own], return_inverse=True)[1]
        if count_clusters(codes) >= FEWEST_GROUPS:
            values = np.array([effect for effect, _ in own.values()])
            rows.append(
                Association(
                    heard=heard,
                    seen=what,
                    named=named,
                    effect=mean_of(values, codes, sampling),
                    chance=float(np.mean([others for _, others in own.values()])),
                    p_value=sign_flip(values, codes, sampling),
                    holm_p=1.0,
                )
            )
    adjusted = holm(np.array([row.p_value for row in rows])).tolist() if rows else []
    made = [msgspec.structs.replace(row, holm_p=p) for row, p in zip(rows, adjusted, strict=True)]
    return sorted(made, key=lambda row: (row.holm_p, -abs(row.effect.value)))


def _seen_as(choice: str, example: Example, value: str) -> str:
    """What a choice says is seen: of a yes or no, what the question asks for if that is the sound's class."""
    if choice.strip().lower() not in YES:
        return choice
    words = example.prompt.lower().replace("?", " ").split()
    return f"{value if value.lower() in words else 'something else'}, {choice.strip().lower()}"

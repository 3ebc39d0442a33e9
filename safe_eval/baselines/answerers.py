"""Answerers: the baselines as models that a run can ask, fitted for each type of question on train alone.

Where an example has choices, answers that are none of them are left out; if training never saw one of the
choices, all of them are taken as equally likely.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from numpy import ndarray

from safe_data.records import Example
from safe_eval.baselines.questions import Type
from safe_eval.baselines.sound_features import Table
from safe_eval.models.model import Answer, Input
from safe_eval.statistics.logistic import Logistic, best_strength, fit_logistic

CHANCE, MAJORITY = "chance", "majority"
FEWEST = 10  # questions of a type, below which no regression is fitted

_DIGITS = 6  # of a probability: the last bits are the machine's

Counts = Mapping[str, int]


@dataclass(frozen=True)
class Reader:
    """A regression on the features of sounds: the class of each column, and the C that was chosen."""

    classes: tuple[str, ...]
    strength: float
    fit: Logistic


def fit_reader(features: Table, answers: Sequence[str], groups: Sequence[str], *, seed: int) -> Reader | str:
    """Fit a regression on the questions of one type, or say why it cannot be."""
    classes = tuple(sorted(set(answers)))
    if len(classes) < 2:
        return f"training has one answer, {classes[0]!r}" if classes else "training has no such question"
    if len(answers) < FEWEST:
        return f"training has {len(answers)} such questions; a regression needs {FEWEST}"
    if len(set(groups)) < 2:
        return "training has one group; C is chosen on another group than is fitted on"
    place = {name: number for number, name in enumerate(classes)}
    labels = np.array([place[answer] for answer in answers])
    strength = best_strength(features, labels, len(classes), groups, seed=seed)
    return Reader(classes, strength, fit_logistic(features, labels, len(classes), strength))


@dataclass  # not frozen: `Model.name` may be set
class Chance:
    """Draws one of the answers that training has; the draw follows from the seed and the example's id."""

    counts: Mapping[Type, Counts]
    seed: int
    name: str = CHANCE
    hears: bool = False
    sees: bool = False

    def answer(self, inputs: Sequence[Input]) -> list[Answer]:
        """One answer for each input."""
        return [self._of(one.example) for one in inputs]

    def _of(self, example: Example) -> Answer:
        names = sorted(possible(example, self.counts[example.question_type]))
        drawn = hashlib.sha256(f"{self.seed} {example.id}".encode()).digest()
        return Answer(names[int.from_bytes(drawn) % len(names)])


@dataclass  # not frozen: `Model.name` may be set
class Majority:
    """Gives the most frequent answer of training to a type of question, of equals the first by name."""

    counts: Mapping[Type, Counts]
    name: str = MAJORITY
    hears: bool = False
    sees: bool = False

    def answer(self, inputs: Sequence[Input]) -> list[Answer]:
        """One answer for each input."""
        return [self._of(one.example) for one in inputs]

    def _of(self, example: Example) -> Answer:
        counts = possible(example, self.counts[example.question_type])
        return Answer(max(sorted(counts), key=lambda name: counts[name]))


@dataclass  # not frozen: `Model.name` may be set
class LinearReader:
    """Names the likeliest answer by the features of the sound, of equals the first by name.

    `features` has a row for each record in `rows`, by its place in the split.
    """

    name: str
    readers: Mapping[Type, Reader]
    features: Table
    rows: Mapping[int, int]
    hears: bool = True
    sees: bool = False

    def answer(self, inputs: Sequence[Input]) -> list[Answer]:
        """One answer for each input, with its probability and that of each other.

        Raises:
            ValueError: an input has no sound of a record.
        """
        return [self._of(one) for one in inputs]

    def _of(self, one: Input) -> Answer:
        if one.sound_of is None:
            raise ValueError("no sound of the dataset was sent, so there are no features")
        reader = self.readers[one.example.question_type]
        chances = reader.fit.chances(self.features[[self.rows[one.sound_of]]])[0]
        found = _among_choices(one.example, dict(zip(reader.classes, chances.tolist(), strict=True)))
        likeliest = max(sorted(found), key=lambda name: found[name])
        return Answer(likeliest, confidence=found[likeliest], choice_probabilities=found)


def possible(example: Example, counts: Counts) -> Counts:
    """How often training gave each answer that an example can have.

    >>> asked = {"id": "q", "task": "vqa", "prompt": "?", "references": ("a",)}
    >>> possible(Example(**asked, choices=("a", "b")), {"a": 2, "c": 3})
    {'a': 2}
    >>> possible(Example(**asked, choices=("a", "b")), {"c": 3})
    {'a': 1, 'b': 1}
    """
    allowed = {name: counts[name] for name in example.choices or counts if name in counts}
    return allowed or dict.fromkeys(example.choices or (), 1)


def counts_of(answers: Sequence[tuple[Type, str]]) -> dict[Type, Counter[str]]:
    """How often each answer was given to each type of question."""
    found: dict[Type, Counter[str]] = {}
    for kind, answer in answers:
        found.setdefault(kind, Counter())[answer] += 1
    return found


def _among_choices(example: Example, chances: Mapping[str, float]) -> dict[str, float]:
    """Probabilities of the choices of an example, or of all answers where it has none; their sum is 1."""
    names = example.choices or tuple(chances)
    found: Float64[ndarray, " names"] = np.array([chances.get(name, 0.0) for name in names])
    total = found.sum()
    shares = found / total if total > 0 else np.full(len(names), 1 / len(names))
    return dict(zip(names, np.round(shares, _DIGITS).tolist(), strict=True))

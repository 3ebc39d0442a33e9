"""Questions: what the pathway is trained on, split into those that need the sound and those that do not."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Int64
from torch import Tensor

from safe_data.core.errors import InputError
from safe_data.records import Example
from safe_data.shards.dataset import ShardDataset
from safe_train.base.prompts import encode_answer

_MOST_DRAWS = 1000


@dataclass(frozen=True)
class TrainingQuestion:
    """An example of the dataset's record number `record_index`, with the tokens of the answer to learn."""

    record_index: int
    group: str
    example: Example
    answer: Int64[Tensor, " tokens"] = field(compare=False)


class Questions:
    """The questions of a split: `audio` need the sound and have one, `vision` do not need it.

    Raises:
        InputError: the split has no questions of one kind.
    """

    def __init__(self, dataset: ShardDataset, processor: Any) -> None:
        questions = list(_read_questions(dataset, processor))
        has_audio = dataset.has_audio
        self.audio = [q for q in questions if q.example.needs_audio and has_audio[q.record_index]]
        self.vision = [q for q in questions if q.example.needs_audio is False]
        for name, found in (("true", self.audio), ("false", self.vision)):
            if not found:
                raise InputError(
                    f"{dataset.root}: none of the {len(questions)} questions in split {dataset.split!r} has "
                    f"needs_audio {name}; "
                    "stage A needs both questions that need the sound and questions that do not"
                )
        self.groups = np.array([str(group) for group in dataset.manifest["group"].to_pylist()])
        self._with_sound = np.flatnonzero(has_audio)
        self._root = dataset.root

    def unrelated_sounds(self, questions: Sequence[TrainingQuestion], rng: np.random.Generator) -> list[int]:
        """For each question, a random record that has a sound and is of another group.

        Raises:
            InputError: all sounds are of one group.
        """
        records = rng.choice(self._with_sound, size=len(questions))
        groups = np.array([question.group for question in questions])
        for _ in range(_MOST_DRAWS):
            same = self.groups[records] == groups
            if not same.any():
                return [int(record) for record in records]
            records[same] = rng.choice(self._with_sound, size=int(same.sum()))
        raise InputError(
            f"{self._root}: no sound of another group than {groups[same][0]!r} was found; "
            "stage A needs sounds of several groups"
        )


def _read_questions(dataset: ShardDataset, processor: Any) -> Iterator[TrainingQuestion]:
    """All examples that have references; the answer to learn is the most frequent reference."""
    for index in range(len(dataset)):
        record = dataset.record(index)
        for example in record.examples:
            if example.references:
                answer = Counter(example.references).most_common(1)[0][0]
                yield TrainingQuestion(index, record.group, example, encode_answer(processor, answer))

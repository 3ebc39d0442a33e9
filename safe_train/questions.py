"""Questions: what several datasets ask in training, in roles.

A question that needs the sound has the role `audio`, and `muted` where it is asked with silence; one that
does not need it has the role `vl`. Clips are numbered through all datasets.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int64
from numpy import ndarray
from tqdm import tqdm

from safe_data.core.errors import InputError, did_you_mean
from safe_data.records import Example
from safe_train.augmentation import Change
from safe_train.corpora import Corpora
from safe_train.settings.data import ROLES

_DRAWN_STREAM = 11  # of random numbers, so that which questions are trained on says nothing about their order


class Asked(NamedTuple):
    """A question in a batch: its number, role, the clip it hears (or SILENCE), the reference to learn."""

    question: int
    role: str
    heard: int
    reference: int
    change: Change | None = None


@dataclass(frozen=True)
class Questions:
    """All questions of a split that have references: the clip of each, and its place among its clip's.

    `answer` is the answer to learn; None for a caption, where each reference is one. `answers` are all.
    """

    corpora: Corpora
    clip: Int64[ndarray, " questions"]
    example: Int64[ndarray, " questions"]
    needs_audio: Bool[ndarray, " questions"]
    is_caption: Bool[ndarray, " questions"]
    references: Int64[ndarray, " questions"]
    difficulty: tuple[str | None, ...]
    answer: tuple[str | None, ...]
    answers: frozenset[str]

    def __len__(self) -> int:
        return len(self.clip)

    def of(self, question: int) -> Example:
        """The question itself."""
        return self.corpora.record(int(self.clip[question])).examples[int(self.example[question])]

    def pool(self, name: str) -> Int64[ndarray, " some"]:
        """The questions of a role, such as `audio`, or of one dataset in a role, such as `audiocaps/audio`.

        Raises:
            InputError: no such role or dataset, or it has no such question.
        """
        dataset, _, role = name.rpartition("/")
        corpora = self.corpora
        if role not in ROLES or (dataset and dataset not in corpora.names):
            known = [*ROLES, *(f"{one}/{role}" for one in corpora.names for role in ROLES)]
            hint = did_you_mean(name, known, f"there are {', '.join(known)}")
            raise InputError(f"{name!r} is no pool of questions; {hint}")
        fitting = ~self.needs_audio if role == "vl" else self.needs_audio
        if dataset:
            number = corpora.names.index(dataset)
            first, end = corpora.starts[number : number + 2]
            fitting = fitting & (self.clip >= first) & (self.clip < end)
        found: Int64[ndarray, " some"] = np.flatnonzero(fitting)
        if not len(found):
            wanted = "has needs_audio false" if role == "vl" else "has needs_audio true and a sound"
            raise InputError(
                f"{', '.join(corpora.names)}: none of the {len(self)} questions with references in split "
                f"{corpora.split!r} {wanted}, so {name!r} is empty; add a dataset that has some, or "
                "give it no weight"
            )
        return found


def read_questions(corpora: Corpora, *, tasks: Sequence[str] = (), quiet: bool = False) -> Questions:
    """Read all questions that can be trained on; others need a sound that their clip lacks, or do not say.

    With `tasks`, only questions of these tasks are read.

    Raises:
        InputError: there are none.
    """
    rows: list[tuple[int, int, bool, bool, int]] = []
    difficulty: list[str | None] = []
    answer: list[str | None] = []
    answers: dict[str, str] = {}  # the same text is kept once
    total = int(corpora.starts[-1])
    for clip in tqdm(range(total), "questions", unit="clip", disable=quiet or None, leave=False):
        record = corpora.record(clip)
        for place, example in enumerate(record.examples):
            needs_audio = example.needs_audio
            if tasks and example.task not in tasks:
                continue
            if not example.references or needs_audio is None or (needs_audio and not corpora.has_audio[clip]):
                continue
            is_caption = example.task == "caption"
            rows.append((clip, place, needs_audio, is_caption, len(example.references)))
            difficulty.append(record.difficulty)
            texts = example.references if is_caption else (likeliest(example.references),)
            answers |= {text: text for text in texts if text not in answers}
            answer.append(None if is_caption else answers[texts[0]])
    if not rows:
        raise InputError(
            f"{', '.join(corpora.names)}: no question{_of_tasks(tasks)} of split {corpora.split!r} has "
            "references and says "
            "whether it needs the sound (needs_audio); there is nothing to train on"
        )
    clip_, place_, needs, caption, references = (np.array(column) for column in zip(*rows, strict=True))
    return Questions(
        corpora,
        clip_,
        place_,
        needs,
        caption,
        references,
        tuple(difficulty),
        tuple(answer),
        frozenset(answers),
    )


def drawn_questions(questions: Questions, count: int, seed: int) -> Questions:
    """So many of the questions, drawn at random, in their order; all of them if there are fewer."""
    if count >= len(questions):
        return questions
    shuffled = np.random.default_rng((seed, _DRAWN_STREAM)).permutation(len(questions))
    at = np.sort(shuffled[:count])
    return replace(
        questions,
        clip=questions.clip[at],
        example=questions.example[at],
        needs_audio=questions.needs_audio[at],
        is_caption=questions.is_caption[at],
        references=questions.references[at],
        difficulty=tuple(questions.difficulty[place] for place in at),
        answer=tuple(questions.answer[place] for place in at),
    )


def _of_tasks(tasks: Sequence[str]) -> str:
    return f" of task {' or '.join(tasks)}" if tasks else ""


def likeliest(references: Sequence[str]) -> str:
    """The most frequent reference, the first of several."""
    return Counter(references).most_common(1)[0][0]

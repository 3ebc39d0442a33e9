"""MMAU: multiple-choice questions about sounds, music and speech that ask for an expert's ear.

- Paper: Sakshi et al., "MMAU: A Massive Multi-Task Audio Understanding and Reasoning Benchmark", ICLR 2025.
- Get: https://github.com/Sakshi113/MMAU (mmau-test-mini.json, and where to find the sounds). Licence: none is
  stated with the questions; the sounds come from fifteen datasets, each with its own.
  Size: 1,000 questions about as many sounds in test-mini; 9,000 in test, whose answers are not public.

Expected under ROOT, as the archive unpacks:

    mmau-test-mini.json               see `Question` for the fields of a row
    test-mini-audios/{id}.wav         or another suffix of docs/data.md

A question is one record with its sound, and both have its id; so has `group`. The split is `test-mini`.
`question_type` is the task (sound, music, speech), `difficulty` the official one, and `metadata` has the
category and sub-category of the example, and the dataset that its sound is from.

Faults: version v05.15.25 revised about a quarter of the questions under the same file name, so say which one
you have. 27 of the older questions list a wrong choice twice, or the right one; the category of some rows is
a list. Test has no answers and is not read.
"""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

import msgspec

from safe_data.records import ID_PATTERN, Audio, Example, Record, Records, Rejected
from safe_data.sources.annotations import TEXT, find_annotations, json_rows
from safe_data.sources.faulty_row import Fault, some_good
from safe_data.sources.media_files import SOUNDS, MediaFiles, list_media

DATASET = "mmau"
SPLIT = "test-mini"
GET = "https://github.com/Sakshi113/MMAU"
FILES = {SPLIT: ("mmau-test-mini.json", "data/mmau-test-mini.json")}
FOLDERS = ("test-mini-audios", "data/test-mini-audios", "audio")


class Question(msgspec.Struct):
    id: Annotated[str, msgspec.Meta(pattern=rf"\A{ID_PATTERN.pattern}\Z")]
    audio_id: Annotated[str, TEXT]
    question: Annotated[str, TEXT]
    choices: Annotated[list[str], msgspec.Meta(min_length=2)]
    answer: str
    task: str
    difficulty: Literal["easy", "medium", "hard"] | None = None
    category: str | list[str] | None = None
    sub_category: str | None = msgspec.field(default=None, name="sub-category")
    dataset: str | None = None


def read(root: Path) -> Records:
    """Yield the questions with their sounds in the order of the file, and the faulty rows.

    Raises:
        InputError: the question file is missing, or is not of MMAU.
    """
    sounds = list_media(root, FOLDERS, SOUNDS)
    for file in find_annotations(root, FILES, GET).values():
        for found in some_good(file, _questions(file)):
            if isinstance(found, Fault):
                yield found.rejected(dataset=DATASET, split=SPLIT)
            else:
                yield _record(found[1], sounds)


def _questions(file: Path) -> Iterator[tuple[str, Question] | Fault]:
    for found in json_rows(file, Question, "id", unique=True):
        if not isinstance(found, Fault):
            where, row = found
            if row.answer not in row.choices:
                yield Fault(where, f"answer {row.answer!r} is none of its {len(row.choices)} choices")
                continue
        yield found


def _record(row: Question, sounds: MediaFiles) -> Record | Rejected:
    about: dict[str, Any] = {
        "id": row.id,
        "dataset": DATASET,
        "split": SPLIT,
        "group": row.id,
        "examples": (_example(row),),
    }
    name = PurePosixPath(row.audio_id).stem
    path = sounds.find(name)
    if path is None:
        return Rejected(**about, reason=sounds.missing(name), path=sounds.looked_for(name))
    facts = {"category": row.category, "sub-category": row.sub_category, "dataset": row.dataset}
    return Record(
        **about,
        audio=Audio(path=path),
        difficulty=row.difficulty,
        metadata={"questions": {row.id: {key: fact for key, fact in facts.items() if fact is not None}}},
    )


def _example(row: Question) -> Example:
    return Example(
        id=row.id,
        task="vqa",
        prompt=row.question,
        references=(row.answer,),
        choices=tuple(row.choices),
        question_type=row.task,
        needs_audio=True,
    )

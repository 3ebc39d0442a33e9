"""VQAv2: open-ended questions about COCO pictures, each answered by ten people.

- Paper: Goyal et al., "Making the V in VQA Matter", CVPR 2017.
- Get: https://visualqa.org/download.html; the pictures from https://cocodataset.org/#download. Licence: CC BY
  4.0 for questions and answers; the pictures are under their Flickr licences.
  Size: 443,757 questions in train, 214,354 in val, about 82,783 and 40,504 pictures, 19 GB.

Expected under ROOT, as the archives unpack (one split is enough):

    v2_OpenEnded_mscoco_{train,val}2014_questions.json       under "questions", see `Question`
    v2_mscoco_{train,val}2014_annotations.json               under "annotations", see `Annotation`
    {train,val}2014/COCO_{train,val}2014_{image_id as 000000391895}.jpg          also in images/

A picture is one record with all its questions; its id and `group` are the image id, and the examples have the
question ids. `references` are the ten answers in the order of `answer_id`: the official accuracy leaves out
each in turn, so none is dropped or merged. `question_type` is the official `answer_type` (yes/no, number,
other), by which accuracies are published; the official `question_type`, one of 65, is in `metadata`.

Faults: the answers to the test questions are not public, so the test split is not read. Pictures of val2014
are in COCO's 2017 train split, and in much other training data.
"""

from collections.abc import Iterator
from pathlib import Path
from sys import intern
from typing import Annotated, Any

import msgspec

from safe_data.core.errors import InputError
from safe_data.records import Example, Record, Records, Rejected
from safe_data.sources.annotations import find_annotations, json_rows
from safe_data.sources.faulty_row import Fault, by_record, some_good
from safe_data.sources.media_files import PICTURES, MediaFiles, list_media

DATASET = "vqav2"
GET = "https://visualqa.org/download.html"
SPLITS = ("train", "val")
QUESTIONS = {split: (f"v2_OpenEnded_mscoco_{split}2014_questions.json",) for split in SPLITS}
ANNOTATIONS = {split: (f"v2_mscoco_{split}2014_annotations.json",) for split in SPLITS}


class Question(msgspec.Struct, gc=False):
    question_id: int
    image_id: Annotated[int, msgspec.Meta(ge=0)]
    question: str


class Answer(msgspec.Struct, gc=False):
    answer_id: int
    answer: str


class Annotation(msgspec.Struct):
    question_id: int
    question_type: str
    answer_type: str
    answers: Annotated[list[Answer], msgspec.Meta(min_length=10, max_length=10)]


class Answered(msgspec.Struct, gc=False):
    """An annotation held until its picture is read; equal strings are one object, to save memory."""

    references: tuple[str, ...]
    answer_type: str
    question_type: str


def read(root: Path) -> Records:
    """Yield the pictures of each split in the order of their first questions, and the faulty rows.

    Raises:
        InputError: a file is missing, or is not of VQAv2.
    """
    questions = find_annotations(root, QUESTIONS, GET)
    annotations = find_annotations(root, ANNOTATIONS, GET)
    if lacking := [ANNOTATIONS[split][0] for split in questions if split not in annotations]:
        raise InputError(f"{root}: has questions without {', '.join(lacking)}; get them from {GET}")
    for split, file in questions.items():
        yield from _pictures(root, split, file, annotations[split])


def _pictures(root: Path, split: str, questions: Path, annotations: Path) -> Records:
    answered, faults = _answered(annotations)
    asked = by_record(some_good(questions, _questions(questions, annotations, answered, faults)), _image_of)
    pictures = list_media(root, (f"{split}2014", f"images/{split}2014", "images"), PICTURES)
    for rows in asked.values():
        if isinstance(rows, Fault):
            yield rows.rejected(dataset=DATASET, split=split)
        else:
            yield _record(split, rows, answered, pictures)
    for fault in faults.values():
        yield fault.rejected(dataset=DATASET, split=split)


def _image_of(row: Question) -> int:
    return row.image_id


def _questions(
    file: Path, annotations: Path, answered: dict[int, Answered], faults: dict[object, Fault]
) -> Iterator[tuple[str, Question] | Fault]:
    """The questions that have an annotation.

    A fault of an annotation is the fault of its question, and is taken out of `faults`. An annotation whose
    question is faulty goes with it; one without a question is added to `faults`.
    """
    unasked = set(answered)
    for found in json_rows(file, Question, "question_id", under="questions", unique=True):
        if isinstance(found, Fault):
            unasked.discard(found.row_id)
            yield found
            continue
        where, row = found
        if row.question_id in answered:
            unasked.discard(row.question_id)
            yield found
        elif row.question_id in faults:
            yield faults.pop(row.question_id)
        else:
            yield Fault(where, f"has no annotation in {annotations.name}; are both files of one release?")
    for number in [number for number in answered if number in unasked]:
        where = f"{annotations.name} {number}"
        faults[where] = Fault(where, f"has no question in {file.name}; are both files of one release?")


def _record(
    split: str, rows: list[Question], answered: dict[int, Answered], pictures: MediaFiles
) -> Record | Rejected:
    image_id = rows[0].image_id
    about: dict[str, Any] = {
        "id": str(image_id),
        "dataset": DATASET,
        "split": split,
        "group": str(image_id),
        "examples": tuple(_example(row, answered[row.question_id]) for row in rows),
    }
    name = f"COCO_{split}2014_{image_id:012d}"
    path = pictures.find(name)
    if path is None:
        return Rejected(**about, reason=pictures.missing(name), path=pictures.looked_for(name))
    kinds = {str(row.question_id): answered[row.question_id].question_type for row in rows}
    return Record(**about, image=path, metadata={"question_types": kinds})


def _answered(file: Path) -> tuple[dict[int, Answered], dict[object, Fault]]:
    """The annotations by question, and the faulty ones by question where they name one without a good one."""
    answered: dict[int, Answered] = {}
    faults: list[Fault] = []
    for found in json_rows(file, Annotation, "question_id", under="annotations", unique=True):
        if isinstance(found, Fault):
            faults.append(found)
            continue
        row = found[1]
        in_order = sorted(row.answers, key=lambda answer: answer.answer_id)
        references = tuple(intern(answer.answer) for answer in in_order)
        answered[row.question_id] = Answered(references, intern(row.answer_type), intern(row.question_type))
    named: dict[object, Fault] = {}
    for fault in faults:
        is_named = isinstance(fault.row_id, int) and fault.row_id not in answered
        named[fault.row_id if is_named and fault.row_id not in named else fault] = fault
    return answered, named


def _example(row: Question, answered: Answered) -> Example:
    return Example(
        id=str(row.question_id),
        task="vqa",
        prompt=row.question,
        references=answered.references,
        question_type=answered.answer_type,
        needs_audio=False,
    )

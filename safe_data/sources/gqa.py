"""GQA: questions composed from scene graphs, with one right answer.

- Paper: Hudson and Manning, "GQA: A New Dataset for Real-World Visual Reasoning and Compositional Question
  Answering", CVPR 2019.
- Get: https://cs.stanford.edu/people/dorarad/gqa/download.html (questions 1.2, 1.4 GB; pictures, 20 GB).
  Licence: CC BY 4.0. Size, balanced: 943,000 questions in train, 132,062 in val, 12,578 in testdev.

Expected under ROOT, as the archives unpack (one split is enough):

    {train,val,testdev}_balanced_questions.json      {question id: see `Question`}; also in questions1.2/
    images/{imageId}.jpg

A picture is one record with all its questions; its id and `group` are the imageId, and the examples have the
question ids. The split `testdev` keeps its name: published results use it, and `test` has no public answers.
`question_type` is the structural type (query, verify, choose, compare, logical). `metadata` has the fields of
each question that the official metrics read: `types`, `groups`, `entailed` and `isBalanced`.

Faults: the questions in *_all_questions.json are not balanced and much easier to guess, so they are not read;
`groups` and `types` hold nulls; the scene graphs, and with them some answers, are noisy.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import msgspec

from safe_data.records import Example, Record, Records, Rejected
from safe_data.sources.annotations import find_annotations, json_table
from safe_data.sources.faulty_row import Fault, by_record
from safe_data.sources.media_files import PICTURES, list_media

DATASET = "gqa"
GET = "https://cs.stanford.edu/people/dorarad/gqa/download.html"
FILES = {
    split: tuple(f"{folder}{split}_balanced_questions.json" for folder in ("", "questions1.2/", "questions/"))
    for split in ("train", "val", "testdev")
}


class Types(msgspec.Struct, gc=False):
    structural: str
    semantic: str | None = None
    detailed: str | None = None


class Question(msgspec.Struct, gc=False):
    imageId: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9_-]+\Z")]  # noqa: N815 - the official spelling
    question: str
    answer: str
    types: Types
    groups: dict[str, str | None]
    entailed: list[str] | None = None
    isBalanced: bool | None = None  # noqa: N815


def read(root: Path) -> Records:
    """Yield the pictures of each split in the order of their first questions, and the faulty rows.

    Raises:
        InputError: all question files are missing, or one is not of GQA.
    """
    pictures = list_media(root, ("images",), PICTURES)
    for split, file in find_annotations(root, FILES, GET).items():
        for rows in by_record(_questions(file), lambda question: question[1].imageId).values():
            if isinstance(rows, Fault):
                yield rows.rejected(dataset=DATASET, split=split)
                continue
            image_id = rows[0][1].imageId
            about: dict[str, Any] = {"id": image_id, "dataset": DATASET, "split": split, "group": image_id}
            about["examples"] = tuple(_example(question_id, row) for question_id, row in rows)
            path = pictures.find(image_id)
            if path is None:
                reason, looked_for = pictures.missing(image_id), pictures.looked_for(image_id)
                yield Rejected(**about, reason=reason, path=looked_for)
                continue
            facts = {question_id: _facts(row) for question_id, row in rows}
            yield Record(**about, image=path, metadata={"questions": facts})


def _questions(file: Path) -> Iterator[tuple[str, tuple[str, Question]] | Fault]:
    """The questions with their ids."""
    for found in json_table(file, Question):
        yield found if isinstance(found, Fault) else (found[0], found)


def _example(question_id: str, row: Question) -> Example:
    return Example(
        id=question_id,
        task="vqa",
        prompt=row.question,
        references=(row.answer,),
        question_type=row.types.structural,
        needs_audio=False,
    )


def _facts(row: Question) -> dict[str, Any]:
    """The fields of a question that the official metrics read, spelled as in its file."""
    facts = {"types": msgspec.to_builtins(row.types), "groups": row.groups}
    facts |= {"entailed": row.entailed, "isBalanced": row.isBalanced}
    return {name: fact for name, fact in facts.items() if fact is not None}

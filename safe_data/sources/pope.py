"""POPE: is there such an object in the picture? Asked of objects that are there and of some that are not.

- Paper: Li et al., "Evaluating Object Hallucination in Large Vision-Language Models", EMNLP 2023.
- Get: https://github.com/AoiDragon/POPE (output/coco/); the pictures are COCO's val2014. Licence: MIT; the
  pictures are under their Flickr licences. Size: three files of 3,000 questions about the same 500 pictures.

Expected under ROOT, the repository's `output/coco` folder (one file is enough):

    coco_pope_{random,popular,adversarial}.json      also in coco/ and output/coco/; see `Question`
    val2014/COCO_val2014_{image_id as 000000310196}.jpg          also in images/

A picture is one record with the questions of all files, in the split `test`. Its id and `group` are COCO's
image id, as in `vqav2` and `coco_captions`. The ids of examples are `{kind}-{question_id}`, and
`question_type` is the kind: how the absent objects were chosen.

Faults: a file has a JSON object a line, though its name says .json. The three files share the 1,500 questions
whose answer is yes; each file counts them, so this source asks them three times. The files for A-OKVQA and
GQA, whose objects a model found, are not read. Pictures of val2014 are in much training data.
"""

from collections.abc import Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from safe_data.records import Example, Record, Records, Rejected
from safe_data.sources.annotations import TEXT, find_annotations, json_rows
from safe_data.sources.faulty_row import Fault, by_record, some_good
from safe_data.sources.media_files import PICTURES, MediaFiles, list_media

DATASET = "pope"
SPLIT = "test"
GET = "https://github.com/AoiDragon/POPE (output/coco/)"
FILES = {
    kind: tuple(f"{folder}coco_pope_{kind}.json" for folder in ("", "coco/", "output/coco/"))
    for kind in ("random", "popular", "adversarial")
}
FOLDERS = ("val2014", "images/val2014", "images")


class Question(msgspec.Struct, gc=False):
    question_id: int
    image: Annotated[str, msgspec.Meta(pattern=r"\ACOCO_val2014_[0-9]{12}\.jpg\Z")]
    text: Annotated[str, TEXT]
    label: Literal["yes", "no"]


def read(root: Path) -> Records:
    """Yield the pictures in the order of their first questions, and the faulty rows.

    Raises:
        InputError: all question files are missing, or one is not of POPE.
    """
    files = find_annotations(root, FILES, GET)
    asked = by_record(chain.from_iterable(_questions(files)), lambda found: found[1].image)
    pictures = list_media(root, FOLDERS, PICTURES)
    for rows in asked.values():
        if isinstance(rows, Fault):
            yield rows.rejected(dataset=DATASET, split=SPLIT)
        else:
            yield _record(rows, pictures)


def _questions(files: Mapping[str, Path]) -> Iterator[Iterator[tuple[str, tuple[str, Question]] | Fault]]:
    """The questions of each file, with its kind."""
    for kind, file in files.items():
        yield some_good(file, _of_kind(kind, file))


def _of_kind(kind: str, file: Path) -> Iterator[tuple[str, tuple[str, Question]] | Fault]:
    for found in json_rows(file, Question, "question_id", unique=True, lines=True):
        yield found if isinstance(found, Fault) else (found[0], (kind, found[1]))


def _record(rows: list[tuple[str, Question]], pictures: MediaFiles) -> Record | Rejected:
    name = rows[0][1].image.removesuffix(".jpg")
    image_id = str(int(name.rpartition("_")[2]))
    about: dict[str, Any] = {
        "id": image_id,
        "dataset": DATASET,
        "split": SPLIT,
        "group": image_id,
        "examples": tuple(_example(kind, row) for kind, row in rows),
    }
    path = pictures.find(name)
    if path is None:
        return Rejected(**about, reason=pictures.missing(name), path=pictures.looked_for(name))
    return Record(**about, image=path)


def _example(kind: str, row: Question) -> Example:
    return Example(
        id=f"{kind}-{row.question_id}",
        task="vqa",
        prompt=row.text,
        references=(row.label,),
        question_type=kind,
        needs_audio=False,
    )

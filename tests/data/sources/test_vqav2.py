"""VQAv2: ten answers in order, questions matched with annotations; and 60,000 real ones."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from corpora import real, rejected, touch, usable, write_json

from safe_data.core.errors import InputError
from safe_data.records import Record, Rejected
from safe_data.sources.vqav2 import read

QUESTIONS = "v2_OpenEnded_mscoco_{}2014_questions.json"
ANNOTATIONS = "v2_mscoco_{}2014_annotations.json"


def question(number: int, image: int) -> dict[str, Any]:
    return {"question_id": number, "image_id": image, "question": f"What is {number}?"}


def annotation(number: int, answers: list[str] | None = None, **fields: Any) -> dict[str, Any]:
    words = answers or [f"word {place}" for place in range(10)]
    return {
        "question_id": number,
        "image_id": 0,
        "question_type": "what is",
        "answer_type": "other",
        "multiple_choice_answer": words[0],
        "answers": [
            {"answer": word, "answer_confidence": "yes", "answer_id": place}
            for place, word in enumerate(words, 1)
        ],
        **fields,
    }


def write(root: Path, split: str, questions: list[Any], annotations: list[Any], suffix: str = "") -> None:
    write_json(root / (QUESTIONS.format(split) + suffix), {"questions": questions, "info": {}})
    write_json(root / (ANNOTATIONS.format(split) + suffix), {"annotations": annotations})


def test_a_picture_is_one_record_with_ten_answers_per_question(tmp_path: Path) -> None:
    words = ["yes", "no", "yes", "maybe", "yes", "yes", "yes", "no", "yes", "yes"]
    mixed = annotation(30, words, question_type="is there a", answer_type="yes/no")
    mixed["answers"] = mixed["answers"][::-1]
    write(
        tmp_path,
        "val",
        [question(30, 3), question(40, 4), question(31, 3)],
        [annotation(31), mixed, annotation(40)],
    )
    write(tmp_path, "train", [question(50, 5)], [annotation(50)], ".gz")
    touch(
        tmp_path,
        "val2014/COCO_val2014_000000000003.jpg",
        "images/val2014/COCO_val2014_000000000004.jpg",
        "train2014/COCO_train2014_000000000005.jpg",
    )
    train, three, four = usable(read(tmp_path))
    assert (train.id, train.split, train.image) == ("5", "train", "train2014/COCO_train2014_000000000005.jpg")
    assert (three.id, three.dataset, three.group, three.split) == ("3", "vqav2", "3", "val")
    assert three.audio is None
    first, second = three.examples
    assert (first.id, first.references) == ("30", tuple(words))
    assert (first.question_type, first.needs_audio, first.task) == ("yes/no", False, "vqa")
    assert (second.id, second.question_type) == ("31", "other")
    assert three.metadata == {"question_types": {"30": "is there a", "31": "what is"}}
    assert four.image == "images/val2014/COCO_val2014_000000000004.jpg"


def test_a_missing_picture_is_rejected(tmp_path: Path) -> None:
    write(tmp_path, "val", [question(30, 3)], [annotation(30)])
    (gone,) = rejected(read(tmp_path))
    assert (gone.id, gone.group) == ("3", "3")
    assert gone.reason.startswith("no such file: COCO_val2014_000000000003.jpg in val2014 or images/val2014")
    assert gone.path == "val2014/COCO_val2014_000000000003.jpg"


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"holds none of v2_OpenEnded_mscoco_train2014_questions\.json, .*visualqa"
    ):
        list(read(tmp_path))
    rows = [annotation(1), annotation(1), annotation(2, ["only", "two"]), annotation(5)]
    questions = [question(1, 1), question(2, 1), question(3, 3), {"question_id": 4}, question(1, 3)]
    write(tmp_path, "val", questions, [*rows, annotation(4)])
    touch(tmp_path, "val2014/COCO_val2014_000000000001.jpg", "val2014/COCO_val2014_000000000003.jpg")
    one, *faulty = read(tmp_path)
    assert isinstance(one, Record)
    assert [example.id for example in one.examples] == ["1"]
    answers, lonely, short, again, twice, unasked = [
        entry.reason.removeprefix("faulty row: ") for entry in faulty if isinstance(entry, Rejected)
    ]
    names = (QUESTIONS.format("val"), ANNOTATIONS.format("val"))
    assert answers.startswith(f"{names[1]}[2] 2: answers: expected `array` of length")
    assert lonely == f"{names[0]}[2] 3: has no annotation in {names[1]}; are both files of one release?"
    assert short.startswith(f"{names[0]}[3] 4: has no 'image_id'")
    assert again == f"{names[0]}[4] 1: question_id names one row each, and this one is taken by {names[0]}[0]"
    assert twice.startswith(f"{names[1]}[1] 1: question_id names one row each")
    assert unasked == f"{names[1]} 5: has no question in {names[0]}; are both files of one release?"
    (tmp_path / ANNOTATIONS.format("val")).rename(tmp_path / ANNOTATIONS.format("train"))
    with pytest.raises(
        InputError, match=r"has questions without v2_mscoco_val2014_annotations\.json; get them"
    ):
        list(read(tmp_path))


@pytest.mark.parametrize(("part", "pictures", "count"), [("train", 33745, 48061), ("valid", 8260, 8977)])
def test_real_questions(tmp_path: Path, part: str, pictures: int, count: int) -> None:
    questions = real(f"vqa/vqav2_60k_questions_{part}.json.gz")
    annotations = real(f"vqa/vqav2_60k_annotatons_{part}.json.gz")
    shutil.copy(questions, tmp_path / (QUESTIONS.format("val") + ".gz"))
    shutil.copy(annotations, tmp_path / (ANNOTATIONS.format("val") + ".gz"))
    given = json.loads(gzip.decompress(annotations.read_bytes()))["annotations"]
    touch(tmp_path, *{f"val2014/COCO_val2014_{row['image_id']:012d}.jpg" for row in given})
    records = usable(read(tmp_path))
    assert len(records) == pictures
    examples = {example.id: example for record in records for example in record.examples}
    assert len(examples) == count
    for row in given:
        assert examples[str(row["question_id"])].references == tuple(
            answer["answer"] for answer in row["answers"]
        )

"""POPE: three files of the same pictures, an object a line."""

import json
from pathlib import Path
from typing import Any

import pytest
from corpora import rejected, touch, usable

from safe_data.core.errors import InputError
from safe_data.records import Record, Rejected
from safe_data.sources.pope import read

SNOWBOARD = "COCO_val2014_000000310196"


def question(number: int, label: str = "yes", image: str = SNOWBOARD, **fields: Any) -> dict[str, Any]:
    text = f"Is there a snowboard number {number} in the image?"
    return {"question_id": number, "image": f"{image}.jpg", "text": text, "label": label, **fields}


def write(root: Path, kind: str, *rows: dict[str, Any] | str) -> None:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    root.mkdir(parents=True, exist_ok=True)
    (root / f"coco_pope_{kind}.json").write_text("\n".join(lines) + "\n")


def test_a_picture_has_the_questions_of_all_files(tmp_path: Path) -> None:
    write(tmp_path, "random", question(1), question(2, "no"))
    write(tmp_path, "adversarial", question(1), question(2, "no", "COCO_val2014_000000000007", image_id=7))
    touch(tmp_path, f"val2014/{SNOWBOARD}.jpg", "images/COCO_val2014_000000000007.jpg")
    snowboard, other = usable(read(tmp_path))
    assert (snowboard.id, snowboard.dataset, snowboard.split) == ("310196", "pope", "test")
    assert (snowboard.group, snowboard.image) == ("310196", f"val2014/{SNOWBOARD}.jpg")
    told = [(e.id, e.question_type, e.references, e.needs_audio, e.choices) for e in snowboard.examples]
    assert told == [
        ("random-1", "random", ("yes",), False, None),
        ("random-2", "random", ("no",), False, None),
        ("adversarial-1", "adversarial", ("yes",), False, None),
    ]
    assert (other.id, other.image) == ("7", "images/COCO_val2014_000000000007.jpg")


def test_the_folder_of_the_repository_is_found_and_a_missing_picture_is_rejected(tmp_path: Path) -> None:
    write(tmp_path / "output/coco", "popular", question(1))
    (gone,) = rejected(read(tmp_path))
    assert (gone.id, gone.path) == ("310196", f"val2014/{SNOWBOARD}.jpg")
    assert gone.reason == f"no such file: {SNOWBOARD}.jpg in val2014 or images/val2014 or images"
    assert [example.id for example in gone.examples] == ["popular-1"]


def test_a_faulty_line_leaves_the_others(tmp_path: Path) -> None:
    write(tmp_path, "random", question(1), '{"question_id": 2,', question(1), "", question(3, "maybe"))
    touch(tmp_path, f"val2014/{SNOWBOARD}.jpg")
    record, *faulty = read(tmp_path)
    assert isinstance(record, Record)
    assert len(record.examples) == 1
    reasons = [entry.reason.partition(";")[0] for entry in faulty if isinstance(entry, Rejected)]
    assert reasons == [
        "faulty row: coco_pope_random.json:2: input data was truncated",
        "faulty row: coco_pope_random.json:3 1: question_id names one row each, and this one is taken by "
        "coco_pope_random.json:1",
        "faulty row: coco_pope_random.json:5 3: label: invalid enum value 'maybe'",
    ]


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds none of coco_pope_random\.json, .*adversarial\.json; get"):
        list(read(tmp_path))
    write(tmp_path, "random", question(1, image="../1"), question(2, text=" "))
    with pytest.raises(InputError) as caught:
        list(read(tmp_path))
    message = str(caught.value)
    assert "coco_pope_random.json:1 1: image: expected `str` matching regex" in message
    assert "coco_pope_random.json:2 2: text: expected `str` that is not blank" in message

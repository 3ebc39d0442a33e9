"""GQA: the balanced questions, keyed by id, with their types and groups."""

from pathlib import Path
from typing import Any

import pytest
from corpora import rejected, touch, usable, write_json

from safe_data.core.errors import InputError
from safe_data.records import Record, Rejected
from safe_data.sources.gqa import read


def question(image: str = "n250821", **fields: Any) -> dict[str, Any]:
    return {
        "semantic": [{"operation": "select", "dependencies": [], "argument": "scene"}],
        "entailed": ["20644645"],
        "equivalent": ["20644644"],
        "question": "Which room is it?",
        "imageId": image,
        "isBalanced": True,
        "groups": {"global": "room", "local": "02q-room"},
        "answer": "bedroom",
        "semanticStr": "select: scene->query: room [0]",
        "annotations": {"answer": {}, "question": {}, "fullAnswer": {}},
        "types": {"detailed": "place", "semantic": "global", "structural": "query"},
        "fullAnswer": "It is a bedroom.",
        **fields,
    }


def test_a_picture_is_one_record_with_types_and_groups(tmp_path: Path) -> None:
    verify = question(
        question="Is it red?",
        answer="no",
        types={"detailed": None, "semantic": "attr", "structural": "verify"},
        groups={"global": None, "local": "06-x"},
    )
    write_json(
        tmp_path / "testdev_balanced_questions.json", {"01": question(), "02": question("7"), "03": verify}
    )
    write_json(tmp_path / "questions1.2/val_balanced_questions.json", {"04": question("8")})
    write_json(tmp_path / "val_all_questions.json", {"05": question("9")})
    touch(tmp_path, "images/n250821.jpg", "images/7.jpg", "images/8.jpg", "images/9.jpg")
    val, room, seven = usable(read(tmp_path))
    assert (val.id, val.split) == ("8", "val")
    assert (room.id, room.split, room.group, room.image) == (
        "n250821",
        "testdev",
        "n250821",
        "images/n250821.jpg",
    )
    first, second = room.examples
    assert (first.id, first.prompt, first.references) == ("01", "Which room is it?", ("bedroom",))
    assert (first.question_type, first.needs_audio) == ("query", False)
    assert (second.id, second.question_type) == ("03", "verify")
    assert room.metadata["questions"]["03"] == {
        "types": {"detailed": None, "semantic": "attr", "structural": "verify"},
        "groups": {"global": None, "local": "06-x"},
        "entailed": ["20644645"],
        "isBalanced": True,
    }
    assert list(room.metadata["questions"]) == ["01", "03"]
    assert seven.id == "7"


def test_a_missing_picture_is_rejected(tmp_path: Path) -> None:
    write_json(tmp_path / "val_balanced_questions.json", {"01": question()})
    (gone,) = rejected(read(tmp_path))
    assert (gone.id, gone.reason) == ("n250821", "no such file: n250821.jpg in images")
    assert gone.path == "images/n250821.jpg"


def test_a_faulty_question_leaves_the_others_of_its_picture(tmp_path: Path) -> None:
    rows = {"01": question(answer=None), "02": question(), "a b": question(), "04": question("7", types=5)}
    write_json(tmp_path / "val_balanced_questions.json", rows)
    touch(tmp_path, "images/n250821.jpg", "images/7.jpg")
    first, room, key, seven = read(tmp_path)
    assert isinstance(room, Record)
    assert [example.id for example in room.examples] == ["02"]
    assert [
        entry.reason.partition(";")[0] for entry in (first, key, seven) if isinstance(entry, Rejected)
    ] == [
        "faulty row: val_balanced_questions.json['01']: answer: expected `str`, got `null`",
        "faulty row: val_balanced_questions.json['a b']: the key may hold only A-Z a-z 0-9 _ and -",
        "faulty row: val_balanced_questions.json['04']: types: expected `object`, got `int`",
    ]


def test_faults(tmp_path: Path) -> None:
    write_json(tmp_path / "val_all_questions.json", {"05": question("9")})
    with pytest.raises(InputError, match=r"holds none of train_balanced_questions\.json, .*testdev_balanced"):
        list(read(tmp_path))
    rows = {"01": question("../1"), "02": question(answer=None), "03": question(types={"semantic": "rel"})}
    write_json(tmp_path / "val_balanced_questions.json", rows)
    with pytest.raises(InputError) as caught:
        list(read(tmp_path))
    message = str(caught.value)
    assert "val_balanced_questions.json['01']: imageId: expected `str` matching regex" in message
    assert "val_balanced_questions.json['02']: answer: expected `str`, got `null`" in message
    assert "val_balanced_questions.json['03']: types: has no 'structural'; an official row has" in message

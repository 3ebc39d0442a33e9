"""AVQA: four choices, the answer by its index, and which questions need the sound."""

from pathlib import Path
from typing import Any

import pytest
from corpora import rejected, touch, usable, write_json

from safe_data.core.errors import InputError
from safe_data.records import Audio
from safe_data.sources.avqa import read

BOAT = "-HG3Omg_89c_000030"


def question(number: int, name: str = BOAT, **fields: Any) -> dict[str, Any]:
    return {
        "id": number,
        "video_name": name,
        "video_id": 341,
        "question_text": "What happened in the video?",
        "multi_choice": ["motorboat", "Yacht consignment", "Sailboat set sail", "Consignment car"],
        "answer": 1,
        "question_relation": "Both",
        "question_type": "Happening",
        **fields,
    }


def test_all_questions_about_a_clip_are_one_record(tmp_path: Path) -> None:
    rows = [
        question(183),
        question(184, "-HIPq7T3eFI_000011"),
        question(185, question_relation="View", answer=3),
    ]
    write_json(tmp_path / "annotation/train_qa.json", rows)
    write_json(tmp_path / "val_qa.json", [question(7)])
    touch(tmp_path, f"video/{BOAT}.mp4", f"audio/{BOAT}.wav", "videos/-HIPq7T3eFI_000011.mkv")
    boat, other, val = usable(read(tmp_path))
    assert (boat.id, boat.split, boat.group) == (f"train-{BOAT}", "train", "-HG3Omg_89c")
    assert (boat.audio, boat.image) == (Audio(path=f"audio/{BOAT}.wav"), f"video/{BOAT}.mp4")
    heard, seen = boat.examples
    assert (heard.id, heard.references, heard.needs_audio) == ("train-183", ("Yacht consignment",), True)
    assert (seen.id, seen.references, seen.needs_audio) == ("train-185", ("Consignment car",), False)
    assert heard.choices == ("motorboat", "Yacht consignment", "Sailboat set sail", "Consignment car")
    assert heard.question_type == "Happening"
    assert boat.metadata["questions"] == {
        "train-183": {"question_relation": "Both"},
        "train-185": {"question_relation": "View"},
    }
    assert other.audio == Audio(path="videos/-HIPq7T3eFI_000011.mkv")
    assert (val.id, val.examples[0].id) == (f"val-{BOAT}", "val-7")


def test_a_null_choice_is_read_as_the_official_code_reads_it(tmp_path: Path) -> None:
    write_json(tmp_path / "val_qa.json", [question(1, multi_choice=["a", None, "b", "c"])])
    touch(tmp_path, f"video/{BOAT}.mp4")
    ((example,),) = [record.examples for record in usable(read(tmp_path))]
    assert (example.choices, example.references) == (("a", "null", "b", "c"), ("null",))


def test_a_video_is_needed(tmp_path: Path) -> None:
    write_json(tmp_path / "val_qa.json", [question(1)])
    touch(tmp_path, f"audio/{BOAT}.wav")
    (gone,) = rejected(read(tmp_path))
    assert (gone.id, gone.group) == (f"val-{BOAT}", "-HG3Omg_89c")
    assert gone.reason == f"no such file: {BOAT}.mp4 in video or videos"


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds none of train_qa\.json, val_qa\.json; get them from https"):
        list(read(tmp_path))
    rows = [question(1, answer=4), question(2, "no-onset"), question(3), question(3), {"id": 4}]
    write_json(tmp_path / "val_qa.json", rows)
    with pytest.raises(InputError) as caught:
        list(read(tmp_path))
    message = str(caught.value)
    assert "val_qa.json[0] 1: answer 4 is none of its 4 choices" in message
    assert "val_qa.json[1] 2: video_name: expected `str` matching regex" in message
    assert "val_qa.json[3] 3: id names one row each, and this one is taken by val_qa.json[2]" in message
    assert "val_qa.json[4] 4: has no 'video_name'; an official row has id, video_name" in message

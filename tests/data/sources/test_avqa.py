"""AVQA: four choices, the answer by its index, and which questions need the sound."""

from pathlib import Path
from typing import Any

import pytest
from corpora import rejected, touch, usable, write_json
from videos import video_bytes

from safe_data.core.errors import InputError
from safe_data.records import Audio, Record
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
    assert gone.path == f"video/{BOAT}.mp4"


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds none of train_qa\.json, val_qa\.json; get them from https"):
        list(read(tmp_path))
    rows = [question(1, answer=4), question(2, "no-onset"), question(3), question(3), {"id": 4}]
    lost = question(5, "-HIPq7T3eFI_000011", answer=9)
    write_json(tmp_path / "val_qa.json", [*rows, lost])
    touch(tmp_path, f"video/{BOAT}.mp4", "video/-HIPq7T3eFI_000011.mp4")
    entries = list(read(tmp_path))
    (boat,) = [entry for entry in entries if isinstance(entry, Record)]
    assert entries.index(boat) == 2
    assert [example.id for example in boat.examples] == ["val-3"]
    answer, name, again, short, nine = [entry.reason for entry in rejected(iter(entries))]
    assert answer == "faulty row: val_qa.json[0] 1: answer 4 is none of its 4 choices"
    assert name.startswith("faulty row: val_qa.json[1] 2: video_name: expected `str` matching regex")
    assert again.endswith("[3] 3: id names one row each, and this one is taken by val_qa.json[2]")
    assert short.startswith(
        "faulty row: val_qa.json[4] 4: has no 'video_name'; an official row has id, video"
    )
    assert nine == "faulty row: val_qa.json[5] 5: answer 9 is none of its 4 choices"


def test_answers_that_are_all_outside_the_choices_are_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "val_qa.json", [question(1, answer=4), question(2, answer=4)])
    with pytest.raises(InputError, match=r"val_qa\.json: each of its rows is faulty; .*\n.*answer 4 is none"):
        list(read(tmp_path))


def test_names_as_copies_of_vggsound_have_them(tmp_path: Path) -> None:
    write_json(tmp_path / "val_qa.json", [question(1), question(2, "-HIPq7T3eFI_000011")])
    touch(tmp_path, "video/boat/-HG3Omg_89c_30000_40000.mp4", "audio/-HG3Omg_89c_30.flac")
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos/-HIPq7T3eFI.mp4").write_bytes(video_bytes(picture=None, seconds=21, rate=8000))
    boat, whole = usable(read(tmp_path))
    assert (boat.audio, boat.image) == (
        Audio(path="audio/-HG3Omg_89c_30.flac"),
        "video/boat/-HG3Omg_89c_30000_40000.mp4",
    )
    part = Audio(path="videos/-HIPq7T3eFI.mp4", start_seconds=11, duration_seconds=10)
    assert (whole.audio, whole.image) == (part, "videos/-HIPq7T3eFI.mp4")

"""AVHBench: four tasks about a video, in one file or in a file a video."""

from pathlib import Path

import pytest
from corpora import rejected, touch, usable, write_json

from safe_data.core.errors import InputError
from safe_data.records import Audio, Record, Rejected
from safe_data.sources.avhbench import read

HEARD, SEEN = "Video-driven Audio Hallucination", "Audio-driven Video Hallucination"


def question(task: str = HEARD, label: str = "Yes", video: str = "00191") -> dict[str, str]:
    return {"video_id": video, "task": task, "text": "Is the man making sound in the audio?", "label": label}


def test_a_video_is_one_record_with_all_its_tasks(tmp_path: Path) -> None:
    rows = [
        question(),
        question(SEEN, "No"),
        question("AV Matching", video="00006"),
        question("AV Matching", "No"),
        question("AV Captioning", "A man snores."),
    ]
    write_json(tmp_path / "QA.json", rows)
    touch(tmp_path, "video/00191.mp4", "audio/00191.wav", "videos/00006.mp4")
    man, other = usable(read(tmp_path))
    assert (man.id, man.dataset, man.split, man.group) == ("00191", "avhbench", "test", "00191")
    assert (man.image, man.audio) == ("video/00191.mp4", Audio(path="audio/00191.wav"))
    assert [(e.id, e.task, e.question_type, e.references, e.needs_audio) for e in man.examples] == [
        ("00191-0", "vqa", HEARD, ("Yes",), True),
        ("00191-1", "vqa", SEEN, ("No",), False),
        ("00191-3", "vqa", "AV Matching", ("No",), True),
        ("00191-4", "caption", "AV Captioning", ("A man snores.",), True),
    ]
    assert other.audio == Audio(path="videos/00006.mp4")


def test_a_file_a_video_as_in_v0(tmp_path: Path) -> None:
    write_json(tmp_path / "json/00191.json", [question(video="00191_swap")])
    write_json(tmp_path / "json/00006.json", [question(video="00006"), question(SEEN, video="00006")])
    touch(tmp_path, "video/00191_swap.mp4", "video/00006.mp4")
    first, swapped = usable(read(tmp_path))
    assert [example.id for example in first.examples] == ["00006-0", "00006-1"]
    assert (swapped.id, swapped.group) == ("00191_swap", "00191")


def test_a_missing_video_is_rejected(tmp_path: Path) -> None:
    write_json(tmp_path / "QA.json", [question()])
    (gone,) = rejected(read(tmp_path))
    assert (gone.id, gone.reason) == ("00191", "no such file: 00191.mp4 in video or videos")
    assert gone.path == "video/00191.mp4"


def test_a_faulty_question_leaves_the_others_and_their_ids(tmp_path: Path) -> None:
    write_json(
        tmp_path / "QA.json", [question("AV Hallucination (Audio)"), question(label="Maybe"), question()]
    )
    touch(tmp_path, "video/00191.mp4")
    task, label, record = read(tmp_path)
    assert isinstance(record, Record)
    assert [example.id for example in record.examples] == ["00191-2"]
    assert [entry.reason.partition(";")[0] for entry in (task, label) if isinstance(entry, Rejected)] == [
        "faulty row: QA.json[0] '00191': task: invalid enum value 'AV Hallucination (Audio)'",
        f"faulty row: QA.json[1] '00191': label 'Maybe' of {HEARD}: write Yes or No",
    ]


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds none of QA\.json; get them from https://github\.com/kaist"):
        list(read(tmp_path))
    write_json(tmp_path / "QA.json", [question(video="../1")])
    with pytest.raises(InputError, match=r"QA\.json\[0\] '\.\./1': video_id: expected `str` matching regex"):
        list(read(tmp_path))

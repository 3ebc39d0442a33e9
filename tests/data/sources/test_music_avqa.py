"""MUSIC-AVQA: its spelling, templates, repeated ids and shared videos; and the real val and test splits."""

import gzip
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from corpora import real, rejected, touch, usable, write_json

from safe_data.core.errors import InputError
from safe_data.records import Audio, Rejected
from safe_data.sources.music_avqa import ANSWERS, fill, read


def question(number: int, video: str = "00000093", **fields: Any) -> dict[str, Any]:
    return {
        "video_id": video,
        "question_id": number,
        "type": '["Audio-Visual", "Existential"]',
        "question_content": "Is the <Object> on the <LR> louder than the <Object>? ",
        "templ_values": '["flute", "left", "piano"]',
        "question_deleted": 0,
        "anser": "yes",
        **fields,
    }


def test_a_video_of_a_split_is_one_record(tmp_path: Path) -> None:
    seen = {
        "type": '["Visual", "Counting"]',
        "question_content": "How many?",
        "templ_values": "[]",
        "anser": "two",
    }
    write_json(
        tmp_path / "json/avqa-val.json.gz", [question(5), question(6, "evv00000093"), question(7, **seen)]
    )
    write_json(tmp_path / "avqa-test.json", [question(8, type='["Audio", "Comparative"]')])
    touch(tmp_path, "video/00000093.mp4", "videos/evv00000093.mp4", "audio/00000093.wav")
    val, synthetic, test = usable(read(tmp_path))
    assert (val.id, val.split, val.group) == ("val-00000093", "val", "00000093")
    assert (val.audio, val.image) == (Audio(path="audio/00000093.wav"), "video/00000093.mp4")
    heard, counted = val.examples
    assert (heard.id, heard.prompt) == ("val-5", "Is the flute on the left louder than the piano?")
    assert (heard.references, heard.question_type, heard.needs_audio) == (
        ("yes",),
        "Audio-Visual/Existential",
        True,
    )
    assert (counted.question_type, counted.needs_audio) == ("Visual/Counting", False)
    assert heard.choices == ANSWERS
    assert (synthetic.id, synthetic.group, synthetic.audio) == (
        "val-evv00000093",
        "00000093",
        Audio(path="videos/evv00000093.mp4"),
    )
    assert (test.id, test.group) == ("test-00000093", "00000093")
    assert [(example.id, example.needs_audio) for example in test.examples] == [("test-8", True)]


def test_a_question_id_that_occurs_twice_is_two_examples(tmp_path: Path) -> None:
    rows = [question(5), question(6), question(5, anser="no"), question(5, "00000094")]
    write_json(tmp_path / "avqa-train.json", rows)
    touch(tmp_path, "video/00000093.mp4", "video/00000094.mp4")
    one, other = usable(read(tmp_path))
    assert [(example.id, *example.references) for example in one.examples] == [
        ("train-5", "yes"),
        ("train-6", "yes"),
        ("train-5-2", "no"),
    ]
    assert [example.id for example in other.examples] == ["train-5-3"]


def test_the_42_answers_are_told_apart() -> None:
    assert len(ANSWERS) == len(set(ANSWERS)) == 42


def test_templates_are_filled_in_order() -> None:
    assert fill("<LR> of <Object>?", ["left", "<LR>"]) == "left of <LR>?"
    assert (
        fill("How many sounding <Object> in the video？", ["tuba", "more"])
        == "How many sounding tuba in the video？"
    )


def test_a_missing_video_is_rejected(tmp_path: Path) -> None:
    write_json(tmp_path / "avqa-val.json", [question(5, "esa00000652")])
    (gone,) = rejected(read(tmp_path))
    assert (gone.id, gone.group) == ("val-esa00000652", "00000652")
    assert gone.reason == "no such file: esa00000652.mp4 in video or videos"
    assert gone.path == "video/esa00000652.mp4"


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"holds none of avqa-train\.json, avqa-val\.json, avqa-test\.json; get"
    ):
        list(read(tmp_path))
    spelled = {key: value for key, value in question(4).items() if key != "anser"} | {"answer": "yes"}
    rows = [question(1, templ_values='["flute"]'), question(2, type="Audio"), question(3, "../x"), spelled]
    write_json(tmp_path / "avqa-val.json", rows)
    with pytest.raises(
        InputError, match=r"avqa-val\.json: each of its rows is faulty; is it the official file"
    ):
        list(read(tmp_path))
    write_json(tmp_path / "avqa-val.json", [*rows, question(5)])
    touch(tmp_path, "MUSIC-AVQA-videos-Real/00000093.mp4")
    *faulty, good = read(tmp_path)
    values, kind, video, answer = [entry.reason for entry in faulty if isinstance(entry, Rejected)]
    place = "faulty row: avqa-val.json"
    assert values.startswith(f"{place}[0] 1: templ_values has 1 of the 3 values that 'Is the <Object>")
    assert kind.startswith(f"{place}[1] 2: type 'Audio' or templ_values")
    assert video.startswith(f"{place}[2] 3: video_id: expected `str` matching regex")
    assert answer.startswith(f"{place}[3] 4: has no 'anser'; an official row has video_id, question_id, type")
    assert (good.id, good.split) == ("val-00000093", "val")


@pytest.mark.parametrize("folder", ["", "video/", "videos/"])
def test_the_folders_of_the_official_archives(tmp_path: Path, folder: str) -> None:
    write_json(tmp_path / "avqa-val.json", [question(5), question(6, "va00000093")])
    names = [f"{folder}MUSIC-AVQA-videos-{kind}" for kind in ("Real", "Synthetic")]
    touch(tmp_path, f"{names[0]}/00000093.MP4", f"{names[1]}/va00000093.mp4")
    real, made = usable(read(tmp_path))
    assert (real.image, made.image) == (f"{names[0]}/00000093.MP4", f"{names[1]}/va00000093.mp4")


def test_the_real_val_and_test_splits(tmp_path: Path) -> None:
    given = {}
    for split in ("val", "test"):
        file = real(f"music_avqa/json_avqa-{split}.json.gz")
        (tmp_path / "json").mkdir(exist_ok=True)
        shutil.copy(file, tmp_path / "json" / f"avqa-{split}.json.gz")
        given[split] = json.loads(gzip.decompress(file.read_bytes()))
        touch(tmp_path, *(f"video/{row['video_id']}.mp4" for row in given[split]))
    videos = usable(read(tmp_path))
    assert Counter(video.split for video in videos) == {"val": 3815, "test": 6399}
    examples = [example for video in videos for example in video.examples]
    assert len(examples) == len({example.id for example in examples}) == 4595 + 9185
    repeated = Counter(example.id.split("-")[0] for example in examples if example.id.endswith("-2"))
    assert repeated == {"val": 27, "test": 55}
    assert {reference for example in examples for reference in example.references} == set(ANSWERS) - {"ten"}
    assert len({example.question_type for example in examples}) == 9
    assert not [example.prompt for example in examples if "<" in example.prompt]
    by_split = {split: {v.image for v in videos if v.split == split} for split in ("val", "test")}
    assert len(by_split["val"] & by_split["test"]) == 2296
    assert len(by_split["val"] | by_split["test"]) == 7918
    answers = Counter(row["anser"] for rows in given.values() for row in rows)
    assert Counter(example.references[0] for example in examples) == answers

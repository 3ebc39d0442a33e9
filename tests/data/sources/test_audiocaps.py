"""AudioCaps: captions grouped by clip, its file names, and the real val split."""

import csv
import shutil
from pathlib import Path

import pytest
from corpora import real, rejected, touch, usable, write_csv

from safe_data.core.errors import InputError
from safe_data.records import Audio
from safe_data.sources.audiocaps import read

HEADER = ["audiocap_id", "youtube_id", "start_time", "caption"]
DASH = "-_dash_-_id"


def test_five_captions_of_a_clip_are_one_record(tmp_path: Path) -> None:
    rows = [[number, "abcdefghijk", 30, f"caption {number}"] for number in range(5)]
    write_csv(tmp_path / "val.csv", HEADER, *rows[:2], [9, DASH, 0, 'A dog, "barking"'], *rows[2:])
    touch(tmp_path, "audio/val/abcdefghijk_30.wav", f"audio/{DASH}_0.flac")
    clip, other = usable(read(tmp_path))
    assert (clip.id, clip.dataset, clip.split, clip.group) == (
        "abcdefghijk_30",
        "audiocaps",
        "val",
        "abcdefghijk",
    )
    assert clip.audio == Audio(path="audio/val/abcdefghijk_30.wav")
    (example,) = clip.examples
    assert example.references == tuple(f"caption {number}" for number in range(5))
    assert (example.id, example.task, example.needs_audio) == ("abcdefghijk_30", "caption", True)
    assert clip.metadata == {"start_time": 30.0, "audiocap_ids": [0, 1, 2, 3, 4]}
    assert (other.id, other.group, other.examples[0].references) == (f"{DASH}_0", DASH, ('A dog, "barking"',))


@pytest.mark.parametrize(
    ("name", "audio", "image"),
    [
        ("audio/train/abcdefghijk_7.mp3", Audio(path="audio/train/abcdefghijk_7.mp3"), None),
        ("train/abcdefghijk_7.ogg", Audio(path="train/abcdefghijk_7.ogg"), None),
        ("audio/train/12.m4a", Audio(path="audio/train/12.m4a"), None),
        ("train/abcdefghijk_7.mp4", Audio(path="train/abcdefghijk_7.mp4"), "train/abcdefghijk_7.mp4"),
        (
            "video/abcdefghijk.webm",
            Audio(path="video/abcdefghijk.webm", start_seconds=7, duration_seconds=10),
            None,
        ),
    ],
)
def test_the_documented_names(tmp_path: Path, name: str, audio: Audio, image: str | None) -> None:
    write_csv(tmp_path / "train.csv", HEADER, [11, "abcdefghijk", 7, "a"], [12, "abcdefghijk", 7, "b"])
    touch(tmp_path, name)
    (clip,) = usable(read(tmp_path))
    assert (clip.audio, clip.image) == (audio, image)


def test_clips_of_one_video_stay_apart_and_a_missing_file_is_rejected(tmp_path: Path) -> None:
    rows = [[1, "abcdefghijk", "1.05", "a"], [2, "abcdefghijk", "10.5", "b"], [3, "abcdefghijk", "105", "c"]]
    write_csv(tmp_path / "test.csv", HEADER, *rows)
    touch(tmp_path, "audio/abcdefghijk_10.5.wav")
    entries = list(read(tmp_path))
    assert [entry.id for entry in entries] == ["abcdefghijk_1-05", "abcdefghijk_10-5", "abcdefghijk_105"]
    first, last = rejected(iter(entries))
    assert (first.group, first.split) == ("abcdefghijk", "test")
    assert last.reason == "no such file: abcdefghijk_105.wav in audio/test or test or audio"


def test_faulty_rows_of_all_splits_are_reported_together(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", HEADER, [1, "abcdefghijk", -3, "a"], [2, "short", 3, "a"])
    write_csv(tmp_path / "val.csv", HEADER, [3, "abcdefghijk", "nan", "a"], [4, "abc defghij", 3, "a"])
    with pytest.raises(InputError) as caught:
        list(read(tmp_path))
    message = str(caught.value)
    assert "4 rows cannot be read" in message
    assert "train.csv:2 '1': start_time: expected `float` >= 0.0; an official row has audiocap_id" in message
    assert "train.csv:3 '2': youtube_id: expected `str` matching regex" in message
    assert "val.csv:2 '3'" in message
    assert "val.csv:3 '4'" in message


def test_no_annotations(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"holds none of train\.csv, val\.csv, test\.csv; get them from https"
    ):
        list(read(tmp_path))


def test_the_real_val_split(tmp_path: Path) -> None:
    shutil.copy(real("audio/audiocaps_val.csv"), tmp_path / "val.csv")
    with (tmp_path / "val.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2475
    assert len(rejected(read(tmp_path))) == 495
    touch(tmp_path, *(f"audio/val/{row['youtube_id']}_{row['start_time']}.wav" for row in rows))
    clips = usable(read(tmp_path))
    assert len(clips) == len({clip.group for clip in clips}) == 495
    assert {len(clip.examples[0].references) for clip in clips} == {5}
    given = sorted((row["youtube_id"], row["caption"]) for row in rows)
    assert sorted((clip.group, text) for clip in clips for text in clip.examples[0].references) == given

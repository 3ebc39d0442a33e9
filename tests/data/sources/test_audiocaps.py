"""AudioCaps: captions grouped by clip, its file names, and the real val split."""

import csv
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from corpora import real, rejected, touch, usable, write_csv
from folders import sound_bytes
from videos import video_bytes

from safe_data.core.errors import InputError
from safe_data.records import Audio, Record, Rejected
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
    assert last.path == "audio/test/abcdefghijk_105.wav"


def test_a_faulty_row_is_rejected_in_its_place_and_the_others_are_clips(tmp_path: Path) -> None:
    other = "bbbbbbbbbbb"
    write_csv(
        tmp_path / "train.csv",
        HEADER,
        [1, "abcdefghijk", -3, "a"],
        [2, "abcdefghijk", 7, "a dog barks while"],
        ["a man speaks in the background", "", "", ""],
        ["and a car passes"],
        [3, "short", 3, "a"],
        [2, "abcdefghijk", 7, "again"],
        [4, other, 3, "a cat"],
        [5, other, 3, " "],
    )
    write_csv(tmp_path / "val.csv", HEADER, [3, "ccccccccccc", "nan", "a"], [4, "ccccccccccc", 3, "a"])
    touch(tmp_path, "audio/train/abcdefghijk_7.wav", f"audio/{other}_3.wav", "audio/val/ccccccccccc_3.wav")
    entries = list(read(tmp_path))
    assert [(entry.split, entry.id) for entry in entries if isinstance(entry, Record)] == [
        ("train", "abcdefghijk_7"),
        ("train", f"{other}_3"),
        ("val", "ccccccccccc_3"),
    ]
    official = "an official row has audiocap_id, youtube_id, start_time, caption"
    reasons = [entry.reason for entry in rejected(iter(entries))]
    assert reasons == [
        f"faulty row: train.csv:2 '1': start_time: expected `float` >= 0.0; {official}",
        "faulty row: train.csv:4 'a man speaks in the background': audiocap_id: expected `int`, got `str`; "
        + official,
        f"faulty row: train.csv:5 'and a car passes': audiocap_id: expected `int`, got `str`; {official}",
        "faulty row: train.csv:6 '3': youtube_id: expected `str` matching regex "
        rf"'\\A[A-Za-z0-9_-]{{11}}\\Z'; {official}",
        "faulty row: train.csv:7 '2': audiocap_id names one row each, and this one is taken by train.csv:3",
        f"faulty row: train.csv:9 '5': caption: expected `str` that is not blank; {official}",
        f"faulty row: val.csv:2 '3': start_time: expected `float` >= 0.0; {official}",
    ]
    assert [entry.split for entry in rejected(iter(entries))] == ["train"] * 6 + ["val"]
    assert len({entry.id for entry in entries}) == len(entries)
    assert isinstance(entries[0], Rejected)


def test_a_file_of_faulty_rows_is_refused(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", HEADER, [1, "abcdefghijk", 3, "a"])
    write_csv(tmp_path / "val.csv", HEADER, ["x", "abcdefghijk", 3, "a"])
    with pytest.raises(InputError, match=r"val\.csv: each of its rows is faulty; is it the official file\?"):
        list(read(tmp_path))


def clip_of(root: Path) -> tuple[Audio | None, str | None]:
    (clip,) = usable(read(root))
    return clip.audio, clip.image


@pytest.mark.parametrize(
    "name",
    [
        *(
            "audio/train/Yabcdefghijk_7.wav",
            "audio/Yabcdefghijk_7_17.caf",
            "audio/abcdefghijk_7000_17000.wav",
        ),
        *("audio/Yabcdefghijk_7.000_17.000.WAV", "audio/part_00/Yabcdefghijk.wav", "train/abcdefghijk.wav"),
    ],
)
def test_names_as_downloaders_of_audioset_write_them(tmp_path: Path, name: str) -> None:
    write_csv(tmp_path / "train.csv", HEADER, [11, "abcdefghijk", 7, "a"])
    path = tmp_path / name
    path.parent.mkdir(parents=True)
    path.write_bytes(sound_bytes(np.zeros(10 * 800), rate=800))
    assert clip_of(tmp_path) == (Audio(path=name), None)


def test_whole_videos_and_sounds_are_known_by_their_length(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", HEADER, [11, "abcdefghijk", 7, "a"])
    (tmp_path / "audio").mkdir()
    (tmp_path / "audio/abcdefghijk.wav").write_bytes(sound_bytes(np.zeros(40 * 800), rate=800))
    assert clip_of(tmp_path) == (
        Audio(path="audio/abcdefghijk.wav", start_seconds=7, duration_seconds=10),
        None,
    )
    (tmp_path / "audio/abcdefghijk_7.wav").touch()
    assert clip_of(tmp_path) == (Audio(path="audio/abcdefghijk_7.wav"), None)


def test_a_cut_video_is_not_cut_again(tmp_path: Path) -> None:
    write_csv(tmp_path / "train.csv", HEADER, [11, "abcdefghijk", 7, "a"])
    (tmp_path / "video").mkdir()
    (tmp_path / "video/abcdefghijk.mp4").write_bytes(video_bytes(picture=None, seconds=10, rate=8000))
    assert clip_of(tmp_path) == (Audio(path="video/abcdefghijk.mp4"), "video/abcdefghijk.mp4")


def test_each_folder_is_listed_once_for_clips_and_captions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, split in enumerate(("train", "val")):
        write_csv(tmp_path / f"{split}.csv", HEADER, [number, f"abcdefghij{number}", 7, "a"])
    touch(tmp_path, "audio/train/abcdefghij0_7.wav", "audio/1.wav", "val/x.wav", "video/y.mp4")
    scanned = []
    scan = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: (scanned.append(str(path)), scan(path))[1])
    assert len(usable(read(tmp_path))) == 2
    # with_subfolders looks for folders below these two, and only there.
    for folder, times in {"audio": 2, "audio/train": 2, "val": 1, "video": 2}.items():
        assert scanned.count(str(tmp_path / folder)) == times


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

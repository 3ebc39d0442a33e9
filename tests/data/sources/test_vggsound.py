"""VGGSound: a csv without header, labels with commas, clips named by start."""

from pathlib import Path

import numpy as np
import pytest
from corpora import rejected, touch, usable, write_csv
from folders import sound_bytes

from safe_data.core.errors import InputError
from safe_data.records import Audio, Record, Rejected
from safe_data.sources.vggsound import read

BIRD, ORGAN = "--0PQM4-hqg", "_lLQrEijrKg"


def test_a_clip_is_to_be_classified(tmp_path: Path) -> None:
    write_csv(
        tmp_path / "vggsound.csv",
        [BIRD, 30, "bird chirping, tweeting", "train"],
        [ORGAN, 300, "playing hammond organ", "test"],
    )
    touch(tmp_path, f"video/{BIRD}_000030.mp4", f"test/{ORGAN}_300.mkv", f"audio/{ORGAN}_000300.wav")
    bird, organ = usable(read(tmp_path))
    assert (bird.id, bird.split, bird.group, bird.label) == (
        f"{BIRD}_30",
        "train",
        BIRD,
        "bird chirping, tweeting",
    )
    assert (bird.audio, bird.image) == (Audio(path=f"video/{BIRD}_000030.mp4"), f"video/{BIRD}_000030.mp4")
    (example,) = bird.examples
    assert (example.task, example.references) == ("classify", ("bird chirping, tweeting",))
    assert (example.choices, example.needs_audio, example.question_type) == (None, True, "sound")
    assert (organ.split, organ.audio, organ.image) == (
        "test",
        Audio(path=f"audio/{ORGAN}_000300.wav"),
        f"test/{ORGAN}_300.mkv",
    )


def test_sound_alone_is_enough_and_a_missing_clip_is_rejected(tmp_path: Path) -> None:
    write_csv(tmp_path / "vggsound.csv", [BIRD, 30, "bird", "train"], [BIRD, 40, "bird", "train"])
    touch(tmp_path, f"audio/{BIRD}_000030.flac")
    clip, missing = read(tmp_path)
    assert (clip.id, getattr(clip, "image", "")) == (f"{BIRD}_30", None)
    assert (missing.id, missing.group) == (f"{BIRD}_40", BIRD)
    (gone,) = rejected(read(tmp_path))
    assert gone.reason == f"no such file: {BIRD}_000040.wav in audio or video or train or test"
    assert gone.path == f"audio/{BIRD}_000040.wav"


MIRROR = "scratch/shared/beegfs/hchen/train_data/VGGSound_final/video"


@pytest.mark.parametrize(
    "name",
    [
        *(f"video/{BIRD}_000030.mp4", f"video/{BIRD}_30000_40000.webm", f"train/Y{BIRD}_30.000_40.000.MP4"),
        *(f"video/bird chirping, tweeting/{BIRD}_000030.mp4", f"clips/train/bird/{BIRD}_30.mkv"),
        *(f"{MIRROR}/{BIRD}_000030.mp4", f"vggsound_03/{MIRROR}/{BIRD}_000030.mp4"),
    ],
)
def test_names_and_folders_as_copies_have_them(tmp_path: Path, name: str) -> None:
    write_csv(tmp_path / "vggsound.csv", [BIRD, 30, "bird", "train"])
    touch(tmp_path, name)
    (bird,) = usable(read(tmp_path))
    assert (bird.audio, bird.image) == (Audio(path=name), name)


def test_a_whole_video_serves_two_clips_but_one_clip_does_not(tmp_path: Path) -> None:
    write_csv(
        tmp_path / "vggsound.csv",
        [BIRD, 30, "bird", "train"],
        [BIRD, 5, "bird", "test"],
        [ORGAN, 30, "organ", "train"],
        [ORGAN, 40, "organ", "train"],
    )
    (tmp_path / "video").mkdir()
    (tmp_path / f"video/{BIRD}.mp4").write_bytes(sound_bytes(np.zeros(41 * 800), rate=800))
    (tmp_path / f"video/{ORGAN}.mp4").write_bytes(sound_bytes(np.zeros(10 * 800), rate=800))
    late, early, *organs = read(tmp_path)
    for record, start in ((late, 30), (early, 5)):
        assert isinstance(record, Record)
        assert record.audio == Audio(path=f"video/{BIRD}.mp4", start_seconds=start, duration_seconds=10)
        assert record.image == f"video/{BIRD}.mp4"
    assert [entry.reason for entry in organs if isinstance(entry, Rejected)] == [
        f"ambiguous name: video/{ORGAN}.mp4 may be another clip of its video; name the clip {ORGAN}_{start}"
        for start in (30, 40)
    ]


def test_faults(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"holds none of vggsound\.csv; get them from https://github\.com/hche11"
    ):
        list(read(tmp_path))
    write_csv(
        tmp_path / "vggsound.csv",
        [BIRD, "x", "bird", "train"],
        [ORGAN, 3, "organ", "val"],
        [ORGAN, 3, "a", "b", "c"],
    )
    with pytest.raises(InputError) as caught:
        list(read(tmp_path))
    message = str(caught.value)
    assert f"vggsound.csv:1 '{BIRD}': start_seconds: expected `int`, got `str`" in message
    assert f"vggsound.csv:2 '{ORGAN}': split: invalid enum value 'val'" in message
    assert f"vggsound.csv:3 '{ORGAN}': more cells than columns; quote cells with commas" in message


def test_a_faulty_row_is_of_the_split_it_states_or_else_of_the_nearest(tmp_path: Path) -> None:
    write_csv(
        tmp_path / "vggsound.csv",
        ["x", 1, "a", "test"],
        [BIRD, 30, "bird", "train"],
        [ORGAN, 3, "organ", "val"],
        [BIRD, 30, "bird again", "train"],
        [ORGAN, "y", "organ", "test"],
    )
    touch(tmp_path, f"video/{BIRD}_30.mp4")
    first, bird, val, again, last = read(tmp_path)
    assert isinstance(bird, Record)
    assert {entry.split for entry in (first, val, again, last)} == {"train"}
    assert isinstance(again, Rejected)
    assert again.reason == (
        f"faulty row: vggsound.csv:4 '{BIRD}': a row lists one clip, and this one is on vggsound.csv:2"
    )
    with (tmp_path / "vggsound.csv").open("a") as file:
        file.write(f"{ORGAN},3,organ,test\n")
    assert [entry.split for entry in read(tmp_path)] == ["test", "train", "train", "train", "test", "test"]

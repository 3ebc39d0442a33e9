"""VGGSound: a csv without header, labels with commas, clips named by start."""

from pathlib import Path

import pytest
from corpora import rejected, touch, usable, write_csv

from safe_data.core.errors import InputError
from safe_data.records import Audio
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
    assert gone.reason.startswith(f"no such file: {BIRD}_000040.wav in audio or video or train or test")


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

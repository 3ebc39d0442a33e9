"""A name means one clip or none; a name without a start is told by the length of its file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from corpora import touch
from folders import sound_bytes
from hypothesis import given
from hypothesis import strategies as st

from safe_data.media.paths import LinkedRoot, MediaRoot, media_root
from safe_data.records import Audio
from safe_data.sources.clip_files import (
    MOST_SUBFOLDERS,
    Clip,
    ClipFiles,
    Part,
    clip_files,
    clip_media,
    meaning_of,
    several_clips,
    with_subfolders,
)
from safe_data.sources.media_files import SOUNDS, VIDEOS, list_media

ID = "-a_b-c_d-30"
OTHER = "_30_40_50_6"


def files(root: MediaRoot, *folders: str) -> ClipFiles:
    below = root.path if isinstance(root, LinkedRoot) else root
    return clip_files(root, list_media(below, folders or ("audio",), SOUNDS + VIDEOS), 10.0)


def clip(start: float = 30, youtube_id: str = ID, *, only: bool = True) -> Clip:
    return Clip(youtube_id, start, 10.0, only)


def write_sound(root: Path, name: str, seconds: float) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sound_bytes(np.zeros(round(seconds * 1000)), rate=1000))


@pytest.mark.parametrize(
    ("name", "start"),
    [
        *[("{}_30", 30), ("{}_000030", 30), ("{}_30.000", 30), ("{}_30.5", 30.5), ("{}_1.05", 1.05)],
        *[("{}_30_40", 30), ("{}_30.000_40.000", 30), ("{}_30.05_40.05", 30.05), ("{}_0_8", 0)],
        *[("{}_30000_40000", 30), ("{}_1050_11050", 1.05), ("{}_0_8000", 0), ("{}_000030000_000040000", 30)],
        *[("{}", None)],
    ],
)
@pytest.mark.parametrize("youtube_id", [ID, OTHER, "Y1234567890", "12345678901"])
@pytest.mark.parametrize("prefix", ["", "Y"])
def test_a_name_means_a_clip(name: str, start: float | None, youtube_id: str, prefix: str) -> None:
    found = meaning_of(prefix + name.format(youtube_id), 10.0)
    assert found is not None
    assert found[:2] == (youtube_id, start)


@pytest.mark.parametrize(
    "name",
    [
        *("{}_", "{}_x", "{}_-30", "{}-30", "{}_30_", "{}_30_30", "{}_40_30", "{}_30_50", "{}_30_40_50"),
        *("{}_3e1", "{}_30000_30500", "{}_30000_40001", "{}_30.0_10030.0", "{}_٣٠", "{}_30 ", "YY{}", "{}.1"),
        *("{}_1234567890", "y{}", "x{}_30"),
    ],
)
def test_another_name_means_none(name: str) -> None:
    assert meaning_of(name.format(ID), 10.0) is None


starts = st.one_of(st.integers(0, 99_999), st.integers(0, 9_999_999).map(lambda number: number / 1000))
ids = st.text("aY0_-", min_size=11, max_size=11)
spellings: list[Callable[[float], str]] = [
    lambda start: f"{start:.3f}",
    lambda start: f"{start:.3f}_{start + 10:.3f}",
    lambda start: f"{round(start * 1000)}_{round(start * 1000) + 10_000}",
    lambda start: f"{start:010.3f}",
]


@given(ids, starts, st.sampled_from(spellings), st.sampled_from(["", "Y"]))
def test_every_spelling_of_a_clip_means_that_clip(
    youtube_id: str, start: float, spell: Callable[[float], str], prefix: str
) -> None:
    found = meaning_of(f"{prefix}{youtube_id}_{spell(start)}", 10.0)
    assert found is not None
    assert found[:2] == (youtube_id, start)


def test_the_first_folder_and_then_the_plainest_name_is_preferred(tmp_path: Path) -> None:
    names = [f"b/{ID}_30.wav", f"a/Y{ID}_30_40.wav", f"a/{ID}_30000_40000.wav", f"a/{ID}_30_40.flac"]
    touch(tmp_path, *names)
    expected = [f"a/{ID}_30_40.flac", f"a/Y{ID}_30_40.wav", f"a/{ID}_30000_40000.wav", f"b/{ID}_30.wav"]
    for path in expected:
        assert files(tmp_path, "a", "b").find(clip()) == Part(path, Audio(path=path))
        (tmp_path / path).unlink()
    assert files(tmp_path, "a", "b").find(clip()) is None


@pytest.mark.parametrize(
    ("seconds", "start", "only", "expected"),
    [
        (10, 30, True, "clip"),
        (10.9, 30, True, "clip"),
        (4, 30, True, "clip"),
        (10, 30, False, "audio/{}.wav may be another clip of its video; name the clip {}_30"),
        (200, 30, True, "part"),
        (200, 30, False, "part"),
        (39.2, 30, True, "part"),
        (38, 30, True, "lasts 38 s, neither as long as the clip nor up to its end"),
        (12, 5, True, "lasts 12 s, neither as long as the clip nor up to its end"),
        (10.5, 0, True, "clip"),
        (11.5, 0, True, "part"),
        (10, 0.5, True, "clip"),
        (10.6, 0.6, True, "lasts 10.6 s, as the clip does, and the video up to its end"),
    ],
)
def test_a_name_without_a_start_is_told_by_the_length(
    tmp_path: Path, seconds: float, start: float, only: bool, expected: str
) -> None:
    path = f"audio/{ID}.wav"
    write_sound(tmp_path, path, seconds)
    found = files(tmp_path).find(clip(start, only=only))
    if expected == "clip":
        assert found == Part(path, Audio(path=path))
    elif expected == "part":
        assert found == Part(path, Audio(path=path, start_seconds=start, duration_seconds=10))
    else:
        assert isinstance(found, str)
        assert found.startswith("ambiguous name: ")
        assert expected.format(ID, ID) in found


def test_a_file_that_does_not_say_its_length_is_no_clip(tmp_path: Path) -> None:
    (tmp_path / "audio").mkdir()
    (tmp_path / f"audio/{ID}.wav").write_text("<html>404</html>")
    assert files(tmp_path).find(clip()) == (
        f"ambiguous name: audio/{ID}.wav does not say how long it is (undecodable sound: Format not "
        f"recognised); name the clip {ID}_30"
    )


def test_a_linked_file_is_measured_where_links_are_trusted_and_else_left_to_the_build(tmp_path: Path) -> None:
    write_sound(tmp_path, "elsewhere/a.wav", 200)
    root = tmp_path / "root"
    (root / "audio").mkdir(parents=True)
    (root / f"audio/{ID}.wav").symlink_to(tmp_path / "elsewhere/a.wav")
    trusted, untrusted = (
        files(media_root(root, tmp_path / "elsewhere")).find(clip()),
        files(root).find(clip()),
    )
    assert isinstance(trusted, Part)
    assert trusted.audio.start_seconds == 30
    assert isinstance(untrusted, Part)  # the build says which option would allow it


def test_sound_and_picture_are_on_one_clock(tmp_path: Path) -> None:
    write_sound(tmp_path, f"video/{ID}.mp4", 100)
    write_sound(tmp_path, f"audio/{ID}_30.wav", 10)
    sounds, videos = files(tmp_path, "audio", "video"), files(tmp_path, "video")
    sound, video, _ = clip_media(sounds, videos, clip())
    assert sound == video == videos.find(clip())
    write_sound(tmp_path, f"video/{ID}_000030.mp4", 10)
    sounds, videos = files(tmp_path, "audio", "video"), files(tmp_path, "video")
    sound, video, _ = clip_media(sounds, videos, clip())
    assert (sound, video) == (sounds.find(clip()), videos.find(clip()))
    assert sound is not None
    assert sound.path == f"audio/{ID}_30.wav"


def test_videos_with_several_clips() -> None:
    assert several_clips([("a", 1), ("b", 2), ("a", 1.0), ("b", 3), ("c", 1)]) == {"b"}


def test_subfolders_are_read_in_order_but_not_those_of_frames(tmp_path: Path) -> None:
    touch(tmp_path, "video/b/x.mp4", "video/a/train/x.mp4", "video/a/train/deep/x.mp4")
    (tmp_path / "video" / "\udcff").mkdir()
    assert with_subfolders(tmp_path, ("video", "none"), 2) == [
        *("video", "video/a", "video/a/train", "video/b", "none")
    ]
    for number in range(MOST_SUBFOLDERS):
        (tmp_path / "video" / "b" / str(number)).mkdir()
    assert with_subfolders(tmp_path, ("video",), 1) == ["video", "video/a", "video/b"]
    assert len(with_subfolders(tmp_path, ("video",), 2)) == 4 + MOST_SUBFOLDERS
    (tmp_path / "video" / "b" / "one more").mkdir()
    assert len(with_subfolders(tmp_path, ("video",), 2)) == 4

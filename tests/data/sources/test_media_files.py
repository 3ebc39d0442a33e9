"""Media are found by name, or the reason is given; ids are made from names."""

from pathlib import Path

import pytest
from corpora import touch
from hypothesis import given
from hypothesis import strategies as st

from safe_data.records import ID_PATTERN
from safe_data.sources.ids import clip_id, id_of
from safe_data.sources.media_files import SOUNDS, VIDEOS, is_video, list_media

names = st.text(min_size=1, max_size=80)
starts = st.floats(min_value=0, max_value=1e6, allow_subnormal=False)


def test_earlier_folders_and_suffixes_win_however_the_folder_is_listed(tmp_path: Path) -> None:
    touch(
        tmp_path, "b/x.wav", "a/x.mp3", "a/x.FLAC", "a/x.txt", "a/y.1.ogg", "b/z.mp4", "a/wav", "a/sub/s.wav"
    )
    (tmp_path / "a" / "d.wav").mkdir()
    media = list_media(tmp_path, ("a", "b", "nowhere"), SOUNDS + VIDEOS)
    assert media.paths == {"x": "a/x.FLAC", "y.1": "a/y.1.ogg", "z": "b/z.mp4"}
    assert media.find("nothing", "z", "x") == "b/z.mp4"
    assert media.find("d") is None
    assert media.missing("d") == "no such file: d.wav in a or b or nowhere"


def test_a_name_from_an_annotation_cannot_leave_the_root(tmp_path: Path) -> None:
    touch(tmp_path, "secret.wav", "root/a/x.wav")
    media = list_media(tmp_path / "root", ("a",), SOUNDS)
    assert media.find("../../secret", str(tmp_path / "secret"), "..") is None


@pytest.mark.parametrize(("path", "expected"), [("a/b.mp4", True), ("a/b.MKV", True), ("a/mp4.wav", False)])
def test_videos_are_known_by_suffix(path: str, expected: bool) -> None:
    assert is_video(path) is expected


@given(names)
def test_any_name_has_an_id(name: str) -> None:
    assert ID_PATTERN.fullmatch(id_of(name))
    assert len(id_of(name)) <= 73


@given(st.lists(names, unique=True, min_size=2, max_size=20))
def test_no_two_names_share_an_id(some: list[str]) -> None:
    assert len({id_of(name) for name in some}) == len(some)


def test_names_that_differ_in_signs_alone_have_ids_that_differ() -> None:
    assert len({id_of(name) for name in ("a b", "a.b", "a_b", "a-b", "a  b", "A b", "a b ")}) == 7
    assert id_of("a b").startswith("a-b-")


@given(st.sampled_from(["dQw4w9WgXcQ", "_dQw4w9WgXc", "-_-_-_-_-_1"]), starts, starts)
def test_two_clips_of_a_video_never_share_an_id(name: str, one: float, other: float) -> None:
    assert ID_PATTERN.fullmatch(clip_id(name, one))
    assert (clip_id(name, one) == clip_id(name, other)) == (one == other)


def test_the_start_is_legible() -> None:
    assert [clip_id("v", start) for start in (0, 30, 30.0, 1.05, 10.5, 100.0)] == [
        *("v_0", "v_30", "v_30", "v_1-05", "v_10-5", "v_100")
    ]

"""A video gives the picture shown at a given time, wherever its key frames are."""

from typing import Any

import numpy as np
import pytest
from effort import Counting, seconds_of
from videos import FPS, SIDE, number_on, video_bytes

from safe_data.core.errors import MediaError
from safe_data.media.video_frames import video_frames

CODECS = [
    ("mp4", "libx264"),
    ("matroska", "libx264"),
    ("webm", "libvpx"),
    ("webm", "libvpx-vp9"),
    ("mp4", "mpeg4"),
]


def numbers(data: bytes, *arguments: Any) -> list[int]:
    return [number_on(picture) for picture in video_frames(data, *arguments)]


@pytest.mark.parametrize(("kind", "codec"), CODECS)
def test_it_is_the_frame_in_the_middle(kind: str, codec: str) -> None:
    data = video_bytes(kind, codec, None, seconds=8)
    assert numbers(data) == [4 * FPS]
    assert numbers(data, 1, 5.0) == [int(6.5 * FPS)]
    assert numbers(data, 1, 1.0, 0.5) == [int(1.25 * FPS)]
    assert numbers(data, 1, 7.0, 100.0) == [int(7.5 * FPS)]
    assert numbers(data, 4) == [1 * FPS, 3 * FPS, 5 * FPS, 7 * FPS]
    assert numbers(data, 3, 2.0, 3.0) == [int(2.5 * FPS), int(3.5 * FPS), int(4.5 * FPS)]
    assert numbers(data, 2, 1.0, 1 / FPS) == [FPS, FPS]


@pytest.mark.parametrize("every", [1, 10, 1000])
def test_it_does_not_matter_where_the_key_frames_are(every: int) -> None:
    data = video_bytes("mp4", "libx264", "aac", seconds=6, key_frame_every=every)
    assert numbers(data, 6) == [int((part + 0.5) * FPS) for part in range(6)]


def test_frames_after_one_key_frame_are_decoded_once() -> None:
    data = video_bytes("mp4", "libx264", None, seconds=20, key_frame_every=1000)
    assert seconds_of(video_frames, data, 16) < 4 * seconds_of(video_frames, data, 1, 18.0)


def test_what_comes_before_the_key_frame_is_not_read() -> None:
    data = video_bytes("mp4", "libx264", "aac", seconds=30, key_frame_every=25)
    counting = Counting(data)
    assert number_on(video_frames(counting, 1, 20.0, 1.0)[0]) == int(20.5 * FPS)
    assert counting.bytes_read < 0.6 * len(data)


@pytest.mark.parametrize(("turn", "edge"), [(0, "top"), (90, "left"), (-90, "right"), (180, "bottom")])
def test_a_video_that_was_taken_sideways_is_turned_upright(turn: int, edge: str) -> None:
    def bright_above(_: int) -> np.ndarray:
        picture = np.zeros((32, 64, 3), np.uint8)
        picture[:16] = 255
        return picture

    data = video_bytes(
        sound=None, seconds=0.5, draw=bright_above, prepare=lambda shown: shown.set_display_rotation(turn)
    )
    picture = video_frames(data)[0]
    assert picture.size == ((64, 32) if turn in (0, 180) else (32, 64))
    grey = np.asarray(picture.convert("L"), float)
    means = {"top": grey[:8], "bottom": grey[-8:], "left": grey[:, :8], "right": grey[:, -8:]}
    assert max(means, key=lambda side: means[side].mean()) == edge


@pytest.mark.parametrize("tagged", [True, False])
@pytest.mark.parametrize("height", [240, 720])
def test_colours_equal_the_filmed_ones(height: int, tagged: bool) -> None:
    colour = (200, 40, 90)
    bt709, smpte170m = 1, 6
    space = bt709 if height == 720 else smpte170m

    def tag(shown: Any) -> None:
        shown.codec_context.colorspace = space
        shown.codec_context.color_range = 1

    data = video_bytes(
        sound=None,
        seconds=0.2,
        draw=lambda _: np.full((height, 64, 3), colour, np.uint8),
        prepare=tag if tagged else lambda _: None,
        matrix=space,
    )
    picture = video_frames(data)[0]
    assert np.abs(np.subtract(picture.getpixel((30, 100)), colour)).max() <= 3


def test_pictures_and_sound_are_on_one_clock() -> None:
    data = video_bytes("mp4", "libx264", "flac", seconds=4, sound_delay_seconds=0.5)
    assert numbers(data, 1, 1.0, 2.0) == [2 * FPS]


def test_two_calls_see_the_same() -> None:
    data = video_bytes(sound=None)
    first, second = (video_frames(data, 3) for _ in range(2))
    assert [picture.tobytes() for picture in first] == [picture.tobytes() for picture in second]
    assert first[0].size == (SIDE, SIDE)


def test_a_sound_shows_nothing() -> None:
    with pytest.raises(MediaError, match=r"^no picture: only a sound$"):
        video_frames(video_bytes("ipod", None, "aac", seconds=0.5))
    with pytest.raises(MediaError, match=r"^not a video: a sound \(WAV\)$"):
        video_frames(b"RIFF....WAVE")


def test_a_clip_after_the_end_is_refused() -> None:
    with pytest.raises(MediaError, match=r"^empty clip: it starts at 2 s, the video ends at 2 s$"):
        video_frames(video_bytes(), 1, 2.0)


def test_a_picture_too_large_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safe_data.media.picture_head.MAX_PIXELS", SIDE * SIDE - 1)
    with pytest.raises(MediaError, match=r"^picture too large: 60×60 of 3599 pixels$"):
        video_frames(video_bytes(seconds=0.2))


def test_an_endless_wait_for_a_key_frame_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safe_data.media.video_frames.MAX_FRAMES", 20)
    with pytest.raises(MediaError, match=r"^undecodable video: no key frame in 20 frames$"):
        video_frames(video_bytes(seconds=3, key_frame_every=1000))


def refused(data: bytes) -> str:
    try:
        video_frames(data, 1, 0.9, 0.04)
    except MediaError as error:
        return str(error)
    return ""


def test_damage_before_the_shown_frame_is_not_concealed() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)
    data = video_bytes("mp4", "libx264", None, seconds=1, draw=lambda number: np.roll(noise, 5 * number, 0))
    assert refused(data) == ""
    places = range(len(data) // 4, len(data) // 2, len(data) // 40)
    reasons = [refused(data[:place] + bytes(20) + data[place + 20 :]) for place in places]
    assert {reason.partition("; the decoder said: ")[0] for reason in reasons} - {""} <= {
        "damaged video: a damaged frame",
        "undecodable video: invalid data found when processing input",
    }
    assert reasons.count("") < len(reasons) / 2  # H.264 has no checksums

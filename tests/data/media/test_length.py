"""The length of a file by its header, and no guess where it does not say."""

from pathlib import Path

import numpy as np
import pytest
from folders import sound_bytes
from videos import video_bytes

from safe_data.core.errors import MediaError
from safe_data.media.length import length_seconds


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "AIFF", "CAF", "AU", "W64", "RF64"])
def test_sounds(tmp_path: Path, kind: str) -> None:
    (tmp_path / "a").write_bytes(sound_bytes(np.zeros(12_000), kind=kind))
    assert length_seconds(tmp_path, "a") == pytest.approx(1.5, abs=0.1)


@pytest.mark.parametrize("size", [0, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_wav_from_a_pipe_is_as_long_as_its_file(tmp_path: Path, size: int) -> None:
    data = bytearray(sound_bytes(np.zeros(12_000)))
    data[4:8] = data[40:44] = size.to_bytes(4, "little")
    (tmp_path / "a").write_bytes(data)
    assert length_seconds(tmp_path, "a") == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize(("kind", "sound"), [("mp4", "aac"), ("matroska", "libopus")])
def test_videos(tmp_path: Path, kind: str, sound: str) -> None:
    (tmp_path / "a").write_bytes(video_bytes(kind, None, sound, seconds=1.5, rate=48_000))
    assert length_seconds(tmp_path, "a") == pytest.approx(1.5, abs=0.1)


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("no sound")
    with pytest.raises(MediaError, match="undecodable sound: Format not recognised"):
        length_seconds(tmp_path, "a")
    with pytest.raises(MediaError, match="no such file: b"):
        length_seconds(tmp_path, "b")
    (tmp_path / "c").write_bytes(video_bytes()[:500])
    with pytest.raises(MediaError, match="undecodable video"):
        length_seconds(tmp_path, "c")

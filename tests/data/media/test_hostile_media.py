"""Hostile media are refused with a reason, in a process with little memory, and crash nothing."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from effort import STATUS
from folders import picture_bytes, sound_bytes
from hostile import ROOM_BYTES, hostile_files

from safe_data.core.errors import MediaError
from safe_data.media.decode import decode_audio
from safe_data.media.picture import decode_image
from safe_data.media.video_frames import video_frames

SCRIPT = Path(__file__).parents[1] / "hostile.py"
needs_proc = pytest.mark.skipif(not STATUS.exists(), reason="memory is measured through /proc")

REASONS = {
    "wav": ("sound", "truncated sound: the header promises 4026531840 bytes, 16000 are there"),
    "wav-no-channels": ("sound", "damaged sound: its header says 2 bytes for 0 samples of 16 bits"),
    "wav-many-channels": ("sound", "absurd number of channels: 1024|undecodable sound: "),
    "flac": ("sound", r"truncated sound: the header promises 68719476735 frames, 8000 are there"),
    "ogg": ("sound", "decoded|sound too long: |truncated sound: "),  # libsndfile believes in no such time
    "mp3": ("sound", "decoded"),  # a checksum tells what the header said
    "mp4-index": ("video", "truncated video: a sample ends at byte |damaged video: "),
    "mp4-hours": ("sound", r"damaged video: the header promises .* s, its samples last .* s"),
    "mkv-hours": ("video", "damaged video: a wrong checksum at byte "),
    "mp4-moov": ("sound", "damaged video: "),
    "text": ("sound", "not a sound: a text file"),
    "playlist": ("sound", "not a sound: a playlist"),
    "png": ("picture", "picture too large: 60000×60000 of 33554432 pixels"),
    "png-large": ("picture", "picture too large: "),
    "png-text": ("picture", "undecodable picture: "),
    "jpeg": ("picture", "picture too large: "),
}


def run(folder: Path) -> list[dict[str, Any]]:
    """The output of the script, one dict per file; a crash or an error other than MediaError fails."""
    ran = subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return [json.loads(line) for line in ran.stdout.splitlines()]


@needs_proc
def test_headers_that_promise_gigabytes_are_refused_in_little_memory(tmp_path: Path) -> None:
    files = hostile_files()
    assert files.keys() == REASONS.keys()
    for name, data in files.items():
        assert len(data) < 500_000
        (tmp_path / name).write_bytes(data)
    for said in run(tmp_path):
        kind, reason = REASONS[said["file"]]
        assert re.match(reason, said[kind]), said
        assert said["grown_bytes"] < ROOM_BYTES / 4, said
        assert [said["sound"], said["video"], said["picture"]].count("decoded") <= 1, said


@needs_proc
def test_the_room_is_too_small_for_what_is_promised() -> None:
    """Without a limit FFmpeg takes gigabytes for the index, so the test above can fail."""
    code = f"""
import io, sys
sys.path.insert(0, {str(SCRIPT.parent)!r})
import av
from effort import peak_bytes
from hostile import mp4_with_an_endless_index
data = mp4_with_an_endless_index(20_000_000)
before = peak_bytes()
with av.open(io.BytesIO(data), format="mp4") as video:
    pass
print(peak_bytes() - before)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert int(ran.stdout) * 4 > ROOM_BYTES * 3


def test_a_playlist_opens_no_other_file_and_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/sound.wav"
        playlists = [
            f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{url}\n#EXT-X-ENDLIST\n",
            f"ffconcat version 1.0\nfile {url}\n",
            f"[playlist]\nFile1={url}\n",
            f"<?xml version='1.0'?><MPD><Period><BaseURL>{url}</BaseURL></Period></MPD>",
        ]
        for text in playlists:
            for disguise in (b"", b"\0\0\0\x10ftypisom\0\0\0\0", b"\x1a\x45\xdf\xa3\x80"):
                for decode in (decode_audio, video_frames):
                    with pytest.raises(MediaError):
                        decode(disguise + text.encode())
        with pytest.raises(TimeoutError):
            server.accept()


def test_names_do_not_matter_only_what_is_inside(tmp_path: Path) -> None:
    for name, data in (
        ("a.wav", b"text" * 99),
        ("a.mp4", sound_bytes()),
        ("a.png", picture_bytes(kind="JPEG")),
    ):
        (tmp_path / name).write_bytes(data)
    with (tmp_path / "a.wav").open("rb") as file, pytest.raises(MediaError, match=r"^not a sound: a text"):
        decode_audio(file)  # type: ignore[arg-type]
    with (tmp_path / "a.mp4").open("rb") as file:
        assert len(decode_audio(file).samples) == 8_000  # type: ignore[arg-type]
    assert decode_image((tmp_path / "a.png").read_bytes()).size == (8, 8)

"""Hostile media are refused with a reason, in a process with little memory, and crash nothing."""

import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from effort import STATUS
from folders import picture_bytes, sound_bytes
from hostile import ROOM_BYTES, hostile_files
from PIL import Image
from videos import video_bytes

from safe_data.core.errors import MediaError
from safe_data.media.decode import decode_audio
from safe_data.media.picture import decode_image
from safe_data.media.video_frames import video_frames

SCRIPT = Path(__file__).parents[1] / "hostile.py"
CASES = 60
CHECKED = ("picture-PNG", "video-mpeg4", "sound-MP3", "sound-OGG", "sound-OPUS")  # their checksums see it all
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
    "png": ("picture", "picture too large: more than 33554432 pixels"),
    "png-large": ("picture", "picture too large: "),
    "png-text": ("picture", "undecodable picture: "),
    "jpeg": ("picture", "picture too large: "),
}


def run(*arguments: str | Path) -> list[dict[str, Any]]:
    """The output of the script, one dict per file; a crash or an error other than MediaError fails."""
    ran = subprocess.run([sys.executable, SCRIPT, *arguments], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return [json.loads(line) for line in ran.stdout.splitlines()]


@needs_proc
def test_headers_that_promise_gigabytes_are_refused_in_little_memory(tmp_path: Path) -> None:
    files = hostile_files()
    assert files.keys() == REASONS.keys()
    for name, data in files.items():
        assert len(data) < 500_000
        (tmp_path / name).write_bytes(data)
    for said in run("decode", tmp_path):
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


def test_damaged_files_are_decoded_or_refused_and_nothing_else(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (16_000, 2))
    for kind in ("WAV", "FLAC", "OGG", "MP3"):
        (tmp_path / f"sound-{kind}").write_bytes(sound_bytes(noise, rate=16_000, kind=kind))
    (tmp_path / "sound-OPUS").write_bytes(sound_bytes(noise, rate=16_000, kind="OGG", subtype="OPUS"))
    videos = {
        "h264": ("mp4", "libx264", "aac"),
        "vp8": ("webm", "libvpx", "libopus"),
        "vp9": ("webm", "libvpx-vp9", "libopus"),
        "mpeg4": ("matroska", "mpeg4", "libmp3lame"),
        "alac": ("mov", "libx264", "alac"),
    }
    for name, parts in videos.items():
        data = video_bytes(*parts, seconds=1, rate=48_000, key_frame_every=10)
        (tmp_path / f"video-{name}").write_bytes(data)
    rough = Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8))
    for kind in ("PNG", "JPEG"):
        rough.save(tmp_path / f"picture-{kind}", kind)
    found = run("damage", tmp_path, str(CASES))
    assert len(found) == 12
    for counts in found:
        assert counts["refused"] > 0, counts
        assert counts["decoded"] > 0 or counts["file"] in CHECKED, counts
        assert (counts["decoded"] + counts["refused"]) % CASES == 0


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

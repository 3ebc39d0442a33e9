"""A truncated file is recognised before it is decoded."""

import io
import struct

import pytest
from folders import picture_bytes, sound_bytes
from videos import video_bytes

from safe_data.core.errors import MediaError
from safe_data.media.containers import check_whole, container_of

VIDEOS = {
    "mp4": ("mp4", "libx264", "aac"),
    "m4a": ("ipod", None, "aac"),
    "mov": ("mov", None, "pcm_s16le"),
    "webm": ("webm", "libvpx", None),
    "mkv": ("matroska", "libx264", "aac"),
}


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    made = {name: video_bytes(*parts, seconds=0.5) for name, parts in VIDEOS.items()}
    return made | {kind.lower(): sound_bytes(kind=kind) for kind in ("WAV", "OGG", "FLAC", "MP3")}


def test_the_first_bytes_tell_which_files_pyav_must_read(files: dict[str, bytes]) -> None:
    kinds = {name: container_of(io.BytesIO(data)) for name, data in files.items()}
    assert kinds == {
        **dict.fromkeys(("mp4", "m4a", "mov"), "mp4"),
        **dict.fromkeys(("webm", "mkv"), "matroska"),
        **dict.fromkeys(("wav", "ogg", "flac", "mp3")),
    }
    for other in (b"", b"#EXTM3U\n", b"ffconcat version 1.0\n", picture_bytes(), picture_bytes(kind="JPEG")):
        assert container_of(io.BytesIO(other)) is None


def test_whole_files_pass_and_are_rewound(files: dict[str, bytes]) -> None:
    for data in files.values():
        file = io.BytesIO(data)
        check_whole(file)
        assert file.tell() == 0


@pytest.mark.parametrize("name", VIDEOS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_file_cut_off_anywhere_is_refused(files: dict[str, bytes], name: str, share: float) -> None:
    data = files[name]
    with pytest.raises(MediaError, match=r"^truncated video: "):
        check_whole(io.BytesIO(data[: int(share * len(data))]))
    with pytest.raises(MediaError, match=r"^truncated video: "):
        check_whole(io.BytesIO(data[:-1]))


def test_lengths_that_are_not_stated_are_left_to_the_decoder(files: dict[str, bytes]) -> None:
    live = bytearray(files["webm"])
    segment = live.index(b"\x18\x53\x80\x67")
    live[segment + 4 : segment + 12] = b"\x01" + b"\xff" * 7
    check_whole(io.BytesIO(live))
    to_the_end = files["mp4"] + struct.pack(">I4s", 0, b"free") + bytes(9)
    check_whole(io.BytesIO(to_the_end))


def test_a_box_may_be_larger_than_four_gigabytes(files: dict[str, bytes]) -> None:
    for size in (16, 2**40):
        with_box = files["mp4"] + struct.pack(">I4sQ", 1, b"free", size)
        if size == 16:
            check_whole(io.BytesIO(with_box))
        else:
            with pytest.raises(
                MediaError, match=f"^truncated video: the header promises {size} bytes, 16 are"
            ):
                check_whole(io.BytesIO(with_box))


def test_a_million_empty_boxes_are_not_counted_one_by_one() -> None:
    file = io.BytesIO(struct.pack(">I4s", 8, b"moov") * 1_000_000)
    with pytest.raises(MediaError, match=r"^damaged video: 65536 boxes or more$"):
        check_whole(file)

"""Small files are held in memory, large ones are copied in pieces; one that changes meanwhile is noticed."""

import errno
import hashlib
import io
import os
import tarfile
import tempfile
from pathlib import Path

import numpy as np
import pytest
from folders import sound_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.build import clip_file, contents
from safe_data.build.clip_file import ClipFile
from safe_data.build.contents import Contents, contents_of, file_contents, read_contents
from safe_data.build.pack import sound_member
from safe_data.core.errors import InputError, MediaError
from safe_data.media.decode import decode_pcm
from safe_data.records import Audio
from safe_data.shards.tar import MemberFile, TarWriter

DATA = bytes(range(256)) * 40


@pytest.fixture(autouse=True)
def few_bytes_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "HELD_BYTES", 1_000)
    monkeypatch.setattr(clip_file, "HELD_BYTES", 1_000)
    monkeypatch.setattr(contents, "PIECE_BYTES", 700)


def stored(one: Contents) -> bytes:
    """The member that a tar gets."""
    file = io.BytesIO()
    tar = TarWriter(file)
    offset = one.add_to(tar, "a.bin")
    tar.close()
    with tarfile.open(fileobj=io.BytesIO(file.getvalue())) as found:
        member = found.extractfile("a.bin")
        assert member is not None
        data = member.read()
    assert file.getvalue()[offset:][: one.size] == data
    return data


def large(tmp_path: Path) -> Contents:
    (tmp_path / "a.bin").write_bytes(DATA)
    with (tmp_path / "a.bin").open("rb") as file:
        return file_contents(file, tmp_path, "a.bin")


def test_every_way_stores_the_same_bytes(tmp_path: Path) -> None:
    for one in (contents_of(DATA), large(tmp_path), read_contents(DATA, tmp_path, "a.bin")):
        assert (one.size, one.sha256) == (len(DATA), hashlib.sha256(DATA).hexdigest())
        assert one.read() == stored(one) == DATA
    assert contents_of(DATA).held == DATA
    assert large(tmp_path).held is None
    assert read_contents(DATA, tmp_path, "a.bin").held is None
    assert read_contents(DATA[:1_000], tmp_path, "gone.bin").held == DATA[:1_000]


@pytest.mark.parametrize("change", [DATA[:-1], DATA + b"!", b"!" + DATA[1:], b"", None])
def test_a_file_that_changes_stops_the_build(tmp_path: Path, change: bytes | None) -> None:
    one = large(tmp_path)
    if change is None:
        (tmp_path / "a.bin").unlink()
    else:
        (tmp_path / "a.bin").write_bytes(change)
    if change == DATA + b"!":
        assert stored(one) == DATA  # what was measured is still there
        return
    with pytest.raises(
        InputError, match=r"^a.bin: its source changed while it was read; run the same command again$"
    ):
        stored(one)


def test_a_long_clip_is_encoded_in_a_temporary_file() -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (20_000, 2)).astype(np.float32)
    for bits in (16, 24, None):
        clip = ClipFile(8_000, 2, bits)
        kept = np.concatenate([clip.add(samples[first : first + 3_000]) for first in range(0, 20_000, 3_000)])
        one = clip.close()
        assert one.held is None
        data = stored(one)
        assert hashlib.sha256(data).hexdigest() == one.sha256
        np.testing.assert_array_equal(decode_pcm(data).samples, kept)


def test_a_large_source_is_stored_unchanged_and_in_part(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(sound_bytes())
    whole, _, unchanged = sound_member(tmp_path, Audio(path="a.wav"))
    assert unchanged
    assert stored(whole.contents) == (tmp_path / "a.wav").read_bytes()
    part, _, _ = sound_member(tmp_path, Audio(path="a.wav", duration_seconds=0.9))
    assert len(decode_pcm(stored(part.contents)).stored) == 7_200


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("bits", "frames"), [(16, 100), (16, 20_000), (None, 100), (None, 20_000)])
def test_a_clip_that_fails_leaves_no_open_file(bits: int | None, frames: int) -> None:
    clip = ClipFile(8_000, 2, bits)

    def fail() -> None:
        with clip:
            clip.add(np.random.default_rng(0).uniform(-1, 1, (frames, 2)).astype(np.float32))
            raise MediaError("truncated sound: as if")

    with pytest.raises(MediaError, match="truncated"):
        fail()
    assert clip._file.closed


@pytest.mark.parametrize("bits", [16, None])
def test_a_full_disk_of_temporary_files_is_said(bits: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.BytesIO):
        def write(self, data: bytes) -> int:  # type: ignore[override]
            if self.tell() > 2_000:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return super().write(data)

    monkeypatch.setattr(clip_file.tempfile, "SpooledTemporaryFile", lambda *_: Full())
    clip = ClipFile(8_000, 2, bits)
    noise = np.random.default_rng(0).uniform(-1, 1, (20_000, 2)).astype(np.float32)

    def encode() -> None:
        for _ in range(3):
            clip.add(noise)
        clip.close()

    with pytest.raises(
        InputError, match=r"No space left on device\); make room and run the same command again"
    ):
        encode()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-5, 400), st.sampled_from([0, 1, 2]), st.integers(0, 300)), max_size=12)
)
def test_a_member_is_read_like_a_file(moves: list[tuple[int, int, int]]) -> None:
    member = DATA[1_000:1_333]
    with tempfile.TemporaryFile() as tar:
        tar.write(DATA)
        tar.flush()
        ours, reference = MemberFile(tar.fileno(), 1_000, 333), io.BytesIO(member)
        for offset, whence, size in moves:
            if whence == io.SEEK_SET and offset < 0:
                continue
            assert ours.seek(offset, whence) == reference.seek(offset, whence)
            assert ours.read(size) == reference.read(size)
            assert ours.tell() == reference.tell()
        assert ours.seek(0) == 0
        assert ours.read() == member

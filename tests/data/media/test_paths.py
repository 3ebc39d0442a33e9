"""Files are read from below the root, and nowhere else."""

from pathlib import Path

import pytest

from safe_data.core.errors import InputError, MediaError
from safe_data.media.paths import MediaRoot, media_root, open_file, read_open, size_of, sizes_below


def read_file(root: MediaRoot, relative: str) -> bytes:
    with open_file(root, relative) as file:
        return read_open(file, relative)


def test_files_are_read_from_below_the_root_only(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"no")
    (root / "sub" / "fine").write_bytes(b"yes")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "loop").symlink_to(root / "loop")
    assert read_file(root, "sub/fine") == b"yes"
    assert read_file(root, "sub/../sub/fine") == b"yes"
    reasons = {
        "../secret": "^unreadable file: '../secret' leads out of the root$",
        "link": f"^unreadable file: 'link' leads out of the root into {tmp_path}; --trust-links {tmp_path} "
        "allows it$",
        str(tmp_path / "secret"): "^unreadable file: .* is an absolute path$",
        "gone": "^no such file: gone$",
        "sub": "^no regular file: sub$",
        "loop": "^unreadable file: ",
        "nul\0": "^unreadable file: ",
    }
    for path, reason in reasons.items():
        with pytest.raises(MediaError, match=reason):
            read_file(root, path)


def test_links_may_lead_into_one_trusted_folder(tmp_path: Path) -> None:
    """A Hugging Face snapshot, a linked folder, and links that lead elsewhere."""
    root, blobs = tmp_path / "repo" / "snapshots" / "1", tmp_path / "repo" / "blobs"
    elsewhere = tmp_path / "elsewhere"
    for folder in (root, blobs / "more", elsewhere):
        folder.mkdir(parents=True)
    for file in (blobs / "abc", blobs / "more" / "x.wav", elsewhere / "secret"):
        file.write_bytes(file.name.encode())
    (root / "a.wav").symlink_to("../../blobs/abc")
    (root / "audio").symlink_to(blobs / "more")
    (root / "bad").symlink_to(elsewhere / "secret")
    (blobs / "chain").symlink_to(elsewhere / "secret")
    (blobs / "more" / "chained").symlink_to(elsewhere / "secret")
    (root / "chained").symlink_to(blobs / "chain")
    (root / "twice").symlink_to("a.wav")
    for name, folder in (("a.wav", blobs), ("audio/x.wav", blobs / "more"), ("twice", blobs)):
        with pytest.raises(MediaError, match=f"{name}' leads out of the root into {folder}; --trust-links"):
            read_file(root, name)
        assert size_of(root, name) is None
    trusting = media_root(root, blobs)
    assert [read_file(trusting, name) for name in ("a.wav", "twice", "audio/x.wav")] == [
        b"abc",
        b"abc",
        b"x.wav",
    ]
    assert size_of(trusting, "audio/x.wav") == 5
    for name in ("bad", "chained"):
        with pytest.raises(
            MediaError, match=rf"{name}' leads out of the root into .*; --trust-links names {blobs}$"
        ):
            read_file(trusting, name)
        assert size_of(trusting, name) is None
    for place, fix in ((root, f"{elsewhere} allows it"), (trusting, f"names {blobs}")):
        with pytest.raises(MediaError, match=f"into {elsewhere}; --trust-links {fix}$"):
            read_file(place, "audio/chained")
    assert read_file(media_root(root, elsewhere), "audio/chained") == b"secret"
    (tmp_path / "my disk").mkdir()
    (root / "spaced").symlink_to(tmp_path / "my disk")
    with pytest.raises(MediaError, match=f"--trust-links '{tmp_path}/my disk' allows it$"):
        read_file(root, "spaced/x.wav")
    for name in ("../../blobs/abc", "audio/../abc", str(blobs / "abc")):
        with pytest.raises(MediaError, match=r"leads out of the root$|is an absolute path$"):
            read_file(trusting, name)
    with pytest.raises(MediaError, match="no such file: audio/gone"):
        read_file(trusting, "audio/gone")
    with pytest.raises(InputError, match=r"--trust-links .*gone: no such folder; give the one"):
        media_root(root, tmp_path / "gone")


def test_sizes_of_many_files_are_those_of_each(tmp_path: Path) -> None:
    root, trusted, elsewhere = tmp_path / "root", tmp_path / "trusted", tmp_path / "elsewhere"
    for folder in (root / "sub", trusted, elsewhere):
        folder.mkdir(parents=True)
        (folder / "x").write_bytes(folder.name.encode())
    for name, target in {"in": "sub/x", "to": trusted, "out": elsewhere / "x", "off": elsewhere}.items():
        (root / name).symlink_to(target)
    (trusted / "x2").symlink_to(elsewhere / "x")
    (root / "loop").symlink_to("loop")
    tails = ["x", "x2", "", ".", "..", "../x", "../sub/x", "gone", "x/x", "nul\0", "\udcff"]
    heads = ["", "sub/", "to/", "off/", "loop/", "gone/", "sub/../", "to/../", "/", f"{root}/sub/", "./"]
    names = [f"{head}{tail}" for head in heads for tail in tails] + ["in", "out", "to", "loop"]
    for place in (root, media_root(root, trusted)):
        size = sizes_below(place)
        assert [size(name) for name in names] == [size_of(place, name) for name in names]
    sizes = [sizes_below(root)("sub/x"), size("to/x"), size("in"), size("out"), size("to/x2")]
    assert sizes == [3, 7, 3, None, None]


def test_a_file_too_large_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "huge.wav").open("wb") as file:
        file.truncate(2**29)
    with pytest.raises(MediaError, match=r"^file too large: huge.wav has 536870912 bytes of 268435456$"):
        read_file(tmp_path, "huge.wav")


def test_an_open_file_may_be_of_any_size(tmp_path: Path) -> None:
    with (tmp_path / "long.mp4").open("wb") as file:
        file.truncate(2**29)
    with open_file(tmp_path, "long.mp4") as found:
        assert found.seek(0, 2) == 2**29

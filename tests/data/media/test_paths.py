"""Files are read from below the root, and nowhere else."""

from pathlib import Path

import pytest

from safe_data.core.errors import MediaError
from safe_data.media.paths import open_file, read_open


def read_file(root: Path, relative: str) -> bytes:
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
        "link": "^unreadable file: 'link' leads out of the root$",
        str(tmp_path / "secret"): "^unreadable file: .* is an absolute path$",
        "gone": "^no such file: gone$",
        "sub": "^no regular file: sub$",
        "loop": "^unreadable file: ",
        "nul\0": "^unreadable file: ",
    }
    for path, reason in reasons.items():
        with pytest.raises(MediaError, match=reason):
            read_file(root, path)


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

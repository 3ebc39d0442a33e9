"""Files and folders appear whole or not at all, and a disk that refuses says what to do."""

import errno
import hashlib
import os
from pathlib import Path

import msgspec
import pytest

from safe_data.core.errors import InputError
from safe_data.core.files import (
    PART,
    committing,
    committing_folder,
    explaining,
    file_sha256,
    write_bytes,
    write_json,
)


def fail_in_a_file(path: Path) -> None:
    with committing(path) as file:
        file.write(b"new")
        raise RuntimeError("in the middle")


def fail_in_a_folder(path: Path) -> None:
    with committing_folder(path) as part:
        (part / "a").write_text("a")
        raise RuntimeError("in the middle")


class Result(msgspec.Struct):
    name: str
    score: float


def test_a_file_appears_with_its_folder_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "file.bin"
    assert write_bytes(path, b"whole") == path
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_file_cannot_be_seen_before_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with committing(path) as file:
        file.write(b"half")
        file.flush()
        assert not path.exists()
        (part,) = tmp_path.iterdir()
        assert part.name.startswith(".file.")
        assert part.name.endswith(PART)
        file.write(b" whole")
    assert path.read_bytes() == b"half whole"


def test_a_failure_in_the_middle_keeps_the_old_file_and_leaves_no_other(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "file", b"old")
    with pytest.raises(RuntimeError, match="in the middle"):
        fail_in_a_file(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with committing(path) as first:
        first.write(b"first")
        write_bytes(path, b"second")
        assert path.read_bytes() == b"second"
    assert path.read_bytes() == b"first"


def test_a_file_may_be_read_and_filled_in_while_it_is_written(tmp_path: Path) -> None:
    with committing(tmp_path / "file") as file:
        file.write(b"0 rows")
        file.seek(0)
        assert file.read() == b"0 rows"
        file.seek(0)
        file.write(b"7")
    assert (tmp_path / "file").read_bytes() == b"7 rows"


def test_a_folder_appears_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "world"
    with committing_folder(path) as part:
        (part / "a").write_text("a")
        assert not path.exists()
    assert [file.name for file in path.iterdir()] == ["a"]
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_in_the_middle_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="in the middle"):
        fail_in_a_folder(tmp_path / "world")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_of_a_folder_is_removed(tmp_path: Path) -> None:
    left = tmp_path / f"world{PART}"
    left.mkdir()
    (left / "half").write_text("half")
    with committing_folder(tmp_path / "world") as part:
        (part / "a").write_text("a")
    assert sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*")) == ["world", "world/a"]


def test_a_folder_that_holds_something_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "thesis").write_text("years of work")
    with pytest.raises(OSError, match="not empty"), committing_folder(tmp_path / "world") as part:
        (part / "a").write_text("a")
    assert [file.name for file in tmp_path.rglob("*")] == ["world", "thesis"]


@pytest.mark.parametrize(
    ("number", "fix"),
    [
        (errno.ENOSPC, "make room and run the same command again, it goes on where it stopped"),
        (errno.EDQUOT, "make room and run the same command again, it goes on where it stopped"),
        (errno.EFBIG, "make room and run the same command again, it goes on where it stopped"),
        (errno.EROFS, "name a directory that you may write to"),
        (errno.EACCES, "name a directory that you may write to"),
        (errno.EPERM, "name a directory that you may write to"),
    ],
)
def test_a_disk_that_refuses_says_what_to_do(number: int, fix: str) -> None:
    with pytest.raises(InputError) as caught, explaining("out/file"):
        raise OSError(number, os.strerror(number))
    assert str(caught.value) == f"out/file: cannot be written ({os.strerror(number)}); {fix}"


def test_a_file_in_place_of_a_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "runs" / "mine", tmp_path / "runs" / "a" / "b", tmp_path / "folder"):
        with pytest.raises(InputError, match="a file is where a directory must be"):
            write_bytes(path, b"x")


def test_other_errors_of_a_disk_stay_what_they_are() -> None:
    with pytest.raises(FileNotFoundError), explaining("out"):
        raise FileNotFoundError(errno.ENOENT, "no such file")


def test_json_has_no_nan_and_ends_with_a_line_feed(tmp_path: Path) -> None:
    path = write_json(tmp_path / "result.json", Result("clip é", float("nan")))
    assert path.read_text("utf-8") == '{\n "name": "clip é",\n "score": null\n}\n'


def test_the_hash_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    path = write_bytes(tmp_path / "file", b"abc" * 100_000)
    assert file_sha256(str(path)) == hashlib.sha256(b"abc" * 100_000).hexdigest()

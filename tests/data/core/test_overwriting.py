"""A result that is there is replaced by force alone; the same result may be written again."""

import re
from pathlib import Path

import pytest

from safe_data.core.errors import InputError
from safe_data.core.files import file_sha256
from safe_data.core.overwriting import check_free, check_not_read, check_same_hash, write_all_new, write_new


def test_other_content_is_refused_and_named(tmp_path: Path) -> None:
    path = tmp_path / "scores.json"
    assert write_new(path, b"one") == path
    message = (
        f"{path}: is there already, and holds something else; name another file, or add --force to replace"
    )
    with pytest.raises(InputError, match=re.escape(message)):
        write_new(path, b"two")
    assert path.read_bytes() == b"one"
    write_new(path, b"two", force=True)
    assert path.read_bytes() == b"two"


def test_what_is_read_is_never_written_over(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    same = tmp_path / "folder" / ".." / "p.jsonl"
    check_not_read([tmp_path / "q.jsonl"], [same])
    with pytest.raises(InputError, match=r"p\.jsonl: is read by this command, and never replaced by it"):
        check_not_read([tmp_path / "q.jsonl", tmp_path / "p.jsonl"], [same])


def test_the_same_content_is_not_even_written(tmp_path: Path) -> None:
    path = write_new(tmp_path / "scores.json", b"one")
    before = path.stat()
    write_new(path, b"one")
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_all_files_or_none(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"other")
    contents = {tmp_path / "a": b"a", tmp_path / "b": b"b"}
    with pytest.raises(InputError, match="b: is there already"):
        write_all_new(contents)
    assert [path.name for path in tmp_path.iterdir()] == ["b"]
    assert write_all_new(contents, force=True) == list(contents)
    assert (tmp_path / "b").read_bytes() == b"b"


def test_a_hash_stands_for_content(tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    check_same_hash(path, "0" * 64, force=False)
    path.write_bytes(b"items")
    check_same_hash(path, file_sha256(path), force=False)
    check_same_hash(path, "0" * 64, force=True)
    with pytest.raises(InputError, match=r"items\.parquet: is there already"):
        check_same_hash(path, "0" * 64, force=False)


def test_before_work_whose_result_is_not_known(tmp_path: Path) -> None:
    check_free(tmp_path / "new", force=False)
    (tmp_path / "old").touch()
    check_free(tmp_path / "old", force=True)
    with pytest.raises(InputError, match="old: is there already; name another file, or add --force"):
        check_free(tmp_path / "new", tmp_path / "old", force=False)


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="it is a folder, which is never replaced; name a file"):
        write_new(tmp_path, b"one")

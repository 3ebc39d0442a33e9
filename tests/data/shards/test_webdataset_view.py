"""WebDataset reads the tars, without the traps in which it silently loses data or runs code.

Each trap is shown to be one, so that these tests would notice if they ran past it.
"""

import gc
import io
import os
import pickle
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import webdataset
from folders import row, write_folder, write_media, write_rows

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.verify import verify_dataset
from safe_data.shards.webdataset_view import to_webdataset

pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")


@pytest.fixture(autouse=True)
def _files_that_webdataset_leaves_open() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight clips of train in three shards, four of test in two; one has no sound."""
    root = tmp_path_factory.mktemp("interop")
    build_dataset(write_folder(root / "world", 12), root / "shards", shard_size=3)
    return root / "shards"


@pytest.fixture
def spoilt(built: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may damage."""
    return shutil.copytree(built, tmp_path / "spoilt")


def tars(root: Path) -> list[Path]:
    return sorted((root / "train").glob("*.tar"))


def plain(tar: Path) -> list[dict[str, Any]]:
    """What plain WebDataset finds in a tar."""
    return list(webdataset.WebDataset([str(tar)], shardshuffle=False))


def keys(root: Path, split: str = "train") -> list[str]:
    return [sample["__key__"] for sample in to_webdataset(root, split)]


def test_it_yields_the_same_samples_in_the_same_order_twice(built: Path) -> None:
    dataset = ShardDataset(built, "train")
    pipeline = to_webdataset(built, "train")
    for _ in range(2):
        samples = list(pipeline)
        assert [sample["__key__"] for sample in samples] == dataset.manifest["id"].to_pylist()
        for index, sample in enumerate(samples):
            assert sample["json"] == dataset.record(index).model_dump(mode="json", exclude_none=True)
            assert sample.get("wav") == dataset.audio_bytes(index)
            assert sample["png"] == dataset.image_bytes(index)
    assert keys(built, "test") == [f"clip-{number:03d}" for number in range(8, 12)]


def test_braces_and_colons_in_a_path_are_not_expanded(built: Path, tmp_path: Path) -> None:
    root = shutil.copytree(built, tmp_path / "{a,b}::c")
    assert len(keys(root)) == 8


splitters = pytest.mark.parametrize(("place", "places"), [("RANK", "WORLD_SIZE"), ("WORKER", "NUM_WORKERS")])


@splitters
def test_ranks_and_workers_share_the_shards(
    built: Path, monkeypatch: pytest.MonkeyPatch, place: str, places: str
) -> None:
    monkeypatch.setenv(places, "2")
    parts = []
    for number in range(2):
        monkeypatch.setenv(place, str(number))
        parts.append(keys(built))
    assert sorted(parts[0] + parts[1]) == ShardDataset(built, "train").manifest["id"].to_pylist()
    assert all(parts)


@splitters
def test_a_worker_without_a_shard_gets_an_error(
    built: Path, monkeypatch: pytest.MonkeyPatch, place: str, places: str
) -> None:
    monkeypatch.setenv(places, "4")
    monkeypatch.setenv(place, "3")
    with pytest.raises(ValueError, match="fewer shards than workers"):
        keys(built)


def test_ids_with_dots_would_become_one_sample_and_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "dots.tar", "w") as tar:
        for name in ("Y1.0_30.json", "Y1.5_35.json"):
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
    (merged,) = plain(tmp_path / "dots.tar")
    assert {"0_30.json", "5_35.json"} < merged.keys()

    rows = [row(0, id="Y1.0_30"), row(1, id="Y1.5_35")]
    write_media(tmp_path / "world", rows)
    with pytest.raises(
        InputError, match=r"id 'Y1.0_30' may hold only .* WebDataset splits names at the first"
    ):
        build_dataset(write_rows(tmp_path / "world", rows), tmp_path / "shards")
    assert not (tmp_path / "shards").exists()


def test_a_tar_cut_short_would_end_without_a_word_and_is_refused(spoilt: Path) -> None:
    tar = tars(spoilt)[1]
    whole = tar.read_bytes()
    with tarfile.open(tar) as members:
        headers = [member.offset for member in members.getmembers()][1:]
    for cut in [*headers, *(header + 100 for header in headers)]:
        tar.write_bytes(whole[:cut])
        found = plain(tar)
        assert len(found) < 3 or "png" not in found[-1]
        assert any(tar.name in finding for finding in verify_dataset(spoilt).findings)
        with pytest.raises(InputError, match=f"{tar.name}: shorter than manifest.parquet says"):
            to_webdataset(spoilt, "train")
    tar.write_bytes(whole)
    assert len(keys(spoilt)) == 8


def test_a_shard_whose_records_were_all_rejected_is_passed_over(tmp_path: Path) -> None:
    rows = [row(number) for number in range(4)]
    write_media(tmp_path / "world", rows)
    for fields in rows[:2]:
        (tmp_path / "world" / fields["audio_file_name"]).write_bytes(b"no sound")
    build_dataset(write_rows(tmp_path / "world", rows), tmp_path / "shards", encoders=(), shard_size=2)
    with pytest.raises(ValueError, match="fewer shards than workers"):
        plain(tars(tmp_path / "shards")[0])
    assert keys(tmp_path / "shards") == ["clip-002", "clip-003"]


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    rows = [row(0), row(1, split="test")]
    write_media(tmp_path / "world", rows)
    (tmp_path / "world" / rows[1]["audio_file_name"]).write_bytes(b"no sound")
    build_dataset(write_rows(tmp_path / "world", rows), tmp_path / "shards", encoders=())
    with pytest.raises(InputError, match=r"split 'test' has no samples; every record was rejected$"):
        to_webdataset(tmp_path / "shards", "test")


class Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (self.path,)

    def __init__(self, path: Path) -> None:
        self.path = str(path)


def test_a_pickle_in_a_tar_stays_bytes(spoilt: Path, tmp_path: Path) -> None:
    tar, crater = tars(spoilt)[0], tmp_path / "crater"
    bomb = pickle.dumps(Bomb(crater))
    with tarfile.open(tar, "a") as members:
        for name, data in (("evil.json", b"{}"), ("evil.pyd", bomb)):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            members.addfile(member, io.BytesIO(data))
    (evil,) = (sample for sample in to_webdataset(spoilt, "train") if sample["__key__"] == "evil")
    assert evil["pyd"] == bomb
    assert not crater.exists()
    list(webdataset.WebDataset([str(tar)], shardshuffle=False).decode())
    assert crater.is_dir()

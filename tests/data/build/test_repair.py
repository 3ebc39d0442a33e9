"""A build over damaged files makes them again with the same bytes, or refuses; it never passes over them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from folders import files_of, write_folder

from safe_data.build.build import build_dataset
from safe_data.cli import main
from safe_data.core.errors import InputError
from safe_data.shards.verify import verify_dataset

SHARD = "train/world-train-000000"
SIDECAR = f"{SHARD}.logmel-0f573aec.npy"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("repair") / "world", clips=3)


@pytest.fixture(scope="module")
def whole(world: Path) -> Path:
    build_dataset(world, world.parent / "whole")
    return world.parent / "whole"


@pytest.fixture
def root(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "shards"))


def flip(path: Path, at: int = 3000) -> None:
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1
    path.write_bytes(data)


def edit_done(root: Path, **changes: object) -> None:
    path = root / f"{SHARD}.done.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def edit_tar_hash(root: Path) -> None:
    done = json.loads((root / f"{SHARD}.done.json").read_text())
    done["files"]["world-train-000000.tar"]["sha256"] = "0" * 64
    edit_done(root, files=done["files"])


DAMAGE: dict[str, Callable[[Path], object]] = {
    "tar": lambda root: flip(root / f"{SHARD}.tar"),
    "end of the tar": lambda root: flip(root / f"{SHARD}.tar", -1),
    "tar cut off": lambda root: (root / f"{SHARD}.tar").write_bytes(b"x"),
    "rows": lambda root: flip(root / f"{SHARD}.parquet", 100),
    "embeddings": lambda root: flip(root / SIDECAR, 1000),
    "tar and embeddings": lambda root: (flip(root / f"{SHARD}.tar"), flip(root / SIDECAR, 1000)),
    "done.json": lambda root: flip(root / f"{SHARD}.done.json", 5),
    "counts in done.json": lambda root: edit_done(root, samples=1, rows=5),
    "hash in done.json": edit_tar_hash,
    "shard in done.json": lambda root: edit_done(root, shard="world-train-000001"),
    "split in done.json": lambda root: edit_done(root, split="tzain"),
    "format in done.json": lambda root: edit_done(root, format_version=3),
    "dataset.json": lambda root: flip(root / "dataset.json", 5),
    "plan.json": lambda root: flip(root / "plan.json", 5),
    "no plan.json": lambda root: (root / "plan.json").unlink(),
    "manifest": lambda root: flip(root / "manifest.parquet", 100),
    "rejected records": lambda root: flip(root / "rejected.parquet", 100),
    "silence": lambda root: flip(root / "silence.logmel-0f573aec.npy", 500),
}


@pytest.mark.parametrize("what", DAMAGE)
def test_what_is_damaged_is_made_again_with_the_same_bytes(
    world: Path, whole: Path, root: Path, what: str
) -> None:
    DAMAGE[what](root)
    try:
        assert verify_dataset(root).findings
    except InputError as error:
        assert "dataset.json" in str(error)  # noqa: PT017
    build_dataset(world, root)
    assert files_of(root) == files_of(whole)
    assert verify_dataset(root).findings == ()


def test_the_build_says_what_it_made_again(
    world: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flip(root / f"{SHARD}.tar")
    flip(root / SIDECAR, 1000)
    assert main(["build", str(world), str(root)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[2:] == [
        "  damaged, and made again: world-train-000000.logmel-0f573aec.npy, world-train-000000.tar"
    ]
    assert main(["build", str(world), str(root)]) == 0
    assert "damaged" not in capsys.readouterr().out


def test_a_tar_that_cannot_be_made_again_is_refused_and_left_as_it_is(
    world: Path, root: Path, tmp_path: Path
) -> None:
    changed = Path(shutil.copytree(world, tmp_path / "world"))
    flip(changed / "sounds" / "clip-000.wav")
    flip(root / f"{SHARD}.tar")
    before = files_of(root)
    with pytest.raises(InputError, match="made again, it differs, so the media have changed; give the same"):
        build_dataset(changed, root)
    assert files_of(root) == before


def test_embeddings_that_this_build_would_not_make_are_not_dropped(world: Path, root: Path) -> None:
    flip(root / SIDECAR, 1000)
    before = files_of(root)
    with pytest.raises(
        InputError,
        match=r"npy: damaged, and this build would not make it again; add --encoder "
        r"logmel, or remove the file and its embeddings$",
    ):
        build_dataset(world, root, encoders=[])
    assert files_of(root) == before
    (root / SIDECAR).unlink()
    assert build_dataset(world, root, encoders=[]).dataset.encoders == ()


def test_a_plan_of_other_records_is_still_another_plan(world: Path, root: Path) -> None:
    with pytest.raises(InputError, match="was begun with another plan"):
        build_dataset(world, root, shard_size=1)

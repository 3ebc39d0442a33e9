"""A flipped byte is named: the member, header or gap of a tar, the header or row of embeddings."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders import row, write_folder, write_rows
from videos import video_bytes

from safe_data.build.build import build_dataset
from safe_data.shards import manifest
from safe_data.shards.verify import verify_dataset

SHARD = "train/world-train-000000"
TAR, SIDECAR = f"{SHARD}.tar", f"{SHARD}.logmel-0f573aec.npy"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damage")
    build_dataset(write_folder(folder / "world", clips=3), folder / "shards")
    return folder / "shards"


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "shards"))


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def place_of(root: Path, name: str) -> str:
    """What the one finding says after the colon."""
    (finding,) = verify_dataset(root).findings
    said = f"{name}: damaged, its bytes have changed: "
    assert finding.startswith(said)
    assert finding.endswith("; run the build again")
    return finding.removeprefix(said).removesuffix("; run the build again")


def facts_of(root: Path, clip: int) -> dict[str, Any]:
    rows = manifest.read(root / f"{SHARD}.parquet").to_pylist()
    return dict(rows[clip])


@pytest.mark.parametrize(
    ("clip", "kind", "what"),
    [  # the second clip has no sound
        *((0, kind, what) for kind, what in (("json", "record"), ("audio", "sound"), ("image", "picture"))),
        *((1, kind, what) for kind, what in (("json", "record"), ("image", "picture"))),
    ],
)
def test_a_member(root: Path, clip: int, kind: str, what: str) -> None:
    facts = facts_of(root, clip)
    name = facts.get(f"{kind}_name", f"clip-{clip:03d}.json")
    first, last = facts[f"{kind}_offset"], facts[f"{kind}_offset"] + facts[f"{kind}_size"] - 1
    for at in (first, (first + last) // 2, last):
        flip(root / TAR, at)
        assert place_of(root, TAR) == f"the {what} of 'clip-{clip:03d}' ({name}, bytes {first} to {last})"
        flip(root / TAR, at)


def test_a_header_and_what_lies_between(root: Path, built: Path) -> None:
    facts = facts_of(root, 0)
    first, end = facts["audio_offset"], facts["audio_offset"] + facts["audio_size"]
    size = (built / TAR).stat().st_size
    for at, place in {
        first - 512: f"the tar header of clip-000.wav, from byte {first - 512} on",
        first - 1: f"the tar header of clip-000.wav, from byte {first - 1} on",
        end: f"the padding after clip-000.wav, from byte {end} on",
        size - 1: f"the end of the tar, from byte {size - 1} on",
    }.items():
        flip(root / TAR, at)
        assert place_of(root, TAR) == place
        flip(root / TAR, at)


def test_several_places_and_a_tar_that_was_cut_off(root: Path) -> None:
    first, second = facts_of(root, 0), facts_of(root, 1)
    for facts in (first, second):
        for kind in ("json", "image"):
            flip(root / TAR, facts[f"{kind}_offset"])
    assert place_of(root, TAR).endswith("), 1 more")
    whole = (root / TAR).read_bytes()
    (root / TAR).write_bytes(whole[: second["json_offset"] + 1])
    (finding,) = verify_dataset(root).findings
    assert "the record of 'clip-001' and all after it, which are cut off" in finding


def test_embeddings(root: Path, built: Path) -> None:
    path = root / SIDECAR
    header = path.stat().st_size - 2 * 512 * 2
    flip(path, 20)
    assert place_of(root, SIDECAR) == "the header, from byte 20 on"
    flip(path, 20)
    flip(path, header + 1024 + 6)  # the second clip has no sound
    assert place_of(root, SIDECAR) == f"row 1, of 'clip-001' (bytes {header + 1024} to {header + 2047})"
    flip(path, header + 1024 + 6)
    data = bytearray(path.read_bytes())
    data[header : header + 2] = np.float16("nan").tobytes()
    path.write_bytes(data)
    assert place_of(root, SIDECAR) == f"row 0, of 'clip-000' (bytes {header} to {header + 1023})"


def test_the_manifest_helps_where_the_rows_of_the_shard_are_damaged_too(root: Path) -> None:
    flip(root / TAR, facts_of(root, 0)["audio_offset"])
    flip(root / f"{SHARD}.parquet", 100)
    rows, tar = verify_dataset(root).findings
    assert "the sound of 'clip-000'" in tar
    assert rows == f"{SHARD}.parquet: damaged, its bytes have changed; run the build again"
    flip(root / "manifest.parquet", 100)
    assert verify_dataset(root).findings[1] == f"{TAR}: damaged, its bytes have changed; run the build again"


def test_pictures_of_a_video_of_which_the_manifest_knows_one(tmp_path: Path) -> None:
    world = tmp_path / "world"
    video = row(0, image_file_name="v.mp4", audio_file_name="v.mp4")
    write_rows(world, [video])
    (world / "v.mp4").write_bytes(video_bytes(seconds=0.5))
    root = tmp_path / "shards"
    build_dataset(world, root, frames=3, encoders=[])
    facts = facts_of(root, 0)
    assert facts["image_name"] == "clip-000.frame1.jpg"
    first_header = facts["audio_offset"] + facts["audio_size"]
    first_header += -first_header % 512
    for at, place in {
        first_header + 512 + 30: "what the manifest does not hash: a picture of a video",
        first_header + 3: f"a tar header (bytes {first_header} to {first_header + 511})",
        facts["image_offset"]: "the picture of 'clip-000'",
    }.items():
        flip(root / TAR, at)
        assert place_of(root, TAR).startswith(place)
        flip(root / TAR, at)


@pytest.mark.slow
def test_every_byte_of_a_tar_is_named(root: Path, built: Path) -> None:
    for at in range(0, (built / TAR).stat().st_size, 17):
        flip(root / TAR, at)
        place = place_of(root, TAR)
        assert place.startswith("the ") and "hash" not in place, (at, place)  # noqa: PT018
        flip(root / TAR, at)

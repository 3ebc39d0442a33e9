"""Adding an encoder writes and names sidecars, changes nothing else, and continues after an interruption."""

import shutil
import tarfile
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from builds import interrupted_at_write
from folders import files_of, row, sound_bytes, write_folder, write_media, write_rows
from tiny_encoders import save_clap
from videos import video_bytes

from safe_data.build.add_encoder import add_encoder
from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import Done, read_json
from safe_data.shards.storage import Folder
from safe_data.shards.verify import verify_dataset

SHARD_SIZE = 2


@pytest.fixture(scope="module")
def clap(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"clap:{save_clap(tmp_path_factory.mktemp('clap') / 'tiny')}"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("add-encoder")
    build_dataset(write_folder(folder / "world", clips=8), folder / "shards", shard_size=SHARD_SIZE)
    return folder / "shards"


@pytest.fixture(scope="module")
def both(built: Path, clap: str) -> dict[str, bytes]:
    """The files of a build with both encoders at once."""
    out = built.parent / "both"
    build_dataset(built.parent / "world", out, shard_size=SHARD_SIZE, encoders=["logmel", clap])
    return files_of(out)


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "shards"))


def test_it_writes_the_same_as_a_build_with_both_encoders(
    root: Path, clap: str, both: dict[str, bytes], tmp_path: Path
) -> None:
    before = files_of(root)
    encoding, dataset = add_encoder(root, clap)
    added = files_of(root)
    assert added == both
    assert dataset.fingerprint == ShardDataset(root, "train", "clap").fingerprint
    changed = {name for name, data in added.items() if before.get(name) != data}
    assert {name.split(".", 1)[1] for name in changed} == {"json", "done.json", f"{encoding.label}.npy"}
    assert [e.name for e in dataset.encoders] == ["clap", "logmel"]
    assert verify_dataset(root).findings == ()
    embeddings = ShardDataset(root, "train", "clap").embeddings([0, 1, 2])
    assert np.linalg.norm(embeddings.astype(float), axis=1).round(2).tolist() == [1, 0, 1]


def test_no_source_is_needed_and_workers_do_the_same(
    root: Path, clap: str, both: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root.parent)
    add_encoder(root.name, clap, workers=2)
    assert files_of(root) == both


def test_videos_and_cut_sounds_are_embedded_as_stored(clap: str, tmp_path: Path) -> None:
    """Decoded from the source while the tar is written, or afterwards from the tar: the same bytes."""
    world = tmp_path / "world"
    rows = [row(0, audio_file_name="videos/a.mp4", image_file_name="videos/a.mp4", duration_seconds=1.2)]
    rows.append(row(1, start_seconds=0.25, duration_seconds=0.5))
    rows.append(row(2, audio_file_name="sounds/loud.flac", duration_seconds=0.7))
    write_media(world, rows)
    (world / "videos" / "a.mp4").write_bytes(video_bytes())
    loud = 1.5 * np.random.default_rng(0).standard_normal((12_000, 2))
    (world / "sounds" / "loud.flac").write_bytes(sound_bytes(loud, rate=16000, kind="FLAC", subtype="PCM_24"))
    write_rows(world, rows)
    build_dataset(world, tmp_path / "both", encoders=["logmel", clap], frames=3)
    build_dataset(world, tmp_path / "none", encoders=[], frames=3)
    for spec in (clap, "logmel"):
        add_encoder(tmp_path / "none", spec)
    assert files_of(tmp_path / "none") == files_of(tmp_path / "both")
    with tarfile.open(next((tmp_path / "both").glob("*/*.tar"))) as tar:
        names = tar.getnames()
    assert [name for name in names if name.startswith("clip-000")] == [
        "clip-000.json",
        "clip-000.flac",
        *(f"clip-000.frame{number}.jpg" for number in range(3)),
    ]
    build_dataset(world, tmp_path / "both", encoders=["logmel"], frames=3)  # its media are compared
    with pytest.raises(InputError, match=r"was begun with another plan \(frames was 3, is 1\)"):
        build_dataset(world, tmp_path / "both", encoders=["logmel"])


def test_adding_it_again_changes_nothing(root: Path, clap: str) -> None:
    add_encoder(root, clap)
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}
    add_encoder(root, clap)
    assert before == {path: path.stat().st_mtime_ns for path in root.rglob("*") if path.is_file()}


def test_it_continues_after_an_interruption_at_any_write(
    root: Path, both: dict[str, bytes], clap: str, tmp_path: Path
) -> None:
    for interrupted_at in count(1):
        out = Path(shutil.copytree(root, tmp_path / str(interrupted_at)))
        try:
            with interrupted_at_write(interrupted_at):
                add_encoder(out, clap)
            break
        except KeyboardInterrupt:
            assert not list(out.glob("**/.*"))
            ShardDataset(out, "train", "logmel").embeddings([0])
            add_encoder(out, clap)
            assert files_of(out) == both
    assert interrupted_at > 4 * len(list(root.glob("*/*.tar")))


def test_what_is_damaged_is_not_embedded(root: Path, clap: str) -> None:
    first = sorted(root.glob("train/*.tar"))[0]
    offset = ShardDataset(root, "train").manifest["audio_offset"].to_pylist()[0]
    data = bytearray(first.read_bytes())
    data[offset + 100] ^= 1
    first.write_bytes(data)
    with pytest.raises(InputError, match=r"the sound of 'clip-000' is not what was stored; `safe-data"):
        add_encoder(root, clap)
    first.write_bytes(data[:-512])
    with pytest.raises(InputError, match=r"train-000000.tar: damaged or incomplete; `safe-data verify` says"):
        add_encoder(root, clap)
    assert not list(root.glob("**/.*.tmp"))
    done = read_json(Folder(root), "train/world-train-000000.done.json", Done)
    assert [encoding.name for encoding in done.encoders] == ["logmel"]


def test_only_a_finished_dataset_can_have_more(root: Path, clap: str, tmp_path: Path) -> None:
    (root / "dataset.json").unlink()
    with pytest.raises(InputError, match=r"an unfinished dataset .* finish it by the command that began it$"):
        add_encoder(root, clap)
    with pytest.raises(InputError, match=r"no dataset .* make one by `safe-data build`$"):
        add_encoder(tmp_path, clap)
    assert not (tmp_path / ".lock").exists()


def test_an_unknown_encoder_is_refused(root: Path) -> None:
    before = files_of(root)
    with pytest.raises(InputError, match=r"^encoder 'logmal' is unknown"):
        add_encoder(root, "logmal")
    assert files_of(root) == before

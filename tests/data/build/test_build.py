"""The same inputs give the same bytes: at once, after any number of kills, in another process."""

import multiprocessing
import pickle
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import count
from pathlib import Path

import pytest
from builds import interrupted_at_write
from filelock import FileLock
from folders import files_of, row, sound_bytes, write_folder, write_media, write_rows

from safe_data.build.build import build_dataset
from safe_data.build.engines.piece import load_once
from safe_data.build.shard_piece import ShardPiece, build_shard
from safe_data.core.errors import InputError
from safe_data.encoders.encoder import ENCODERS
from safe_data.encoders.logmel import LogMelEncoder
from safe_data.records import Record
from safe_data.shards import manifest
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.plan import make_plan
from safe_data.shards.verify import verify_dataset
from safe_data.sources.folder import read

SHARD_SIZE = 2


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("build") / "world")


@pytest.fixture(scope="module")
def whole(world: Path) -> dict[str, bytes]:
    """The bytes of an undisturbed build."""
    build_dataset(world, world.parent / "whole", shard_size=SHARD_SIZE)
    return files_of(world.parent / "whole")


def test_a_build_is_what_the_design_says(whole: dict[str, bytes]) -> None:
    shards = ["test/world-test-000000", "train/world-train-000000", "train/world-train-000001"]
    suffixes = [".done.json", ".logmel-0f573aec.npy", ".parquet", ".tar"]
    expected = [
        "dataset.json",
        "manifest.parquet",
        "rejected.parquet",
        "plan.json",
        "silence.logmel-0f573aec.npy",
        *(shard + suffix for shard in shards for suffix in suffixes),
    ]
    assert sorted(whole) == sorted(expected)


def test_a_long_build_says_how_far_it_is_where_there_is_no_terminal(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("safe_data.core.progress.LINE_INTERVAL_SECONDS", 0.0)
    build_dataset(world, tmp_path / "out", shard_size=SHARD_SIZE)
    lines = capsys.readouterr().err.splitlines()
    steps = int(re.match(r"building world 1/(\d+)  ", lines[0])[1])  # type: ignore[index]
    assert len(lines) == steps
    assert re.fullmatch(rf"building world {steps}/{steps}  .* step/s  took \d+ s", lines[-1])


def test_the_same_inputs_give_the_same_bytes_elsewhere(
    world: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    shutil.copytree(world, tmp_path / "moved" / "world")
    build_dataset(tmp_path / "moved" / "world", tmp_path / "again", shard_size=SHARD_SIZE)
    assert files_of(tmp_path / "again") == whole
    assert not any(str(tmp_path).encode() in data for data in files_of(tmp_path / "again").values())


def test_building_again_changes_nothing(world: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    shutil.copytree(world.parent / "whole", tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*/*")}
    build_dataset(world, tmp_path / "out", shard_size=SHARD_SIZE)
    assert files_of(tmp_path / "out") == whole
    assert before == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*/*")}


def test_a_build_interrupted_anywhere_ends_with_the_same_bytes(
    world: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    """Press Ctrl-C at each write to disk in turn, and then continue."""
    for interrupted_at in count(1):
        out = tmp_path / str(interrupted_at)
        try:
            with interrupted_at_write(interrupted_at):
                build_dataset(world, out, shard_size=SHARD_SIZE)
            break
        except KeyboardInterrupt:
            assert not list(out.glob("**/.*")), "half-written files stay behind"
            build_dataset(world, out, shard_size=SHARD_SIZE)
            assert files_of(out) == whole
    assert interrupted_at > 2 * len(whole)


KILLED = """
import os, signal, sys
from pathlib import Path
from safe_data.build.build import build_dataset
sync, left = os.fsync, [int(sys.argv[3])]
def killing_sync(descriptor):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    sync(descriptor)
os.fsync = killing_sync
build_dataset(Path(sys.argv[1]), Path(sys.argv[2]), shard_size=2)
"""


def test_a_killed_build_goes_on_and_ends_with_the_same_bytes(
    world: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    for writes in (9, 13):  # the second kill comes while the first is being made good
        command = [sys.executable, "-c", KILLED, str(world), str(tmp_path / "out"), str(writes)]
        assert subprocess.run(command, timeout=60).returncode == -signal.SIGKILL
        assert list((tmp_path / "out").glob("**/.*.tmp"))
    assert not (tmp_path / "out" / "dataset.json").exists()
    build_dataset(world, tmp_path / "out", shard_size=SHARD_SIZE)
    assert files_of(tmp_path / "out") == whole


def test_a_shard_is_built_alike_in_another_process(
    world: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    plan = make_plan(list(read(world)), world, name="world", shard_size=SHARD_SIZE)
    pieces = [ShardPiece(str(world), str(tmp_path), plan.sha256, shard, ("logmel",)) for shard in plan.shards]
    assert pickle.loads(pickle.dumps(pieces)) == pieces
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        work = [pool.submit(build_shard, piece, int, load_once) for piece in pieces]
        done = [shard.result() for shard in work]
    assert [shard.shard for shard in done] == [shard.name for shard in plan.shards]
    in_shards = {name: data for name, data in whole.items() if "/" in name}
    assert files_of(tmp_path) == in_shards


@pytest.mark.parametrize("lost", [".tar", ".parquet", ".npy", ".done.json"])
def test_a_lost_or_shortened_file_is_made_again(
    lost: str, world: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(world.parent / "whole", out)
    first, second = [path for path in sorted(out.glob("train/*")) if path.name.endswith(lost)]
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    build_dataset(world, out, shard_size=SHARD_SIZE)
    assert files_of(out) == whole


class CountingEncoder(LogMelEncoder):
    """The embedded encoder under another name."""

    name = "counting"


def test_adding_an_encoder_writes_sidecars_only(
    world: Path, whole: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENCODERS, "counting", CountingEncoder)
    shutil.copytree(world.parent / "whole", tmp_path / "out")
    before = build_dataset(world, tmp_path / "out", shard_size=SHARD_SIZE).dataset
    after = build_dataset(world, tmp_path / "out", shard_size=SHARD_SIZE, encoders=["counting"]).dataset
    added = files_of(tmp_path / "out")
    assert after.fingerprint == before.fingerprint
    assert [encoding.name for encoding in after.encoders] == ["counting", "logmel"]
    changed = {name for name, data in added.items() if whole.get(name) != data}
    assert {name.split(".", 1)[1] for name in changed} == {
        "json",
        "done.json",
        f"{after.encoders[0].label}.npy",
    }
    assert verify_dataset(tmp_path / "out").findings == ()
    build_dataset(world, tmp_path / "at-once", shard_size=SHARD_SIZE, encoders=["logmel", "counting"])
    assert files_of(tmp_path / "at-once") == added


def test_a_plan_that_changed_is_refused(world: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    source, out = tmp_path / "world", tmp_path / "out"
    shutil.copytree(world, source)
    shutil.copytree(world.parent / "whole", out)
    refused = {
        "shard_size was 2, is 3": {"shard_size": 3},
        "name was 'world', is 'other'": {"name": "other", "shard_size": 2},
    }
    for difference, options in refused.items():
        with pytest.raises(
            InputError, match=rf"was begun with another plan \({difference}\); give the same records"
        ):
            build_dataset(source, out, **options)
    sound = source / "sounds" / "clip-003.wav"
    sound.write_bytes(sound_bytes(seed=3, rate=16000))
    with pytest.raises(InputError, match=r"\(other records or media in world-train-000001\)"):
        build_dataset(source, out, shard_size=SHARD_SIZE)
    (out / "plan.json").write_text("[]")
    with pytest.raises(InputError, match=r"\(plan.json is damaged\)"):
        build_dataset(source, out, shard_size=SHARD_SIZE)


def test_a_foreign_directory_is_not_built_in(world: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(
        InputError, match=r"holds 'thesis.tex' and no dataset; name an empty or new directory$"
    ):
        build_dataset(world, tmp_path)
    with pytest.raises(InputError, match=r"is a file; name a directory for the dataset$"):
        build_dataset(world, tmp_path / "thesis.tex")
    assert files_of(tmp_path) == {"thesis.tex": b"precious"}


def test_two_builds_do_not_write_in_one_directory(world: Path, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"), pytest.raises(InputError, match="another build is writing here"):
        build_dataset(world, tmp_path)


def test_a_bad_source_writes_nothing(tmp_path: Path) -> None:
    source = write_rows(tmp_path / "world", [row(0, lable="x")])
    with pytest.raises(InputError, match="did you mean 'label'"):
        build_dataset(source, tmp_path / "out")
    with pytest.raises(InputError, match=r"^source 'foldr' is unknown; did you mean 'folder'\?$"):
        build_dataset(source, tmp_path / "out", source="foldr")
    with pytest.raises(InputError, match=r"^encoder 'logmal' is unknown"):
        build_dataset(write_folder(tmp_path / "fine"), tmp_path / "out", encoders=["logmal"])
    assert not (tmp_path / "out").exists()


def test_every_manifest_column_says_what_is_in_the_tar(world: Path, whole: dict[str, bytes]) -> None:
    records = {record.id: record for record in read(world) if isinstance(record, Record)}
    for found in manifest.read(world.parent / "whole" / "manifest.parquet").to_pylist():
        record = records[found["id"]]
        tar = whole[f"{found['split']}/{found['shard']}.tar"]
        text = tar[found["json_offset"] :][: found["json_size"]]
        assert Record.model_validate_json(text) == record
        assert (found["has_audio"], found["has_image"]) == (
            record.audio is not None,
            record.image is not None,
        )
        assert (found["examples"], found["audio_examples"]) == (2, 1)
        picture = tar[found["image_offset"] :][: found["image_size"]]
        assert record.image is not None
        assert picture == (world / record.image).read_bytes()
        if record.audio is not None:
            assert (
                tar[found["audio_offset"] :][: found["audio_size"]]
                == (world / record.audio.path).read_bytes()
            )
            assert (found["duration_seconds"], found["sample_rate_hz"], found["channels"]) == (1.0, 8000, 1)
        else:
            assert found["audio_name"] is found["pcm_sha256"] is found["rms_db"] is None


@pytest.fixture
def many(tmp_path: Path) -> Path:
    rows = [row(number, split="train") for number in range(40)]
    for number, fields in enumerate(rows):
        if number % 3 == 0:
            del fields["audio_file_name"]
    write_media(tmp_path / "world", rows)
    return write_rows(tmp_path / "world", rows)


def test_batches_of_clips_with_and_without_sound_keep_their_rows(many: Path, tmp_path: Path) -> None:
    build_dataset(many, tmp_path / "out")
    dataset = ShardDataset(tmp_path / "out", "train")
    heard = dataset.embeddings(range(40)).any(axis=1)
    assert heard.tolist() == dataset.has_audio.tolist() == [number % 3 != 0 for number in range(40)]

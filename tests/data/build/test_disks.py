"""Full or read-only disks, foreign directories and changed media never leave a dataset that is half valid."""

import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from builds import COMMAND, begin, build, built, nothing_is_half_valid, shards_done, within, write_world
from folders import sound_bytes

from safe_data.core.errors import InputError
from safe_data.core.files import committing
from safe_data.shards.verify import verify_dataset

CLIPS = 24


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("disks") / "world", CLIPS)


@pytest.fixture(scope="module")
def whole(world: Path) -> dict[str, bytes]:
    """The bytes of an undisturbed build."""
    assert build(world, world.parent / "whole") == (0, "")
    return built(world.parent / "whole")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A small separate disk; call it with mount options to mount it or change it."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> Path:
        if os.path.ismount(folder):
            options = f"remount,{options}"
        tried = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True
        )
        if tried.returncode:
            pytest.skip(f"no disk can be mounted here: {tried.stderr.strip()}")
        return folder

    yield mount
    if os.path.ismount(folder):
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_disk(world: Path, whole: dict[str, bytes], disk: Callable[[str], Path], workers: int) -> None:
    size = sum(map(len, whole.values()))
    out = disk(f"size={size // 2}") / "out"
    code, errors = build(world, out, "--workers", workers)
    assert code == 3
    assert errors.startswith(f"safe-data build: {out}/train/world-train-0000")
    assert errors.endswith(
        "cannot be written (No space left on device); make room and run the same command again, "
        "it goes on where it stopped\n"
    )
    assert errors.count("\n") == 1
    assert shards_done(out)
    nothing_is_half_valid(out)
    disk(f"size={4 * size}")
    assert build(world, out, "--workers", workers) == (0, "")
    assert built(out) == whole


def test_a_read_only_root(world: Path, whole: dict[str, bytes], disk: Callable[[str], Path]) -> None:
    root = disk("size=8m,rw")
    shutil.copytree(world.parent / "whole", root / "whole")
    (root / "out").mkdir()
    disk("ro")
    for out in (root / "out", root / "new", root / "whole"):
        code, errors = build(world, out)
        assert code == 3
        message = f"safe-data build: {out}: cannot be written (Read-only file system); name a directory"
        assert errors == f"{message} that you may write to\n"
    assert built(root / "whole") == whole
    assert verify_dataset(root / "whole").findings == ()


def write_much(path: Path) -> None:
    with committing(path) as file:
        file.write(b"x" * 10_000)


def test_a_limit_on_file_sizes_is_a_full_disk_too(world: Path, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(InputError, match=r"file: cannot be written \(File too large\); make room"):
            write_much(tmp_path / "file")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


def test_two_builds_at_once(world: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = begin(world, out)
    within(30, lambda: (out / "plan.json").exists())
    os.kill(first.pid, signal.SIGSTOP)
    code, errors = build(world, out)
    assert not (out / "dataset.json").exists()
    os.kill(first.pid, signal.SIGCONT)
    assert code == 3
    assert errors == f"safe-data build: {out}: another build is writing here; wait for it, or name another\n"
    first.communicate(timeout=60)
    assert first.returncode == 0
    assert built(out) == whole


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 1024 * 512])


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        (
            cut,
            "damaged, {half} bytes instead of {size}: the sound of 'clip-007' and all after it, which are "
            "cut off; run the build again",
        ),
        (
            flip,
            "damaged, its bytes have changed: the sound of 'clip-007' (clip-007.wav, bytes 20480 to 36523); "
            "run the build again",
        ),
        (Path.unlink, "missing; run the build again"),
    ],
)
def test_a_damaged_tar_is_named_and_made_again(
    world: Path, whole: dict[str, bytes], tmp_path: Path, damage: Callable[[Path], None], finding: str
) -> None:
    out = tmp_path / "out"
    shutil.copytree(world.parent / "whole", out)
    tar = out / "train" / "world-train-000003.tar"
    size = tar.stat().st_size
    damage(tar)
    ran = subprocess.run([*COMMAND, "verify", out], capture_output=True, text=True)
    assert ran.returncode == 1
    expected = finding.format(size=size, half=size // 1024 * 512)
    assert ran.stdout.splitlines() == [
        f"train/world-train-000003.tar: {expected}",
        f"{out}: not as it was written, 1 fault",
    ]
    assert build(world, out) == (0, "")
    assert built(out) == whole


def test_another_plan_is_refused_and_nothing_touched(
    world: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(world.parent / "whole", out)
    code, errors = build(world, out, shard_size=3)
    assert (code, errors.count("\n")) == (3, 1)
    assert "was begun with another plan (shard_size was 2, is 3); give the same" in errors
    assert built(out) == whole


@pytest.mark.parametrize("workers", [1, 2])
def test_media_that_changed_at_the_same_size_are_not_mixed_in(
    world: Path, tmp_path: Path, workers: int
) -> None:
    """Write all sounds again with another gain: sizes, and so the plan, do not change."""
    source, out = tmp_path / "world", tmp_path / "out"
    shutil.copytree(world, source)
    shutil.copytree(world.parent / "whole", out)
    for shard in range(5, 12):
        for path in out.glob(f"train/*-{shard:06d}.*"):
            path.unlink()
    before = built(out)
    for number in range(CLIPS):
        (source / "sounds" / f"clip-{number:03d}.wav").write_bytes(sound_bytes(seed=1000 + number))
    code, errors = build(source, out, "--workers", workers)
    assert (code, errors.count("\n")) == (3, 1)
    assert "-000000.tar: the media of 'clip-000' are not those it was built from; give the same" in errors
    assert {name: data for name, data in built(out).items() if name in before} == before


def test_a_tar_made_again_from_other_media_is_refused(world: Path, tmp_path: Path) -> None:
    source, out = tmp_path / "world", tmp_path / "out"
    shutil.copytree(world, source)
    shutil.copytree(world.parent / "whole", out)
    (out / "train" / "world-train-000000.tar").unlink()
    (source / "sounds" / "clip-001.wav").write_bytes(sound_bytes(seed=1000))
    code, errors = build(source, out)
    assert (code, errors.count("\n")) == (3, 1)
    assert "-000000.tar: made again, it differs, so the media have changed; give the same" in errors
    assert not (out / "train" / "world-train-000000.tar").exists()

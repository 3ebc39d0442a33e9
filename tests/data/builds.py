"""Run `safe-data build` in a separate process, so that a test can kill it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from folders import files_of, row, write_media, write_rows

from safe_data.shards.layout import Done, read_json
from safe_data.shards.storage import Folder

COMMAND = [sys.executable, "-c", "import sys; from safe_data.cli import main; sys.exit(main())"]


def write_world(root: Path, clips: int) -> Path:
    """A folder dataset with one split."""
    rows = [row(number) for number in range(clips)]
    write_media(root, rows)
    return write_rows(root, rows)


def begin(world: Path, out: Path, *options: object, shard_size: int = 2) -> "subprocess.Popen[str]":
    """Start `safe-data build` without waiting for it."""
    # Progress is shown of what takes long, and a busy machine takes long.
    arguments = ["build", world, out, "--shard-size", shard_size, "--quiet", *options]
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def build(world: Path, out: Path, *options: object, shard_size: int = 2) -> tuple[int, str]:
    """Run it to its end; return the exit code and the errors."""
    with begin(world, out, *options, shard_size=shard_size) as running:
        try:
            _, errors = running.communicate(timeout=120)
        except subprocess.TimeoutExpired:
            running.kill()
            raise
    return running.returncode, errors


def built(out: Path) -> dict[str, bytes]:
    """All files but options.yaml, which names the directories."""
    return {name: data for name, data in files_of(out).items() if name != "options.yaml"}


@contextmanager
def interrupted_at_write(number: int) -> Iterator[None]:
    """Ctrl-C at the n-th write to disk."""
    sync, left = os.fsync, number

    def interrupted_sync(descriptor: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise KeyboardInterrupt
        sync(descriptor)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", interrupted_sync)
        yield


def within(seconds: float, true: Callable[[], bool]) -> None:
    """Wait until it is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def gone(processes: list[psutil.Process]) -> bool:
    """Whether none of the processes runs any more; a zombie does not run."""
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


def shards_done(out: Path) -> list[Path]:
    return list(out.glob("*/*.done.json"))


def nothing_is_half_valid(out: Path) -> None:
    """No dataset, no half-written file, and every done.json is right."""
    assert not (out / "dataset.json").exists()
    assert not list(out.glob("**/.*"))
    for path in shards_done(out):
        done = read_json(Folder(path.parent), path.name, Done)
        assert {name: (path.parent / name).stat().st_size for name in done.files} == {
            name: facts.bytes for name, facts in done.files.items()
        }

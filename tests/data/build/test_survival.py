"""A build survives kills of itself, its workers or Ray's at any moment, and Ctrl-C, with the same bytes."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest
from builds import begin, build, built, gone, nothing_is_half_valid, shards_done, within, write_world

CLIPS = 48


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_world(tmp_path_factory.mktemp("survival") / "world", CLIPS)


@pytest.fixture(scope="module")
def whole(world: Path) -> dict[str, bytes]:
    """The bytes of an undisturbed build."""
    assert build(world, world.parent / "whole") == (0, "")
    return built(world.parent / "whole")


def kill_and_resume(
    world: Path, whole: dict[str, bytes], folder: Path, kills: int, seed: int, *options: object
) -> None:
    """Kill -9 at random moments and continue at once; use a new directory whenever a build was finished."""
    moments = random.Random(seed)
    seconds, done, out = 1.0, 0, folder / "0"
    while done < kills:
        running = begin(world, out, *options)
        began = wait_for_work(running, out)
        pause = moments.uniform(0, seconds)
        while running.poll() is None and time.monotonic() - began < pause:
            time.sleep(0.002)
        if running.poll() is None:
            kill(running)
            done += 1
        else:
            assert running.communicate()[1] == ""
            assert built(out) == whole
            seconds, out = time.monotonic() - began, folder / str(done)
    assert build(world, out, *options) == (0, "")
    assert built(out) == whole


def wait_for_work(running: "subprocess.Popen[str]", out: Path) -> float:
    within(30, lambda: (out / "plan.json").exists() or running.poll() is not None)
    return time.monotonic()


def kill(running: "subprocess.Popen[str]") -> None:
    """Kill the build but not its workers, which must notice that it is gone."""
    children = psutil.Process(running.pid).children(recursive=True)
    workers = [child for child in children if "Agent" not in child.name()]  # Ray's own take half a minute
    running.kill()
    running.communicate()
    within(10, lambda: gone(workers))


@pytest.mark.parametrize("workers", [1, 2])
def test_three_kills(world: Path, whole: dict[str, bytes], tmp_path: Path, workers: int) -> None:
    kill_and_resume(world, whole, tmp_path, 3, workers, "--workers", workers)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_twenty_kills(world: Path, whole: dict[str, bytes], tmp_path: Path, workers: int) -> None:
    kill_and_resume(world, whole, tmp_path, 20, workers, "--workers", workers)


@pytest.mark.slow
def test_kills_of_a_build_on_ray(world: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    kill_and_resume(world, whole, tmp_path, 4, 0, "--workers", 2, "--engine", "ray")


def test_killed_workers_lose_nothing(world: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    running = begin(world, tmp_path / "out", "--workers", 2)
    parent = psutil.Process(running.pid)
    within(30, lambda: len(shards_done(tmp_path / "out")) >= 2)
    for worker in [child for child in parent.children() if "spawn_main" in " ".join(child.cmdline())]:
        worker.kill()
    assert not (tmp_path / "out" / "dataset.json").exists()
    _, errors = running.communicate(timeout=60)
    assert (running.returncode, errors) == (0, "")
    assert built(tmp_path / "out") == whole


def test_ray_gives_the_same_bytes_though_its_workers_are_killed(
    world: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    running = begin(world, tmp_path / "out", "--workers", 2, "--engine", "ray")
    parent = psutil.Process(running.pid)
    within(60, lambda: len(shards_done(tmp_path / "out")) >= 2)
    killed = set()
    for process in parent.children(recursive=True):
        kind = process.name().partition("::")[2][:5]  # a task's worker, or an encoder's
        if kind in ("_work", "_Enco") and kind not in killed:
            process.kill()
            killed.add(kind)
    assert killed == {"_work", "_Enco"}
    assert not (tmp_path / "out" / "dataset.json").exists()
    _, errors = running.communicate(timeout=120)
    assert (running.returncode, errors) == (0, "")
    assert built(tmp_path / "out") == whole


@pytest.mark.parametrize("workers", [1, 2])
def test_ctrl_c_is_one_line_and_leaves_nobody(world: Path, tmp_path: Path, workers: int) -> None:
    running = begin(world, tmp_path / "out", "--workers", workers, shard_size=1)
    within(30, lambda: len(shards_done(tmp_path / "out")) >= 2)
    workers_running = psutil.Process(running.pid).children(recursive=True)
    os.killpg(running.pid, signal.SIGINT)
    _, errors = running.communicate(timeout=20)
    assert errors == "safe-data build: interrupted; run the same command again\n"
    assert running.returncode == 2
    within(5, lambda: gone(workers_running))
    nothing_is_half_valid(tmp_path / "out")

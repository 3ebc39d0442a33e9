"""Predictions survive: killed at any moment, or shared by processes, the file ends with the same bytes."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from safe_train.cli import main

CONDITIONS = ("full", "mute_audio", "swap_audio", "noise_audio")
RUN = """
import sys, torch
torch.set_num_threads(1)
from safe_train.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def words(adapter: Path, shards: Path, untaught: Path) -> list[str]:
    asked = [word for condition in CONDITIONS for word in ("--condition", condition)]
    return [
        "predict",
        str(adapter),
        str(shards),
        "--backbone",
        str(untaught),
        "--batch-size",
        "4",
        "--answer-tokens",
        "6",
        *asked,
    ]


@pytest.fixture(scope="module")
def whole(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What an undisturbed run writes."""
    out = tmp_path_factory.mktemp("whole") / "predictions.jsonl"
    assert main([*words, "--out", str(out)]) == 0
    return out.read_bytes()


def run(words: Sequence[str], **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", RUN, *words],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(words: Sequence[str], out: Path) -> bytes:
    """Run a command to its end; what it wrote."""
    process = run([*words, "--out", str(out)])
    said = process.communicate()
    assert process.returncode == 0, said
    return out.read_bytes()


def size(out: Path) -> int:
    part = out.with_name(f"{out.name}.part")
    return part.stat().st_size if part.is_file() else 0


def killed(words: Sequence[str], out: Path, number: signal.Signals, beyond: int) -> tuple[int, str]:
    """Start a run and send it a signal once its part is longer than this; its exit code and what it said."""
    process = run([*words, "--out", str(out)])
    while process.poll() is None and size(out) <= beyond:
        time.sleep(0.002)
    process.send_signal(number)
    _, said = process.communicate()
    return process.returncode, said


@pytest.mark.slow  # half a minute; test_output.py cuts a run at any byte in every test run
def test_killed_twice_it_ends_with_the_same_bytes(words: list[str], whole: bytes, tmp_path: Path) -> None:
    out = tmp_path / "predictions.jsonl"
    code, _ = killed(words, out, signal.SIGKILL, beyond=len(whole) // 5)
    assert code == -signal.SIGKILL
    assert 0 < size(out) < len(whole)
    code, said = killed(words, out, signal.SIGTERM, beyond=size(out))
    assert (code, said) == (2, "safe-train predict: interrupted; run the same command again\n")
    assert 0 < size(out) < len(whole)
    assert not out.exists()
    assert finish(words, out) == whole


@pytest.mark.slow  # test_output.py tries the parts of two processes every time
def test_two_processes_write_what_one_writes(words: list[str], whole: bytes, tmp_path: Path) -> None:
    out = tmp_path / "predictions.jsonl"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    processes = [
        run([*words, "--out", str(out)], RANK=rank, LOCAL_RANK=rank, OMP_NUM_THREADS="1", **shared)
        for rank in ("0", "1")
    ]
    said = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert [text.count(" predictions, 0 errors") for text, _ in said] == [1, 0]
    assert out.read_bytes() == whole
    assert sorted(path.name for path in tmp_path.glob("predictions*")) == [
        "predictions.jsonl",
        "predictions.jsonl.run.json",
    ]


@pytest.mark.slow
def test_killed_ten_times_at_random_it_ends_with_the_same_bytes(
    words: list[str], whole: bytes, tmp_path: Path
) -> None:
    draw = random.Random(0)
    out = tmp_path / "predictions.jsonl"
    started = time.monotonic()
    assert finish(words, tmp_path / "timed.jsonl") == whole
    seconds = time.monotonic() - started
    kills = 0
    while kills < 10:
        process = run([*words, "--out", str(out)])
        time.sleep(draw.uniform(0, seconds))
        if process.poll() is None:
            process.send_signal(draw.choice((signal.SIGKILL, signal.SIGTERM, signal.SIGINT)))
            kills += 1
        process.communicate()
        if out.exists():  # it was finished too early: kill another run
            assert out.read_bytes() == whole
            for file in tmp_path.glob("predictions*"):
                file.unlink()
    assert finish(words, out) == whole

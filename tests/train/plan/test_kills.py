"""Kills of a plan in every step: the same command goes on, and ends with what an unstopped run ends with.

All experiments run, on small shards and an untaught toy. Each run is a process of its own, forked so that the
libraries are loaded once; its workers are spawned, as ever.
"""

import multiprocessing
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import msgspec
import psutil
import pytest
import yaml
from made_experiments import OWN

from safe_data.core.command import DEFECT
from safe_train.cli import main
from safe_train.plan.checklist import CHECKLIST
from safe_train.plan.claim import RUNNING
from safe_train.plan.record import RECORD

pytestmark = pytest.mark.slow  # some minutes; a stop and a failure within a process are tried every time

GRID = """
about: Which tokens?
presets: [demo]
vary: {tokens: [2, 4]}
seeds: [0]
split: test
latency_questions: 4
rules:
  - {rule: smallest, targets: [{metric: audio_gain, at_least: 0.03}]}
"""
EXPERIMENTS = {
    "data": {"suites": ["schema", "load"]},
    "freeze": {"samples": 8, "repeats": 8},
    "overfit": {"examples": 20, "steps": 20},
    "pilot": {"timed_questions": 20},
    "gates": {"kinds": ["entropy"], "split": "test", "bound": 0.9, "vl_bound": 0.9, "timed_questions": 20},
    "profile": {"measuring": {"questions": 8, "repeats": 8, "sounds": 8}},
    "curriculum": {"eval_steps": 2, "validation_questions": 6},
    "retention": {"steps": 4},
    "sweep": {"grids": ["grid.yaml"], "changes": ["steps=4", "bottleneck=32", "answer_tokens=2"]},
    # A policy that pays by latency learns from what was measured, which no run finds again.
    "policy": {"cost": "tokens", "vl_bound": 0.9, "timed_questions": 20},
}
PLAN, OUT = "small.yaml", "plan"
BEGINS = re.compile(r"\d+/\d+ ([\w-]+): (?:begins|goes on)")
# What is measured in seconds, bytes or cores, or says when and where it was.
TIMES = re.compile(r"time_|latency|throughput|memory|predictable|largest|wait|quick|fits|cached|sounds_")
ROW_TIMES = ("latency_ms", "gate_ms", "metadata")


@dataclass
class Run:
    """A run of the plan in a folder: its process and what it prints."""

    process: Any
    lines: TextIO

    def end(self) -> int:
        """Read what it prints to the end; return its exit code."""
        with self.lines:
            self.lines.read()
        self.process.join()
        return int(self.process.exitcode)


def start(at: Path, workers: int) -> Run:
    reader, writer = os.pipe()
    process = multiprocessing.get_context("fork").Process(target=_run, args=(at, workers, writer))
    process.start()
    os.close(writer)
    return Run(process, os.fdopen(reader))


def _run(at: Path, workers: int, writer: int) -> None:
    os.chdir(at)  # so that no path among the results tells two runs apart
    sys.stdout = os.fdopen(writer, "w", buffering=1)
    sys.stderr = Path("errors.txt").open("a")  # noqa: SIM115 - stays open, as a stream does
    sys.exit(main(["plan", "run", PLAN, "--out", OUT, "--workers", str(workers), "--quiet"]))


def prepared(at: Path, shards: Path, backbone: Path) -> Path:
    at.mkdir()
    (at / "grid.yaml").write_text(GRID)
    content = {
        "shards": [str(shards)],
        "backbone": str(backbone),
        "seeds": [0, 1],
        "conditions": ["full", "gate_off", "mute_audio"],
        "options": {**OWN, "tracker": ["none"], "answer_tokens": 2, "tokens": [2, 4]},
        "experiments": EXPERIMENTS,
    }
    (at / PLAN).write_text(yaml.safe_dump(content))
    return at


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, shards: Path, untaught: Path) -> Path:
    """The folder of a run that nothing stops, with one worker."""
    at = prepared(tmp_path_factory.mktemp("whole") / "at", shards, untaught)
    code = start(at, 1).end()
    assert code < DEFECT, (at / "errors.txt").read_text()
    assert not list((at / OUT).glob("*/failed.json"))
    return at


def steps_in(at: Path) -> dict[str, Any]:
    """The records of all steps by their names."""
    read = (msgspec.json.decode(file.read_bytes()) for file in (at / OUT).glob(f"*/{RECORD}"))
    return {one["name"]: one for one in read}


def findings_of(rows: list[dict[str, Any]]) -> list[Any]:
    """Findings; of those that hold times, the name and what is demanded alone."""
    return [(row["name"], row["bound"]) if TIMES.search(row["name"]) else row for row in rows]


def results(at: Path) -> Iterator[tuple[str, Any]]:
    """What must be equal however often a run was killed: findings, answers, adapters, and the checklist."""
    for name, record in sorted(steps_in(at).items()):
        kept = {field: record[field] for field in ("key", "inputs", "needs")}
        yield name, (kept, findings_of(record["findings"]), sorted(record["files"]))
    for file in sorted((at / OUT).rglob("*")):
        name = file.relative_to(at).as_posix()
        if file.suffix == ".safetensors" or file.name in ("losses.jsonl", "evaluations.jsonl"):
            yield name, file.read_bytes()
        elif file.suffix == ".jsonl" and "profile" not in name:
            rows = [msgspec.json.decode(line) for line in file.read_bytes().splitlines()]
            yield name, [{key: row[key] for key in row if key not in ROW_TIMES} for row in rows]
        elif file.is_file() and "profile" not in name:
            yield name, "is there"
    found = msgspec.json.decode((at / OUT / CHECKLIST).read_bytes())
    for one in found["experiments"]:
        yield f"checklist: {one['name']}", (one["why"], one["folder"], findings_of(one["findings"]))
    yield "checklist", [found[name] for name in ("seeds", "failed", "has_defect", "versions", "made_by")]


def differing(one: Path, other: Path) -> dict[str, Any]:
    """What differs between two runs, or is in one of them alone."""
    first, second = dict(results(one)), dict(results(other))
    return {n: (first.get(n), second.get(n)) for n in first | second if first.get(n) != second.get(n)}


def within(seconds: float, holds: Callable[[], bool]) -> bool:
    until = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def kill_in_every_step(at: Path, workers: int, seconds: dict[str, float], times: int) -> Counter[str]:
    """Run until it ends, killed so often in every step, sooner and later; count the kills within a step."""
    rng = random.Random(0)
    kills: Counter[str] = Counter()
    cut: Counter[str] = Counter()
    while True:
        run = start(at, workers)
        for line in run.lines:
            found = BEGINS.match(line)
            if found is None or kills[found[1]] == times:
                continue
            name = found[1]
            folder = _soon(at, name)
            within(300, lambda folder=folder: (folder / RUNNING).is_file() or (folder / RECORD).is_file())
            is_early = (kills[name] + len(kills)) % 2
            time.sleep((rng.uniform(0, 0.2) if is_early else rng.uniform(0.5, 0.8)) * seconds[name])
            own = psutil.Process(run.process.pid).children(recursive=True)
            run.process.kill()
            run.end()
            # One that was still loading notices when it has loaded.
            assert within(60, lambda own=own: not alive(own)), f"goes on without its plan: {alive(own)}"
            kills[name] += 1
            cut[name] += not (folder / RECORD).is_file()
            break
        else:
            assert run.end() < DEFECT, (at / "errors.txt").read_text()
            assert set(kills.values()) <= set(range(1, times + 1))  # a step may end before its last kill
            return cut


def _soon(at: Path, name: str) -> Path:
    """The folder of a step, which is made a moment after it is said to begin: once a worker has loaded."""
    assert within(300, lambda: any((at / OUT).glob(f"{name}-????????")))
    return next((at / OUT).glob(f"{name}-????????"))


@pytest.mark.parametrize(("workers", "times"), [(1, 2), (2, 1)])
def test_kills_in_every_step_change_nothing(
    whole: Path, tmp_path: Path, shards: Path, untaught: Path, workers: int, times: int
) -> None:
    at = prepared(tmp_path / "at", shards, untaught)
    seconds = {name: record["seconds"] for name, record in steps_in(whole).items()}
    cut = kill_in_every_step(at, workers, seconds, times)
    print({name: f"{cut[name]} of {times} in {seconds[name]} s" for name in seconds})
    assert len(+cut) >= len(seconds) // 2  # others were over before the kill
    assert differing(whole, at) == {}


def test_two_workers_end_with_what_one_ends_with(
    whole: Path, tmp_path: Path, shards: Path, untaught: Path
) -> None:
    at = prepared(tmp_path / "at", shards, untaught)
    assert start(at, 2).end() < DEFECT
    assert differing(whole, at) == {}

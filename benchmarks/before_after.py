"""score + verdict + report as whole processes, beside the commit before every arm was scored only once.

The earlier commit is unpacked from this repository's history, so the check takes a clone with its history.
"""

import io
import os
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from benchmarks import made_text, process
from benchmarks.machine import describe
from benchmarks.timing import in_turns, print_line, print_ratio

BEFORE = "c67987c"
PREDICTIONS, REPEATS = 200_000, 3
COMMANDS = ("score", "verdict", "report")
ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    """Run the three commands of both trees in turns, each on its own copy of the same predictions."""
    print_line(benchmark="before_after", **describe())
    with tempfile.TemporaryDirectory() as folder:
        before, run = Path(folder, "before"), Path(folder, "run")
        if not _unpack(before):
            print_line(benchmark="before_after", not_measured=f"no commit {BEFORE} in this clone")
            return
        made_text.write_run(run / "predictions.jsonl", PREDICTIONS)
        peaks: dict[Path, list[float]] = {before: [], ROOT: []}
        taken: dict[Path, list[dict[str, float]]] = {before: [], ROOT: []}

        def timed(tree: Path) -> float:
            seconds = {}
            for command in COMMANDS:
                found = process.run(_command(command, run, tree), allowed=(0, 1), environment=_of(tree))
                seconds[command] = found.wall_seconds
                peaks[tree].append(found.peak_mb)
            taken[tree].append(seconds)
            return sum(seconds.values())

        ours, theirs = in_turns(REPEATS, lambda: timed(ROOT), lambda: timed(before))
    print_ratio(
        "before_after",
        f"score + verdict + report of {PREDICTIONS} predictions, whole processes",
        "runs/s",
        [1 / seconds for seconds in ours],
        [1 / seconds for seconds in theirs],
        {
            "ours_seconds": ours,
            "reference_seconds": theirs,
            "ours_by_command": taken[ROOT],
            "reference_by_command": taken[before],
            "ours_peak_mb": max(peaks[ROOT]),
            "reference_peak_mb": max(peaks[before]),
        },
        at_least=1.4,
    )


def _unpack(folder: Path) -> bool:
    """The tree of the earlier commit, if this clone has it."""
    found = subprocess.run(["git", "archive", BEFORE], cwd=ROOT, capture_output=True, check=False)
    if found.returncode:
        return False
    with tarfile.open(fileobj=io.BytesIO(found.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return True


def _command(name: str, run: Path, tree: Path) -> list[str | Path]:
    """A command of one tree. Criteria of the demo cannot all hold here, so a verdict may exit with 1."""
    start = [
        sys.executable,
        "-P",
        "-c",
        "import sys, safe_eval.cli as c; sys.exit(c.main(sys.argv[1:]))",
        name,
    ]
    out = run / ("after" if tree == ROOT else "before")
    if name == "score":
        return [*start, run / "predictions.jsonl", "--out", out]
    return [*start, out, *(["--criteria", "demo"] if name == "verdict" else [])]


def _of(tree: Path) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(tree)}

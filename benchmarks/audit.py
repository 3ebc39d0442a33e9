"""A check of a million records by all suites that come with SAFE, and an audit of them, in whole processes.

The dataset is made, see `made_dataset`; near-identical sounds and neighbours among embeddings have benchmarks
of their own. `SCALE=0.01 python -m benchmarks audit` is a quick look.
"""

import json
import os
import tempfile
from pathlib import Path
from time import perf_counter

from benchmarks import process
from benchmarks.machine import describe
from benchmarks.made_dataset import EXAMPLES, write_dataset
from benchmarks.timing import print_line
from safe_data.audit.corpus import open_corpus
from safe_data.audit.facts.all_facts import compute_facts
from safe_data.audit.judge import facts_named
from safe_data.audit.suites import load_suites
from safe_data.core.command import DOES_NOT_HOLD, HOLDS

RECORDS, GOAL_SECONDS, GOAL_MB = 1_000_000, 60, 2_000
TELLING_SECONDS = 0.1  # what a fact takes at least to be named in a line


def main() -> None:
    """The machine, then a line for each command, and one that says which facts take the time."""
    records = round(RECORDS * float(os.environ.get("SCALE", "1")))
    print_line(benchmark="audit", **describe())
    with tempfile.TemporaryDirectory() as folder:
        root = write_dataset(Path(folder) / "made", records)
        measure_check(root, records)
        measure_audit(root, records)
        measure_facts(root, records)


def measure_check(root: Path, records: int) -> None:
    """All suites; a rule that could not be judged stops the benchmark, by the exit code."""
    program = process.program("safe-data")
    taken = process.run([program, "check", str(root), "--quiet", "--force"], allowed=(HOLDS, DOES_NOT_HOLD))
    labels = [one["label"] for one in json.loads((root / "check" / "results.json").read_bytes())["results"]]
    met = taken.wall_seconds <= GOAL_SECONDS and taken.peak_mb <= GOAL_MB
    judged = sum(label not in ("n/a", "not judged") for label in labels)
    goal = f"<= {GOAL_SECONDS} s, <= {GOAL_MB} MB"
    _print(
        "safe-data check, all suites", taken, records, goal=goal, met=met, rules=len(labels), judged=judged
    )


def measure_audit(root: Path, records: int) -> None:
    """The audit writes its files, the page too; no goal is set for it."""
    taken = process.run([process.program("safe-data"), "audit", str(root), "--quiet"])
    _print("safe-data audit, with its page", taken, records)


def measure_facts(root: Path, records: int) -> None:
    """What each fact adds in one process, in the order of the list; what several need, the first finds."""
    start = perf_counter()
    corpus = open_corpus([str(root)])
    seconds = {"opening": perf_counter() - start}
    for name in facts_named(load_suites()):
        start = perf_counter()
        compute_facts(corpus, [name])
        seconds[name] = perf_counter() - start
    print_line(
        benchmark="audit",
        what="facts in one process",
        seconds=sum(seconds.values()),
        peak_mb=process.own_peak_mb(),
        records=records,
        longest={
            name: float(f"{taken:.3g}")
            for name, taken in sorted(seconds.items(), key=lambda one: -one[1])
            if taken >= TELLING_SECONDS
        },
    )


def _print(what: str, taken: process.Taken, records: int, **more: object) -> None:
    print_line(
        benchmark="audit",
        what=what,
        seconds=taken.wall_seconds,
        processor_seconds=taken.processor_seconds,
        peak_mb=taken.peak_mb,
        records=records,
        examples=records * EXAMPLES,
        **more,
    )

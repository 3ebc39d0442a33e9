"""The benchmarks that pages and docstrings name are there, and the simulations start."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.coverage_simulation import TOPICS, command
from benchmarks.made_dataset import EXAMPLES, write_dataset
from safe_data.audit.corpus import open_corpus
from safe_data.audit.facts.all_facts import FACTS, compute_facts

ROOT = Path(__file__).resolve().parents[1]
NAMED = re.compile(r"python -m benchmarks[. ]([a-z_]+)")


def test_every_benchmark_that_is_named_can_be_run() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "benchmarks", "none"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 2
    there = set(ran.stderr.partition("there are ")[2].strip().split(", "))
    files = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    files += [*(ROOT / "safe_eval").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    named = {name for file in files for name in NAMED.findall(file.read_text("utf-8"))}
    assert "coverage_simulation" in named
    assert named - there == set()


def test_every_topic_that_is_named_can_be_simulated() -> None:
    page = (ROOT / "docs/evaluation.md").read_text("utf-8")
    named = re.findall(r"coverage_simulation ([a-z]+)", page) + re.findall(r"topic `([a-z]+)`", page)
    assert set(named) >= {"lomo", "shrinkage", "frontiers"}
    assert set(named) - set(TOPICS) == set()


@pytest.mark.parametrize("words", [["power", "unknown"], ["--topic", "power"]])
def test_an_unknown_topic_is_refused_with_those_there_are(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(words) == 2
    assert "there are means, differences, seeds, " in capsys.readouterr().err


def test_help_names_the_topics(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["--help"]) == 0
    assert capsys.readouterr().err.startswith("usage: python -m benchmarks.coverage_simulation [TOPIC …]; ")


def test_every_fact_reads_the_dataset_that_an_audit_is_timed_on(tmp_path: Path) -> None:
    facts = compute_facts(open_corpus([str(write_dataset(tmp_path / "made", 400))]), FACTS)
    assert [(name, fact.why_not) for name, fact in facts.items() if fact.value is None and fact.applies] == []
    assert facts["examples"].value == 400 * EXAMPLES
    assert {facts[name].value for name in FACTS if name.endswith("in_two_splits")} == {0}
    assert facts["empty_references"].value == facts["conflicting_answers"].value == 0

"""The workflows of docs/ci.md are whole, and their commands stop a bad dataset and let a good one pass."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from safe_data.sources.synthetic.faults import parse_faults
from safe_data.sources.synthetic.world import write_world

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "ci.md").read_text("utf-8")


def workflows() -> tuple[dict[Any, Any], dict[Any, Any]]:
    github, gitlab = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
    return github, gitlab


def steps() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = workflows()[0]["jobs"]["check"]["steps"]
    return found


def test_github_keeps_the_page_after_a_failure() -> None:
    kept = steps()[-1]
    assert (kept["if"], kept["with"]["path"]) == ("always()", "checked")
    commands = [step["run"] for step in steps() if "run" in step]
    assert [command.split()[0] for command in commands] == ["pip", "safe-data", "safe-data"]


def test_gitlab_reads_the_tests_after_a_failure() -> None:
    job = workflows()[1]["check-data"]
    assert job["artifacts"]["when"] == "always"
    assert job["artifacts"]["reports"]["junit"] == "checked/junit.xml"
    assert "checked" in job["artifacts"]["paths"]


@pytest.mark.parametrize(
    ("which", "faults"),
    [
        ("github", "leakage=2"),
        pytest.param("github", None, marks=pytest.mark.slow),
        pytest.param("gitlab", "leakage=2", marks=pytest.mark.slow),
    ],
)
def test_a_step_fails_by_the_exit_code_of_the_check(which: str, faults: str | None, tmp_path: Path) -> None:
    """Both services run a step as `bash -e`, and fail it by its exit code."""
    write_world(tmp_path / "my_folder", clips=40, seed=0, faults=parse_faults(faults) if faults else None)
    script = workflows()[1]["check-data"]["script"]
    lines = script if which == "gitlab" else [step["run"] for step in steps() if "run" in step]
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "GITHUB_STEP_SUMMARY": str(tmp_path / "step.md"),
        "OMP_NUM_THREADS": "1",
    }
    code = 0
    for line in filter(lambda line: line.startswith("safe-data"), lines):
        command = ["bash", "-e", "-o", "pipefail", "-c", only_quick(line)]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        code = done.returncode
        if code:
            break
    assert code == (1 if faults else 0), done.stdout + done.stderr
    results = json.loads((tmp_path / "checked" / "results.json").read_text())
    assert results["exit_code"] == code
    failures = [*ElementTree.parse(tmp_path / "checked" / "junit.xml").getroot().iter("failure")]
    assert bool(failures) == bool(faults)
    assert (tmp_path / "checked" / "index.html").is_file()
    if which == "github":
        sign = "❌" if faults else "✅"
        assert (tmp_path / "step.md").read_text().startswith(f"## {sign} my\\_folder: ")
        assert (tmp_path / "step.md").read_text() == (tmp_path / "checked" / "summary.md").read_text()


def only_quick(line: str) -> str:
    """The command with the rules of one suite alone, whose facts take no time to compute."""
    return line.replace(" --out", " --only schema --only sounds_in_two_splits --out")

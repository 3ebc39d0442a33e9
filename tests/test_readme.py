"""What README.md tells a reader to type works as typed, on a small world in place of theirs."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from desk import LOCAL, readme_commands, write_desk, write_models

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def run(words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    binary = Path(sys.executable).parent / words[0]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    return subprocess.run([binary, *words[1:]], cwd=folder, env=environment, capture_output=True, text=True)


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def test_the_make_targets_exist() -> None:
    named = {words[1] for words in readme_commands() if words[0] == "make"}
    assert {"demo", "test"} <= named <= make_targets()


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reader's folder: clips, two corpora of one clip, and local models for the hub's."""
    folder = tmp_path_factory.mktemp("desk")
    write_desk(folder)
    write_models(folder)
    return folder


def test_the_commands_for_your_data_and_your_model(desk: Path) -> None:
    ran = []
    for words in readme_commands():
        if words[0] in ("safe-data", "safe-train"):
            typed = [LOCAL.get(word, word) for word in words]
            if typed[1] == "stage-a":
                typed += ["--steps", "2"]
            done = run(typed, desk)
            assert done.returncode == 0, f"{shlex.join(typed)}\n{done.stdout}{done.stderr}"
            ran.append(typed[1])
    assert ran == ["build", "check", "stage-a", "predict", "build", "build", "info"]
    assert (desk / "runs/mine/predictions.jsonl").stat().st_size


def test_the_commands_for_your_predictions(desk: Path) -> None:
    made = desk / "runs/mine/predictions.jsonl"
    if not made.is_file():
        test_the_commands_for_your_data_and_your_model(desk)
    shutil.copy(made, desk / "predictions.jsonl")
    codes = {}
    for words in readme_commands():
        if words[0] == "safe-eval":
            done = run(words, desk)
            codes[words[1]] = done.returncode
            assert not done.stderr, f"{shlex.join(words)}\n{done.stderr}"
    # Two steps teach nothing: the verdict must be able to say so.
    assert codes == {"score": 0, "verdict": 1}


def test_paths_named_exist() -> None:
    for path in re.findall(r"`((?:safe_\w+|tests|benchmarks|docs|shards|expectations)/[\w./]*)`", README):
        assert (ROOT / path).exists(), path


def test_the_demo_table_is_filled_in() -> None:
    assert "VL questions" in README
    assert "<!--" not in README

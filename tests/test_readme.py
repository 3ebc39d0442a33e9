"""What README.md tells a reader to type works as typed, on a small world in place of theirs."""

import contextlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import yaml
from desk import LOCAL, doc_commands, readme_commands, write_desk, write_models

import safe_data.cli
import safe_eval.cli
import safe_train.cli

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
PAGES = ("training.md", "data.md", "benchmarks.md", "baselines.md")
MAINS = {"safe-data": safe_data.cli.main, "safe-eval": safe_eval.cli.main, "safe-train": safe_train.cli.main}


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


@pytest.fixture(scope="module")
def typed(desk: Path) -> list[str]:
    """The commands for your data and your model that were typed, in their order.

    In this process, which loads torch once for all of them: `make wheels` types each in a process of its own.
    """
    ran = []
    for words in readme_commands():
        if words[0] in ("safe-data", "safe-train"):
            here = [LOCAL.get(word, word) for word in words]
            if here[1] == "stage-a":
                here += ["--steps", "2"]
            said = io.StringIO()
            with contextlib.chdir(desk), redirect_stdout(said), redirect_stderr(said):
                code = MAINS[here[0]](here[1:])
            assert code == 0, f"{shlex.join(here)}\n{said.getvalue()}"
            ran.append(here[1])
    return ran


def test_the_commands_for_your_data_and_your_model(typed: list[str], desk: Path) -> None:
    assert typed == ["build", "audit", "check", "stage-a", "predict", "build", "build", "info"]
    assert (desk / "runs/mine/predictions.jsonl").stat().st_size


def test_the_commands_for_your_predictions(typed: list[str], desk: Path) -> None:
    shutil.copy(desk / "runs/mine/predictions.jsonl", desk / "predictions.jsonl")
    codes = {}
    for words in readme_commands():
        if words[0] == "safe-eval":
            done = run(words, desk)
            codes[words[1]] = done.returncode
            # What takes over ten seconds, as on a busy machine, says so.
            faults = [line for line in done.stderr.splitlines() if not line.endswith(" so far")]
            assert not faults, f"{shlex.join(words)}\n{done.stderr}"
    # Two steps teach nothing: the verdict must be able to say so.
    assert codes == {"score": 0, "verdict": 1}


@pytest.mark.parametrize(
    "words",
    [words for page in PAGES for words in doc_commands(page)],
    ids=lambda words: shlex.join(words)[:60],
)
def test_the_commands_of_the_docs_parse(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("OUT").mkdir()
    Path("OUT/options.yaml").write_text("backbone: runs/base\nseed: 1\n")  # of an earlier run
    code = MAINS[words[0]]([*words[1:], "--print_config"])
    printed = capsys.readouterr()
    assert (code, printed.err) == (0, "")
    assert printed.out.strip()


def test_a_command_that_does_not_parse_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert MAINS["safe-train"](["stage-a", "runs/mine", "--epocs", "1", "--print_config"]) == 3
    assert "did you mean '--epochs'?" in capsys.readouterr().err


def test_llava_is_trained_with_three_commands() -> None:
    page = (ROOT / "docs/training.md").read_text("utf-8")
    section = page.partition("## LLaVA-1.5-7B on AudioCaps and VQAv2")[2].partition("\n## ")[0]
    blocks = re.findall(r"(?:^    .*\n)+", section, re.MULTILINE)
    assert [re.findall(r"safe-\w+ [\w-]+", block) for block in blocks] == [
        ["safe-data build", "safe-data build"],
        ["safe-train stage-a"],
        ["safe-train predict", "safe-train predict", "safe-eval score"],
    ]


def test_paths_named_exist() -> None:
    for path in re.findall(r"`((?:safe_\w+|tests|benchmarks|docs|shards|expectations)/[\w./]*)`", README):
        assert (ROOT / path).exists(), path


def test_the_demo_table_is_filled_in() -> None:
    assert "VL questions" in README
    assert "<!--" not in README


def test_the_numbers_of_criteria_are_those_of_the_files() -> None:
    text = " ".join(README.split())
    demo, success = (
        len(yaml.safe_load((ROOT / "safe_eval" / "criteria" / f"{name}.yaml").read_text("utf-8"))["criteria"])
        for name in ("demo", "success")
    )
    # The verdict of the demo has one row more: whether every expected answer is there.
    assert f"{demo + 1} of {demo + 1} criteria hold: the {demo} of `demo`, and that every answer" in text
    assert f"Of the {success} criteria that SAFE itself must meet (`success`)" in text

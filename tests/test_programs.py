"""The three programs alike: their versions, the two ways to start them, --quiet, and examples that parse."""

import importlib
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version

import pytest

from safe_data.core.command_help import EXAMPLES, examples_of

PROGRAMS = {"safe-data": "safe_data", "safe-eval": "safe_eval", "safe-train": "safe_train"}
CLIS = {program: importlib.import_module(f"{package}.cli") for program, package in PROGRAMS.items()}
COMMANDS = [(program, command) for program, cli in CLIS.items() for command in cli.COMMANDS]


@pytest.mark.parametrize(("program", "package"), PROGRAMS.items())
def test_a_program_is_a_module_too(program: str, package: str) -> None:
    for module in (package, f"{package}.cli"):
        done = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True)
        assert (done.stdout, done.stderr) == (f"{program} {version('safe-hearing')}\n", "")


@pytest.mark.parametrize(("program", "command"), COMMANDS)
def test_every_help_ends_with_examples(
    program: str, command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert CLIS[program].main([command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--quiet" in shown
    examples = examples_of(CLIS[program].COMMANDS[command])
    assert shown.endswith("\n".join([EXAMPLES, *(f"  {line}" for line in examples), ""]))


def example_lines() -> list[str]:
    return [line for program, command in COMMANDS for line in examples_of(CLIS[program].COMMANDS[command])]


@pytest.mark.parametrize("line", example_lines())
def test_every_example_parses(
    line: str, capsys: pytest.CaptureFixture[str], tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = shlex.split(line, comments=True)
    for place, word in enumerate(words[:-1]):
        if word == "--config" and words[place + 1].endswith(".yaml"):  # of an earlier run
            (tmp_path / words[place + 1]).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / words[place + 1]).write_text("seed: 1\nbackbone: runs/base\nshards: [runs/mine]\n")
    code = CLIS[words[0]].main([*words[1:], "--print_config"])
    printed = capsys.readouterr()
    assert (code, printed.err) == (0, "")
    assert printed.out.strip()


def test_an_example_that_does_not_parse_is_found(capsys: pytest.CaptureFixture[str]) -> None:
    assert CLIS["safe-eval"].main(["score", "p.jsonl", "--outt", "runs/mine", "--print_config"]) == 3
    assert len(example_lines()) >= len(COMMANDS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_help_of_a_program_shows_one_example_a_command(
    program: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert CLIS[program].main(["--help"]) == 0
    listed = capsys.readouterr().out.partition(f"\n{EXAMPLES}\n")[2].splitlines()
    assert [line.split()[1] for line in listed] == list(CLIS[program].COMMANDS)


def child_seconds(work: Callable[[], object]) -> float:
    """Processor time of the processes that the work starts: other work on the machine does not count."""
    before = os.times()
    work()
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


@pytest.mark.parametrize("words", [("safe_eval", "score"), ("safe_data", "build"), ("safe_train", "stage-a")])
def test_the_help_of_a_command_answers_within_half_a_second(words: tuple[str, str]) -> None:
    command = [sys.executable, "-m", *words, "--help"]
    tries = (
        child_seconds(lambda: subprocess.run(command, capture_output=True, check=True)) for _ in range(3)
    )
    assert any(seconds < 0.5 for seconds in tries)

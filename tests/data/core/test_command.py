"""The command line keeps its exit codes and says what is wrong in one line."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import pytest
import yaml

from safe_data.core.command import run
from safe_data.core.errors import InputError


def score(predictions: list[str], *, out: Path, seed: int = 0, dry_run: bool = False) -> int:
    """Score predictions.

    Args:
        predictions: files to score
        out: where to write
    """
    print(predictions, out, seed, dry_run)
    return 1


def fail() -> None:
    """Fail as a user would make it fail."""
    raise InputError("clips.jsonl:3 'a.b': bad id; use a-b")


def crash() -> None:
    """Fail as a fault of ours would."""
    raise RuntimeError("ours")


def measure(names: tuple[str, ...] = ("one",)) -> None:
    """Measure."""
    print(names)


def count(*, items: int = 0, keys: int = 0) -> None:
    """Count."""
    print(items, keys)


def pick(*, by: Literal["group", "split"] = "group", quiet: bool = False) -> None:
    """Pick.

    Args:
        by: what to pick by

    Examples:
        prog pick
        prog pick --by split --quiet --config a_file_with_a_rather_long_name.yaml  # in one line
    """
    print(by, quiet)


@dataclass(frozen=True)
class Schedule:
    """When the rate changes."""

    rate: float
    """peak rate, reached after the warm-up"""
    warmup_steps: int = 100
    """steps until the peak"""
    losses: tuple[str, ...] = ("next_token",)
    """terms of the loss"""
    tags: list[str] = field(default_factory=lambda: ["demo"])
    """words to find the run by"""
    note: str | None = None
    """what the run is for (default: none)"""
    dry_run: bool = False
    """stop before the first step"""

    def __post_init__(self) -> None:
        if self.rate <= 0:
            raise InputError(f"--rate {self.rate:g} teaches nothing; give one above 0")


def train(out: Path, schedule: Schedule, *, seed: int = 0) -> None:
    """Train.

    Args:
        out: folder of the run
        schedule: not shown, since each of its fields is an option
        seed: seed of the shuffle
    """
    print(out, schedule, seed)


COMMANDS = {
    "count": count,
    "score": score,
    "fail": fail,
    "crash": crash,
    "measure": measure,
    "train": train,
    "pick": pick,
}


def call(*argv: str) -> int:
    return run("prog", "A program.", COMMANDS, argv)


def test_several_words_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("score", "a", "b", "--out", "o", "--dry-run") == 1
    assert capsys.readouterr().out == "['a', 'b'] o 0 True\n"


def test_a_list_option_may_be_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("measure") == 0
    assert call("measure", "--names", "x", "--names", "y") == 0
    assert capsys.readouterr().out == "('one',)\n('x', 'y')\n"


def test_a_list_on_the_command_line_replaces_the_list_of_the_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("names: [a, b, c]\n")
    assert call("measure", "--config", str(config)) == 0
    assert call("measure", "--config", str(config), "--names", "x", "--names", "y") == 0
    assert capsys.readouterr().out == "('a', 'b', 'c')\n('x', 'y')\n"


def test_options_may_be_named_as_what_dicts_can_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("count", "--items", "3", "--keys", "4") == 0
    assert capsys.readouterr().out == "3 4\n"


def test_config_file_and_the_command_line_wins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("out: from-file\nseed: 7\n")
    assert call("score", "a", "--config", str(config), "--seed", "8") == 1
    assert capsys.readouterr().out == "['a'] from-file 8 False\n"


def test_bad_input_is_one_line_and_exit_3(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("fail") == 3
    assert capsys.readouterr().err == "prog fail: clips.jsonl:3 'a.b': bad id; use a-b\n"


def test_a_fault_of_ours_shows_its_traceback_and_exit_4(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("crash") == 4
    assert "RuntimeError: ours" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "prog: name a command: count, score, fail, crash, measure, train, pick; see --help"),
        (["scor"], "prog: argument COMMAND: invalid choice: 'scor' .*; did you mean 'score'[?]"),
        (["score"], "prog score: the following arguments are required: predictions, out; see --help"),
        (["score", "a", "--out", "o", "--sead", "1"], "prog score: .*: --sead 1; did you mean '--seed'[?]"),
        (["score", "a", "--out", "o", "--seed", "x"], "prog score: --seed: expected int, not x; see --help"),
        (["score", "a", "--out"], "prog score: argument --out: expected one argument; see --help"),
        (["score", "a", "--ouut", "o"], "prog score: unrecognized .*: --ouut o; did you mean '--out'[?]"),
        (["train", "a", "--rate", "1", "--schedule.tags", "x"], "prog train: .*; did you mean '--tags'[?]"),
        (["count", "-items", "3"], "prog count: .*: -items 3; did you mean '--items'[?]"),
        (
            ["pick", "--by", "grup"],
            "prog pick: --by: expected .* 'split', not grup; did you mean 'group'[?]",
        ),
        (["pick", "--by", "x"], "prog pick: --by: expected one of 'group', 'split', not x; see --help"),
        (
            ["--quiet", "count"],
            "prog: --quiet: name the command first, .* after it: prog COMMAND --quiet; see --help",
        ),
        (["--versoin"], "prog: unrecognized arguments: --versoin; did you mean '--version'[?]"),
    ],
)
def test_bad_arguments_are_one_line_with_a_hint_and_exit_3(
    argv: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*argv) == 3
    assert re.fullmatch(words + "\n", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff\xfe", "c[.]yaml: starts with a UTF-16 byte order mark; save it as UTF-8 without one"),
        (b"\xffseed", "c[.]yaml: is not YAML: .*can't decode"),
        (b"seed: [1", "c[.]yaml: is not YAML: while parsing a flow sequence: expected .*, line 1, column 9"),
        (b"seed: 1\nseed: 2", "c[.]yaml: is not YAML: 'seed' is given twice, line 2, column 1"),
        (b"sead: 1", "does not accept option 'sead'; did you mean 'seed'[?]"),
        (b"seed: many", "--seed: expected int, not many; see --help"),
        (b'dry_run: "false"', "dry_run is 'false'; write true or false"),
    ],
)
def test_a_bad_config_file_is_one_line_and_exit_3(
    content: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "c.yaml"
    config.write_bytes(content)
    assert call("score", "a", "--out", "o", "--config", str(config)) == 3
    assert re.fullmatch(f"prog score: .*{words}.*\n", capsys.readouterr().err)


def test_every_command_takes_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("count", "--items", "3", "--quiet") == 0  # it shows no progress anyway
    assert call("pick", "--quiet") == 0
    assert capsys.readouterr().out == "3 0\ngroup True\n"
    assert call("count", "--help") == 0
    assert "show no progress" in capsys.readouterr().out


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--version") == 0
    assert capsys.readouterr().out == f"prog {version('safe-hearing')}\n"


def test_examples_end_the_help_as_they_are_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("pick", "--help") == 0
    long = "  prog pick --by split --quiet --config a_file_with_a_rather_long_name.yaml  # in one line"
    assert capsys.readouterr().out.endswith(f"\nExamples:\n  prog pick\n{long}\n")
    assert call("count", "--help") == 0
    assert "Examples" not in capsys.readouterr().out
    assert call("--help") == 0
    assert capsys.readouterr().out.endswith("\nExamples:\n  prog pick\n")


def test_help_is_exit_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--help") == 0
    assert "Score predictions." in capsys.readouterr().out


def test_help_of_a_command_speaks_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("score", "--help") == 0
    said = capsys.readouterr().out
    assert "files to score" in said
    assert "(required, type: path)" in said
    assert "<class" not in said


def test_each_field_of_a_dataclass_is_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("train", "o", "--rate", "0.5", "--losses", "a", "--losses", "b", "--dry-run") == 0
    expected = Schedule(rate=0.5, losses=("a", "b"), dry_run=True)
    assert capsys.readouterr().out == f"o {expected} 0\n"


def test_fields_that_are_not_given_keep_their_defaults(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("train", "o", "--rate", "1", "--seed", "7") == 0
    assert capsys.readouterr().out == f"o {Schedule(rate=1.0)} 7\n"


@dataclass(frozen=True)
class Seen:
    """What is looked at."""

    place: Path | None = field(default=None, metadata={"positional": True})
    """where it is"""


def look(seen: Seen) -> None:
    """Look at a place, or at none."""
    print(seen.place)


@pytest.mark.parametrize(("words", "shown"), [((), "None"), (("here",), "here")])
def test_a_positional_field_with_a_default_may_be_left_out(
    words: tuple[str, ...], shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("safe", "Try.", {"look": look}, ["look", *words]) == 0
    assert capsys.readouterr().out == f"{shown}\n"


def test_a_field_without_a_default_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("train", "o") == 3
    assert "rate" in capsys.readouterr().err


def test_the_docstring_below_a_field_is_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("train", "--help") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "--rate RATE peak rate, reached after the warm-up (required, type: float)" in said
    assert "--warmup-steps WARMUP_STEPS steps until the peak (type: int, default: 100)" in said
    assert "terms of the loss (may be given several times; default: next_token)" in said
    assert "words to find the run by (may be given several times; default: demo)" in said
    assert "--dry-run stop before the first step" in said
    assert "not shown" not in said
    assert "null" not in said


def test_a_dataclass_that_refuses_its_values_is_one_line_and_exit_3(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call("train", "o", "--rate", "-2") == 3
    assert capsys.readouterr().err == "prog train: --rate -2 teaches nothing; give one above 0\n"


def test_a_config_file_holds_the_fields_beside_the_other_options(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "options.yaml"
    config.write_text("out: o\nrate: 0.5\nwarmup_steps: 9\nlosses: [a, b]\nseed: 7\n")
    assert call("train", "--config", str(config), "--warmup-steps", "8") == 0
    expected = Schedule(rate=0.5, warmup_steps=8, losses=("a", "b"))
    assert capsys.readouterr().out == f"o {expected} 7\n"


def test_an_unknown_option_in_a_config_file_is_exit_3(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "options.yaml"
    config.write_text("out: o\nrate: 0.5\nwarmup: 9\n")
    assert call("train", "--config", str(config)) == 3
    assert "warmup" in capsys.readouterr().err


def test_print_config_shows_what_would_run_and_runs_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("train", "o", "--rate", "0.5", "--tags", "x", "--print_config") == 0
    config = tmp_path / "options.yaml"
    config.write_text(capsys.readouterr().out)
    shown = yaml.safe_load(config.read_text())
    assert (shown["out"], shown["rate"], shown["warmup_steps"], shown["seed"]) == ("o", 0.5, 100, 0)
    assert call("train", "--config", str(config)) == 0
    assert capsys.readouterr().out == f"o {Schedule(rate=0.5, tags=['x'])} 0\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train", "--out", ""], "--out is empty"),
        (["train", "--out="], "--out is empty"),
        (["train", ""], "the argument after train is empty"),
        ([""], "the command is empty"),
    ],
)
def test_an_empty_argument_is_no_path(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*words) == 3
    assert f"{said}; is a variable of the shell not set?" in capsys.readouterr().err


@pytest.mark.parametrize("word", ["help", "version", "completion"])
def test_a_word_that_is_an_option_is_named_as_one(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(word) == 3
    assert capsys.readouterr().err.endswith(f"did you mean '--{word}'?\n")


def test_a_reader_who_has_seen_enough_is_no_fault(tmp_path: Path) -> None:
    program = tmp_path / "talk.py"
    program.write_text(
        "from safe_data.core.command import run\n"
        "def talk() -> None:\n"
        "    for number in range(100_000):\n"
        "        print(number)\n"
        "run('prog', 'Talks.', {'talk': talk}, ['talk'])\n"
    )
    first = subprocess.run(
        f"{sys.executable} {program} | head -1", shell=True, capture_output=True, text=True, check=False
    )
    assert (first.stdout, first.stderr) == ("0\n", "")


@pytest.mark.parametrize(
    ("stdout", "code", "said"), [(">&-", 1, ""), ("> /dev/full", 3, "prog talk: [Errno 28] No space left")]
)
def test_output_that_cannot_be_printed_is_no_defect(
    tmp_path: Path, stdout: str, code: int, said: str
) -> None:
    """Python's own exit code of a crash is 1, which would pass for a no-go."""
    program = tmp_path / "talk.py"
    program.write_text(
        "from safe_data.core.command import run\n"
        "def talk() -> int:\n"
        "    print('one line')\n"
        "    return 1\n"
        "raise SystemExit(run('prog', 'Talks.', {'talk': talk}, ['talk']))\n"
    )
    done = subprocess.run(
        f"{sys.executable} {program} {stdout}", shell=True, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "Traceback" in done.stderr) == (code, False)
    assert done.stderr.startswith(said)
    assert done.stderr.count("\n") == bool(said)


def test_a_reader_who_has_gone_before_the_last_line_is_no_fault(tmp_path: Path) -> None:
    """Little output lies in Python's buffer until the end, where nobody catches what goes wrong."""
    program = tmp_path / "talk.py"
    program.write_text(
        "from safe_data.core.command import run\n"
        "def talk() -> int:\n"
        "    print('one line')\n"
        "    return 1\n"
        "raise SystemExit(run('prog', 'Talks.', {'talk': talk}, ['talk']))\n"
    )
    reader, writer = os.pipe()
    os.close(reader)
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(
        [sys.executable, program], stdout=writer, stderr=subprocess.PIPE, text=True, env=buffered
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")  # what it found holds

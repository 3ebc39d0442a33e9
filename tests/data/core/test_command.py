"""The command line keeps its exit codes and says what is wrong in one line."""

import subprocess
import sys
from pathlib import Path

import pytest

from safe_data.core.command import run
from safe_data.core.errors import InputError, raise_row_errors


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
    print(list(names))


def count(*, items: int = 0, keys: int = 0) -> None:
    """Count."""
    print(items, keys)


COMMANDS = {"count": count, "score": score, "fail": fail, "crash": crash, "measure": measure}


def call(*argv: str) -> int:
    return run("prog", "A program.", COMMANDS, argv)


def test_several_words_and_options(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("score", "a", "b", "--out", "o", "--dry-run") == 1
    assert capsys.readouterr().out == "['a', 'b'] o 0 True\n"


def test_a_list_option_may_be_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("measure") == 0
    assert call("measure", "--names", "x", "--names", "y") == 0
    assert capsys.readouterr().out == "['one']\n['x', 'y']\n"


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


@pytest.mark.parametrize("argv", [[], ["nope"], ["score"], ["score", "a", "--out", "o", "--sead", "1"]])
def test_bad_arguments_are_exit_3(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*argv) == 3
    assert "error:" in capsys.readouterr().err


def test_help_is_exit_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--help") == 0
    assert "Score predictions." in capsys.readouterr().out


def test_all_row_errors_at_once_first_twenty_and_a_count() -> None:
    raise_row_errors([], "f.jsonl")
    with pytest.raises(InputError, match=r"^one$"):
        raise_row_errors(["one"], "f.jsonl")
    with pytest.raises(InputError) as caught:
        raise_row_errors([f"row {i}" for i in range(30)], "f.jsonl")
    lines = str(caught.value).splitlines()
    assert lines[0] == "f.jsonl: 30 rows cannot be read"
    assert (lines[1], lines[20], lines[-1]) == ("row 0", "row 19", "… and 10 more")


def test_help_of_a_command_speaks_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    assert call("score", "--help") == 0
    said = capsys.readouterr().out
    assert "files to score" in said
    assert "(required, type: path)" in said
    assert "<class" not in said


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

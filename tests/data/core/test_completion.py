"""A shell completes commands, options, choices and files by the script that a program prints."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest

from safe_data.core.command import run

needs_shtab = pytest.mark.skipif(
    importlib.util.find_spec("shtab") is None, reason="the extra completion is not installed"
)


def score(predictions: list[Path], *, out: Path, format: Literal["text", "json"] = "text") -> None:
    """Score 100 % of the predictions."""


def judge(*, seed: int = 0) -> None:
    """Judge."""


def call(*argv: str) -> int:
    return run("safe-try", "A program.", {"score": score, "judge": judge}, argv)


def completed(folder: Path, *words: str) -> list[str]:
    """What bash offers for the last word."""
    typed = " ".join(f"'{word}'" for word in words)
    program = (
        f"source script.bash; COMP_WORDS=(safe-try {typed}); COMP_CWORD={len(words)}; _shtab_safe_try; "
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "--norc", "-c", program], cwd=folder, capture_output=True, text=True)
    assert done.stderr == ""
    return done.stdout.split()


@needs_shtab
def test_bash_completes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("--completion", "bash") == 0
    (tmp_path / "script.bash").write_text(capsys.readouterr().out)
    (tmp_path / "predictions.jsonl").touch()
    assert completed(tmp_path, "sc") == ["score"]
    assert completed(tmp_path, "score", "--fo") == ["--format"]
    assert completed(tmp_path, "score", "--format", "j") == ["json"]
    assert completed(tmp_path, "score", "pre") == ["predictions.jsonl"]
    assert completed(tmp_path, "judge", "--q") == ["--quiet"]
    assert "--format" not in completed(tmp_path, "judge", "--")


@needs_shtab
def test_a_reader_of_the_script_who_has_seen_enough_is_no_fault() -> None:
    program = "from safe_data.cli import main; raise SystemExit(main(['--completion', 'bash']))"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as running:
        assert running.stdout is not None
        running.stdout.close()
        assert running.wait() == 0


@needs_shtab
@pytest.mark.parametrize("shell", ["zsh", "tcsh"])
def test_other_shells_have_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(f"--completion={shell}") == 0
    printed = capsys.readouterr().out
    assert "--format" in printed
    assert "judge" in printed


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--completion"], "--completion names no shell: name one of bash, zsh, tcsh"),
        (["--completion", "basg"], "--completion basg: did you mean 'bash'?"),
        (["--completion", "powershell"], "--completion powershell: name one of bash, zsh, tcsh"),
    ],
)
def test_other_shells_are_refused(argv: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(*argv) == 3
    assert capsys.readouterr().err == f"safe-try: {words}\n"


def test_without_shtab_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert call("--completion", "bash") == 3
    assert "needs shtab, which is not installed; run pip install '.[completion]'" in capsys.readouterr().err

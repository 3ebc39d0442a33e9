"""No name from a stranger reaches the terminal raw: not on stdout, not on stderr, whatever the encoding."""

import io
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from folders import picture_bytes, row, sound_bytes, write_media, write_rows
from hypothesis import example, given, settings
from hypothesis import strategies as st

from safe_data.cli import main
from safe_data.core.command import run
from safe_data.core.errors import InputError, raise_row_errors

PIECES = ["\x1b[2J", "\x1b]0;owned\x07", "\x9b31m", "\u202e", "\u2066", "\nFORGED: OK", "\rFORGED", "\x85"]
PIECES += ["\u2028", "\x7f", "\t", "東", "'", '"', "=1+1", "a"]
NAMES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join)
UNDECODABLE = os.fsdecode(b"w\xff\x1b[31m\nFORGED")


@contextmanager
def raw_output(encoding: str) -> Iterator[io.BytesIO]:
    """Collect stdout and stderr as the bytes that a terminal of a strict encoding would get."""
    seen = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch:
        for name in ("stdout", "stderr"):
            patch.setattr(sys, name, io.TextIOWrapper(seen, encoding, "strict", write_through=True))
        yield seen
        sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__


def said(encoding: str, *commands: list[object]) -> str:
    """What commands print, which holds no character that controls a terminal, and no forged line."""
    with raw_output(encoding) as seen:
        codes = [main([str(word) for word in words]) for words in commands]
        text = seen.getvalue().decode(encoding)
    assert 4 not in codes, text
    assert text.replace("\n", "").isprintable(), repr(text)
    assert not any(line.startswith("FORGED") for line in text.split("\n")), text
    return text


@settings(max_examples=2, deadline=None)
@given(name=NAMES, encoding=st.sampled_from(["utf-8", "ascii"]))
@example(name=UNDECODABLE, encoding="utf-8")
@example(name=UNDECODABLE, encoding="ascii")
def test_no_command_prints_a_name_raw(
    tmp_path_factory: pytest.TempPathFactory, name: str, encoding: str
) -> None:
    place = tmp_path_factory.mktemp("hostile")
    inner = os.fsencode(name).decode("utf-8", "replace")  # what JSON can hold
    world = place / f"{name}world"
    rows = [row(0), row(1, group=inner, label=inner, audio_file_name=f"{inner}.wav"), row(2)]
    for path, data in {"images/clip-000.png": picture_bytes(), "sounds/clip-000.wav": sound_bytes()}.items():
        (world / path).parent.mkdir(parents=True)
        (world / path).write_bytes(data)
    write_rows(world, rows)
    out = place / f"{name}out"
    text = said(encoding, ["build", world, out], ["info", out], ["info", out, "--rejected"])
    assert "1 clip ok, 2 rejected" in text
    said(encoding, ["info", out, "--rejected", "--format", "csv"], ["info", out, "--format", "json"])
    tar = next(out.glob("*/*.tar"))
    tar.write_bytes(tar.read_bytes()[:-1])
    said(encoding, ["verify", out], ["verify", world], ["info", out, "--rejected", "--reason", name])
    said(encoding, ["synth", world], ["add-encoder", out, name], ["build", world, out, "--source", name])
    (world / name.replace("/", "") / "x").mkdir(parents=True)
    (world / name / "metadata.jsonl").write_text('{"id": 1}\nnot json\n')
    said(encoding, ["build", world, out], ["check", world], ["build", world / "none", out])
    shutil.rmtree(place)


def test_a_message_has_the_lines_that_it_was_given(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise_row_errors(["a\nb.csv:1: has no id", "c\x1b.csv:2: has no id"], "a\nb")
        return 0

    assert run("safe-data", "", {"fail": fail}, ["fail"]) == 3
    assert capsys.readouterr().err.split("\n") == [
        "safe-data fail: a�b: 2 rows cannot be read",
        "a�b.csv:1: has no id",
        "c�.csv:2: has no id",
        "",
    ]
    assert InputError("a", "b").lines == ["a", "b"]


def test_the_traceback_of_a_defect_is_shown_and_controls_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise RuntimeError("owned\x1b[2J")

    assert run("safe-data", "", {"fail": fail}, ["fail"]) == 4
    err = capsys.readouterr().err
    assert "RuntimeError: owned�[2J" in err
    assert "\x1b" not in err


def test_a_long_wait_shows_no_name_raw(capsys: pytest.CaptureFixture[str]) -> None:
    from safe_data.core.progress import Progress

    clock = iter(np.arange(100.0) * 20)
    with Progress("building\x1b[2J", 3, labels=["at"], clock=lambda: float(next(clock))) as progress:
        progress.update(shown={"at": "\u202ename"})
    assert "building�[2J 1/3  at �name" in capsys.readouterr().err


def test_a_medium_whose_name_is_not_utf_8_is_a_rejected_row(tmp_path: Path) -> None:
    part = tmp_path / os.fsdecode(b"tr\xff\x1b[31m")
    write_media(part, [row(0)])
    write_rows(part, [row(0)])
    write_media(tmp_path, [row(1)])
    write_rows(tmp_path, [row(1)])
    for encoding in ("utf-8", "ascii"):
        text = said(
            encoding,
            ["build", tmp_path, tmp_path / "out", "--max-reject-rate", 1],
            ["info", tmp_path / "out", "--rejected"],
        )
    assert "1 clip ok, 1 rejected" in text
    assert r"clip-000  tr\udcff\x1b[31m/sounds/clip-000.wav" in text
    assert "      a file name or another text is not Unicode; rename it, in UTF-8\n" in text

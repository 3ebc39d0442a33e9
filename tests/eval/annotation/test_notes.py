"""Notes survive crashes and two writers, and a file that is no notes is never written over."""

import json
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from safe_data.core import files
from safe_data.core.errors import InputError
from safe_eval.annotation.notes import LONGEST_NOTE, NOTES_FILE, Notes, read_notes


@pytest.fixture
def notes(tmp_path: Path) -> Notes:
    return Notes(tmp_path / NOTES_FILE)


def texts(notes: Notes) -> dict[tuple[str | None, str], str]:
    return {key: note.text for key, note in notes.read().items()}


def test_notes_are_kept_changed_and_removed(notes: Notes) -> None:
    assert notes.read() == {}
    first = notes.write("d", "q1", "odd\r\nreference ")
    assert first is not None
    assert (first.text, first.made, first.made.microsecond) == ("odd\nreference", first.changed, 0)
    notes.write(None, "q1", "no dataset")
    assert list(texts(notes)) == [(None, "q1"), ("d", "q1")]
    changed = notes.write("d", "q1", "better")
    assert changed is not None
    assert (changed.made, changed.text) == (first.made, "better")
    assert notes.write("d", "q1", "better") == changed
    assert notes.write("d", "q1", " \u200b\n") is None
    assert notes.write("d", "nothing there", "") is None
    assert texts(notes) == {(None, "q1"): "no dataset"}


def test_the_file_is_plain_json(notes: Notes) -> None:
    notes.write("d", "q1", "</script>\u202e\x1b[2J\ud800é")
    content = json.loads(notes.path.read_text("utf-8"))
    assert content["format_version"] == 1
    (note,) = content["notes"]
    assert note["made"].endswith("Z")
    assert note["text"] == "</script>\u202e[2J?é"  # control characters and half characters are no text


def test_a_note_is_not_endless(notes: Notes) -> None:
    notes.write("d", "q1", "x" * LONGEST_NOTE)
    before = notes.path.read_bytes()
    with pytest.raises(InputError) as raised:
        notes.write("d", "q1", "x" * (LONGEST_NOTE + 1))
    assert str(raised.value) == "note on 'q1': has 4001 characters, expected at most 4000; shorten it"
    assert notes.path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"{", "cannot be read as notes: Input data was truncated; mend it, or move it away to begin anew"),
        (b"\xff\xfe", "cannot be read as notes"),
        (b"[]", "cannot be read as notes: Expected `object`, got `array`"),
        (b'{"format_version": 2, "notes": []}', "has format version 2, expected 1"),
        (b'{"format_version": 1, "notes": [], "more": 1}', "contains unknown field `more`"),
        (b"", "cannot be read as notes"),
    ],
)
def test_a_damaged_file_is_refused_and_never_written_over(
    notes: Notes, content: bytes, expected: str
) -> None:
    notes.path.write_bytes(content)
    for use in (notes.read, lambda: notes.write("d", "q1", "new"), lambda: notes.write("d", "q1", "")):
        with pytest.raises(InputError) as raised:
            use()
        assert str(raised.value).startswith(str(notes.path))
        assert expected in str(raised.value)
    assert notes.path.read_bytes() == content


def test_two_notes_about_one_item_are_refused(notes: Notes) -> None:
    notes.write("d", "q1", "a")
    content = json.loads(notes.path.read_text())
    notes.path.write_text(json.dumps(content | {"notes": content["notes"] * 2}))
    with pytest.raises(InputError, match="has two notes about 'q1'; keep one"):
        notes.read()


def test_a_crash_before_the_file_has_its_name_loses_nothing(
    notes: Notes, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes.write("d", "q1", "kept")
    before = notes.path.read_bytes()
    code = f"""
        import os
        from pathlib import Path
        from safe_eval.annotation.notes import Notes
        Path.replace = lambda *_: os._exit(9)  # the process is gone between write and rename
        Notes(Path({str(notes.path)!r})).write("d", "q2", "lost")
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], env=os.environ, check=False)
    assert killed.returncode == 9
    assert notes.path.read_bytes() == before
    assert notes.write("d", "q3", "next") is not None  # its lock is free
    assert texts(notes) == {("d", "q1"): "kept", ("d", "q3"): "next"}
    monkeypatch.setattr(files.os, "fsync", lambda _: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(InputError, match="make room"):
        notes.write("d", "q4", "full")
    monkeypatch.undo()
    assert texts(notes) == {("d", "q1"): "kept", ("d", "q3"): "next"}


def test_two_writers_lose_no_note(notes: Notes) -> None:
    faults: list[BaseException] = []

    def write(number: int) -> None:
        try:
            for count in range(2):
                Notes(notes.path).write("d", f"q{number}-{count}", "text")
        except BaseException as fault:  # of a thread, which would keep it to itself
            faults.append(fault)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert len(notes.read()) == 6


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.json: no such file of notes; `safe-eval view` writes one"):
        read_notes(tmp_path / "gone.json")

"""Notes by the numbers of items: those of other runs stay, and none is kept about what is not there."""

from pathlib import Path

import msgspec
import pytest
from made_sent_run import SentRun, made_sent_run

from safe_data.core.errors import InputError
from safe_eval.annotation.notes import Notes
from safe_eval.viewer.notes import NoteGiven, noted_items, notes_shown, read_given, write_note


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> SentRun:
    return made_sent_run(tmp_path_factory.getbasetemp())


def test_notes_have_the_numbers_of_the_items_that_are_seen(run: SentRun, tmp_path: Path) -> None:
    viewed, notes = run.open(), Notes(tmp_path / "notes.json")
    kept = write_note(viewed, notes, NoteGiven(3, "odd"))
    assert (kept.item, (kept.dataset, kept.id), kept.text) == (3, viewed.key_of(3), "odd")
    assert kept.changed is not None
    assert kept.changed.endswith("Z")
    write_note(viewed, notes, NoteGiven(1, "first"))
    notes.write("another dataset", viewed.key_of(3)[1], "of another run")
    assert {item: note.text for item, note in noted_items(viewed, notes.read()).items()} == {
        1: "first",
        3: "odd",
    }
    shown = msgspec.to_builtins(notes_shown(viewed, notes.read()))
    assert ([one["item"] for one in shown["notes"]], shown["others"]) == ([1, 3], 1)
    gone = write_note(viewed, notes, NoteGiven(3, " "))
    assert (gone.item, gone.text, gone.changed) == (3, None, None)
    assert list(noted_items(viewed, notes.read())) == [1]
    assert len(notes.read()) == 2


def test_a_note_about_no_item_is_refused_and_nothing_written(run: SentRun, tmp_path: Path) -> None:
    notes = Notes(tmp_path / "notes.json")
    with pytest.raises(InputError, match="item=99999: there is none"):
        write_note(run.open(), notes, NoteGiven(99_999, "text"))
    assert not notes.path.exists()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"item": "1", "text": "x"}', b'{"item": 1, "text": "x", "path": "/etc"}']
)
def test_what_is_no_note_is_refused(body: bytes) -> None:
    with pytest.raises(InputError, match=r"^note: .*; send an item's number and a text"):
        read_given(body)

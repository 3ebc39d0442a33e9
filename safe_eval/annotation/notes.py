"""Notes: what people wrote about items while they looked at them, in a file of JSON.

Keys are datasets and ids of examples, so that notes outlive a new scoring. One process writes at a time, each
time the whole file; a file that cannot be read is refused, and never written over.
"""

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from safe_data.core.errors import InputError, words_of
from safe_data.core.files import write_json
from safe_data.core.only_writer import only_writer
from safe_eval.prediction import is_blank, quoted

NOTES_FILE = "notes.json"  # in a run folder
FORMAT_VERSION = 1
LONGEST_NOTE = 4_000  # characters
MOST_NOTES = 100_000
_MOST_BYTES = 2**28  # of the file: more is no file of ours
_KEPT = frozenset("\n\t")

Key = tuple[str | None, str]  # dataset and example id


class Note(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A note about an item; dates are in UTC, to the second."""

    dataset: str | None
    example_id: str
    text: str
    made: datetime
    changed: datetime


class NotesFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The content of the file, in the order of dataset and example id."""

    format_version: int
    notes: tuple[Note, ...]


@dataclass(frozen=True)
class Notes:
    """The notes of a file, which need not be there yet."""

    path: Path

    def read(self) -> dict[Key, Note]:
        """All notes by dataset and example id; none if there is no file.

        Raises:
            InputError: the file cannot be read as notes.
        """
        return read_notes(self.path) if self.path.exists() else {}

    def write(self, dataset: str | None, example_id: str, text: str) -> Note | None:
        """Keep a note in place of the one that is there; a blank text removes it. The note, if one is left.

        Raises:
            InputError: the text is too long, there are too many notes, the file cannot be read as notes, or
                it cannot be written.
        """
        text = _checked(example_id, text)
        with only_writer(self.path, waits=True):
            kept = self.read()
            earlier = kept.pop((dataset, example_id), None)
            note = None
            if text:
                now = datetime.now(UTC).replace(microsecond=0)
                made = now if earlier is None else earlier.made
                note = Note(dataset=dataset, example_id=example_id, text=text, made=made, changed=now)
                if earlier is not None and earlier.text == text:
                    return earlier
                kept[dataset, example_id] = note
            elif earlier is None:
                return None
            if len(kept) > MOST_NOTES:
                raise InputError(f"{self.path}: holds {MOST_NOTES} notes already; name another file")
            _write(self.path, kept)
        return note


def read_notes(path: Path) -> dict[Key, Note]:
    """The notes of a file by dataset and example id.

    Raises:
        InputError: there is no such file, or it cannot be read as notes.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file of notes; `safe-eval view` writes one")
    fix = "mend it, or move it away to begin anew"
    if path.stat().st_size > _MOST_BYTES:
        raise InputError(f"{path}: is larger than any file of notes; {fix}")
    try:
        content = msgspec.json.decode(path.read_bytes(), type=NotesFile)
    except (msgspec.MsgspecError, UnicodeDecodeError, OSError) as error:
        raise InputError(f"{path}: cannot be read as notes: {words_of(error)}; {fix}") from None
    if content.format_version != FORMAT_VERSION:
        raise InputError(
            f"{path}: has format version {content.format_version}, expected {FORMAT_VERSION}; "
            "it was written by another release"
        )
    found: dict[Key, Note] = {}
    for note in content.notes:
        if found.setdefault((note.dataset, note.example_id), note) is not note:
            raise InputError(f"{path}: has two notes about {quoted(note.example_id)}; keep one")
    return found


def _write(path: Path, notes: Mapping[Key, Note]) -> None:
    ordered = sorted(notes, key=lambda key: (key[0] or "", key[1]))
    write_json(path, NotesFile(format_version=FORMAT_VERSION, notes=tuple(notes[key] for key in ordered)))


def _checked(example_id: str, text: str) -> str:
    """A text without control characters and outer blanks, in one form of Unicode."""
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    text = text.encode("utf-8", "replace").decode()  # a lone surrogate has no place in a file
    text = "".join(
        letter for letter in text if letter in _KEPT or unicodedata.category(letter) != "Cc"
    ).strip()
    if len(text) > LONGEST_NOTE:
        raise InputError(
            f"note on {quoted(example_id)}: has {len(text)} characters, expected at most {LONGEST_NOTE}; "
            "shorten it"
        )
    return "" if is_blank(text) else text

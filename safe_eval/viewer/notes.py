"""Notes: those about the items that are seen, by their numbers, and a new one from the page."""

from collections.abc import Mapping

import msgspec

from safe_data.core.errors import InputError
from safe_eval.annotation.notes import Key, Note, Notes
from safe_eval.viewer.viewed import Viewed


class NoteGiven(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the page sends to keep a note; a blank text removes the one that is there."""

    item: int
    text: str


class NoteShown(msgspec.Struct, frozen=True, kw_only=True):
    """A note about an item; `text` and the date are None once it is removed."""

    item: int
    id: str
    dataset: str | None
    text: str | None
    changed: str | None


class NotesShown(msgspec.Struct, frozen=True):
    """The notes about the items that are seen, in their order; `others` counts those about other items."""

    notes: list[NoteShown]
    others: int


def noted_items(viewed: Viewed, notes: Mapping[Key, Note]) -> dict[int, Note]:
    """The notes about the items that are seen, by the number of the item, ascending."""
    found = {number: notes[key] for key, number in viewed.find_all(notes.keys()).items()}
    return dict(sorted(found.items()))


def notes_shown(viewed: Viewed, notes: Mapping[Key, Note]) -> NotesShown:
    """The notes about the items that are seen, for the page."""
    found = noted_items(viewed, notes)
    return NotesShown([_shown(item, note) for item, note in found.items()], len(notes) - len(found))


def write_note(viewed: Viewed, notes: Notes, given: NoteGiven) -> NoteShown:
    """Keep a note that the page sent, and say what is kept.

    Raises:
        InputError: there is no such item, or see `Notes.write`.
    """
    dataset, example_id = viewed.key_of(given.item)
    note = notes.write(dataset, example_id, given.text)
    if note is not None:
        return _shown(given.item, note)
    return NoteShown(item=given.item, id=example_id, dataset=dataset, text=None, changed=None)


def read_given(body: bytes) -> NoteGiven:
    """What the page sent.

    Raises:
        InputError: it is no note.
    """
    try:
        return msgspec.json.decode(body, type=NoteGiven)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InputError(f"note: {error}; send an item's number and a text") from None


def _shown(item: int, note: Note) -> NoteShown:
    changed = note.changed.isoformat().replace("+00:00", "Z")
    return NoteShown(item=item, id=note.example_id, dataset=note.dataset, text=note.text, changed=changed)

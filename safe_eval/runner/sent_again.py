"""Sent again: the sound and the picture that a model was sent, made again from shards and checked.

A row says of its sound and its picture what was sent (`metadata.sent`), and has their hashes. What has
another hash is something else, and is refused.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import msgspec

from safe_data.media.sound import Sound
from safe_eval.prediction import Prediction
from safe_eval.runner.conditions import LEFT_OUT, Media, Partner, Sent, apply_condition
from safe_eval.runner.media import StoredMedia, pixel_hash
from safe_eval.runner.partners import OF_ANOTHER
from safe_eval.runner.row import hear
from safe_eval.runner.shelves import Shelves

if TYPE_CHECKING:
    from PIL.Image import Image

PARTS = ("sound", "picture")
OWN = "own"
WHOLE = ("silence", "noise", "grey")  # that are all there is to say
_OF = "of:"


class OtherMediaError(ValueError):
    """What the shards give is not what was sent."""


@dataclass(frozen=True)
class SentAgain:
    """What one row was sent, as the shards give it; it is read and checked when it is asked for.

    `sound_of` and `picture_of` are the places of the records whose stored medium was sent as it is.
    """

    row: Prediction
    sent: Sent
    stored: StoredMedia
    sound_of: int | None
    picture_of: int | None

    def sound(self) -> Sound | None:
        """The sound; None if none was sent.

        Raises:
            OtherMediaError: its hash is not the row's.
            ValueError: it cannot be made.
        """
        if self.sent.sound is None:
            return None
        sound, said = self.sent.sound(), self.row.audio_sha256
        if said not in (None, hear(sound).sha256) and (
            self.sound_of is None or self.stored.heard(self.sound_of).sha256 != said
        ):
            raise OtherMediaError("these shards give another sound than was sent")
        return sound

    def picture(self) -> "Image | None":
        """The picture; None if none was sent.

        Raises:
            OtherMediaError: its hash is not the row's.
            ValueError: it cannot be made.
        """
        if self.sent.picture is None:
            return None
        picture, said = self.sent.picture(), picture_sha256(self.row)
        if said is not None:
            of = self.picture_of
            if said != (pixel_hash(picture) if of is None else self.stored.picture_sha256(of)):
                raise OtherMediaError("these shards give another picture than was sent")
        return picture


def send_again(row: Prediction, shelves: Shelves) -> SentAgain | None:
    """What a row was sent; whose sound or picture it got, the row says. None where nothing says what it was.

    A row that does not say it, but has the hash of its sound, was sent what its condition makes of the sound.

    Raises:
        ValueError: the shards do not hold its record or another that it needs, or the condition makes
            something else of it than the row says.
    """
    said = sent_note(row, "sound") is not None or sent_note(row, "picture") is not None
    if not said and (row.audio_sha256 is None or row.condition in OF_ANOTHER):
        return None
    again = _applied(row, row.condition, shelves)
    return _as_said(again, row) if said else again


def stored_again(row: Prediction, shelves: Shelves) -> SentAgain:
    """The sound and the picture of a row's record as they are stored, whatever the row was sent.

    Raises:
        ValueError: the shards do not hold its record.
    """
    asked = msgspec.structs.replace(row, condition="full", audio_sha256=None, metadata=None)
    return _applied(asked, "full", shelves)


def _applied(row: Prediction, condition: str, shelves: Shelves) -> SentAgain:
    at = shelves.find(row)
    if isinstance(at, str):
        raise ValueError(at[0].lower() + at[1:].rstrip("."))
    dataset, place = at
    stored, record = shelves.media[row.split or ""], dataset.record(place)
    partner, other = _partner(row, shelves, stored)
    sent = apply_condition(condition, record, row.seed, Media(*stored.reading(place, record)), partner)
    whose = {part: _whose(sent.note[part], place, other) for part in PARTS}
    return SentAgain(row, sent, stored, whose["sound"], whose["picture"])


def _as_said(again: SentAgain, row: Prediction) -> SentAgain:
    """Without the part that the model was not sent, since it does not hear or does not see."""
    for part in PARTS:
        said, made = sent_note(row, part), again.sent.note[part] or f"no {part}"
        if said is not None and said != made:
            raise ValueError(f"{row.condition} makes {made!r} of it, and the row says {said!r}")
    sent = again.sent
    return replace(
        again,
        sent=sent._replace(
            sound=sent.sound if sent_note(row, "sound") else None,
            picture=sent.picture if sent_note(row, "picture") else None,
        ),
    )


def in_words(row: Prediction) -> str:
    """What a row says was sent instead of its own sound and picture; empty if it was sent both.

    >>> note = {"sound": "of:clip-3", "picture": "own"}
    >>> row = Prediction(example_id="q", references=("a",), answer="a", metadata={"sent": note})
    >>> in_words(row)
    'sound of clip-3'
    """
    return ", ".join(filter(None, (_part_in_words(row, part) for part in PARTS)))


def sent_note(row: Prediction, part: str) -> str | None:
    """What a row says of its sound or its picture; see `conditions.Sent`. None if it was sent none."""
    note = _sent(row).get(part)
    return note if isinstance(note, str) else None


def picture_sha256(row: Prediction) -> str | None:
    """The hash of the picture that was sent, if the row has it."""
    said = _sent(row).get("picture_sha256")
    return said if isinstance(said, str) else None


def _sent(row: Prediction) -> dict[str, object]:
    note = (row.metadata or {}).get("sent")
    return note if isinstance(note, dict) else {}


def _part_in_words(row: Prediction, part: str) -> str | None:
    note = sent_note(row, part)
    if note in (None, OWN):
        return None
    if note.startswith(_OF):
        return f"{part} of {note.removeprefix(_OF)}"
    if note == LEFT_OUT:
        return f"no {part}"
    return note if note in WHOLE else f"its {part}, changed"


def _partner(row: Prediction, shelves: Shelves, stored: StoredMedia) -> tuple[Partner | None, int | None]:
    """The record whose sound or picture was sent instead, and its place."""
    notes = (sent_note(row, part) for part in PARTS)
    others = [note.removeprefix(_OF) for note in notes if note is not None and note.startswith(_OF)]
    if not others:
        return None, None
    place = shelves.place(row, others[0])
    if place is None:
        raise ValueError(f"these shards do not hold the record {others[0]!r}")
    record = shelves.datasets[row.split or ""].record(place)
    return Partner(others[0], Media(*stored.reading(place, record))), place


def _whose(note: str | None, own: int, other: int | None) -> int | None:
    """The place of the record whose stored medium this is; None for a changed one."""
    if note == OWN:
        return own
    return other if note is not None and note.startswith(_OF) else None

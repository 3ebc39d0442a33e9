"""Shown: what an arm was sent of an item's sound and picture, to hear and to see.

It is made again from the shards when it is asked for, and checked against the hashes in the row. What has
another hash was not sent, so it is neither played nor shown, and a note says why.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

from safe_data.core.recent import Recent
from safe_data.media.sound import Sound
from safe_eval.prediction import Prediction
from safe_eval.report.media import flac_bytes, png_bytes
from safe_eval.runner.conditions import LEFT_OUT
from safe_eval.runner.sent_again import (
    OWN,
    OtherMediaError,
    SentAgain,
    in_words,
    picture_sha256,
    send_again,
    stored_again,
)
from safe_eval.runner.shelves import Shelves, open_shards
from safe_eval.viewer.drawn_sound import peaks, spectrogram_png
from safe_eval.viewer.viewed import Viewed

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_PIXELS = 2048  # of the longer side of a picture on the page
SOUNDS_SAID = "Sounds are played with 16 bits; a model gets floats."
NO_SHARDS = "No shards are given, so nothing can be heard or seen: name them with --shards."
NO_ROW = "The predictions file with this answer is not here, so nothing says what was sent."
NOT_SAID = "The row does not say what was sent."
STORED = "own"  # in the place of an arm: what the shards hold, whatever was sent

_REMEMBERED_BYTES = 48 * 2**20  # of media that were made last
_DECODED_BYTES = 16 * 2**20  # of stored sounds, of each split


class Part(NamedTuple):
    """A sound or a picture; `checked` says whether its hash is the row's, None where the row has none."""

    medium: Any
    checked: bool | None = None
    notes: tuple[str, ...] = ()


NOTHING = Part(None)


class SentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What an arm was sent, as the page shows it: addresses are relative to the page."""

    said: str | None
    sound: str | None
    picture: str | None
    spectrogram: str | None
    peaks: list[float] | None
    checked: bool | None
    notes: list[str]


@dataclass(frozen=True)
class Sent:
    """What an arm was sent of an item, or what is stored of it; bytes are made when they are asked for."""

    place: str  # ITEM/ARM, of its addresses
    said: str | None = None
    heard: Part = NOTHING
    seen: Part = NOTHING
    notes: tuple[str, ...] = ()

    @property
    def checked(self) -> bool | None:
        """Whether all that has a hash in the row has that hash; None where the row has none."""
        known = [part.checked for part in (self.heard, self.seen) if part.checked is not None]
        return all(known) if known else None

    def sound(self) -> bytes | None:
        """The sound as FLAC of 16 bits."""
        return None if self.heard.medium is None else flac_bytes(self.heard.medium)

    def picture(self) -> bytes | None:
        """The picture as PNG."""
        return None if self.seen.medium is None else png_bytes(self.seen.medium, MOST_PIXELS)

    def spectrogram(self) -> bytes | None:
        """The spectrogram of the sound as PNG."""
        return None if self.heard.medium is None else spectrogram_png(self.heard.medium)

    def facts(self) -> SentFacts:
        """The same for the page."""
        has_sound, has_picture = self.heard.medium is not None, self.seen.medium is not None
        return SentFacts(
            said=self.said,
            sound=f"media/{self.place}/sound.flac" if has_sound else None,
            picture=f"media/{self.place}/picture.png" if has_picture else None,
            spectrogram=f"media/{self.place}/spectrogram.png" if has_sound else None,
            peaks=peaks(self.heard.medium) if has_sound else None,
            checked=self.checked,
            notes=[*self.notes, *self.heard.notes, *self.seen.notes],
        )


def media_of(viewed: Viewed, number: int, arm: int | None) -> Sent:
    """What an arm was sent of an item; of no arm, what the shards hold.

    Raises:
        InputError: there is no such item.
    """
    if arm is None:
        return stored_media(viewed, number)
    viewed.key_of(number)
    return sent_media(viewed, number, arm, viewed.rows_of(number).get(arm))


def stored_media(viewed: Viewed, number: int) -> Sent:
    """What the shards hold of an item's record, whatever was sent.

    Raises:
        InputError: there is no such item.
    """
    dataset, example_id = viewed.key_of(number)
    item = viewed.store.cells.items.slice(number, 1).select(["split", "record_id", "prompt"]).to_pylist()[0]
    asked = Prediction(example_id=example_id, references=(), answer="", dataset=dataset, **item)
    return _read(
        Sent(f"{number}/{STORED}"), viewed.shards, asked, lambda shelves: stored_again(asked, shelves)
    )


def sent_media(viewed: Viewed, number: int, arm: int, row: Prediction | None) -> Sent:
    """What an arm was sent of an item, by its row; None where the predictions are not here."""
    sent = Sent(f"{number}/{arm}")
    if row is None:
        return replace(sent, notes=(NO_ROW,))
    sent = replace(sent, said=in_words(row) or None)
    return _read(sent, viewed.shards, row, lambda shelves: send_again(row, shelves))


def _read(
    sent: Sent, shards: Path | None, row: Prediction, make: Callable[[Shelves], SentAgain | None]
) -> Sent:
    """What is made again of a row, with what must be said of it."""
    if shards is None:
        return replace(sent, notes=(NO_SHARDS,))
    try:
        again = make(_shelves(shards, row.split))
    except (ValueError, OSError) as error:
        return replace(sent, notes=(f"It could not be made again: {error}.",))
    if again is None:
        return replace(sent, notes=(NOT_SAID,))
    heard = _part(_key(shards, again, "sound", again.sent.sound, again.row.audio_sha256), again.sound)
    seen = _part(_key(shards, again, "picture", again.sent.picture, picture_sha256(again.row)), again.picture)
    return replace(sent, heard=_heard(heard, again), seen=_seen(seen, again))


@lru_cache(maxsize=8)
def _shelves(shards: Path, split: str | None) -> Shelves:
    return open_shards([split], shards, sound_bytes=_DECODED_BYTES)


def _key(shards: Path, again: SentAgain, part: str, read: object, sha256: str | None) -> tuple[object, ...]:
    """What tells a sound or a picture from others; arms that were sent the same share it."""
    row, note = again.row, None if read is None else again.sent.note[part]
    is_stored = note is None or note == OWN or note.startswith("of:") or note in ("silence", "grey")
    made_by = None if is_stored else (row.condition, row.seed)
    return shards, row.split, row.record_id, part, note, made_by, sha256


_recent: Recent[Part] = Recent(_REMEMBERED_BYTES)


def _part(key: tuple[object, ...], make: Callable[[], Any]) -> Part:
    """A sound or a picture, which is remembered for a while, or why there is none."""
    found = _recent.get(key)
    if found is None:
        found = _made(make, has_hash=key[-1] is not None)
        if found.medium is not None or not found.notes:  # what failed may succeed the next time
            _recent.put(key, found, _size(found.medium))
    return found


def _made(make: Callable[[], Any], *, has_hash: bool) -> Part:
    try:
        medium = make()
    except OtherMediaError as error:
        return Part(None, False, (f"It is not given here: {error}.",))
    except (ValueError, OSError) as error:
        return Part(None, None, (f"It could not be made again: {error}.",))
    return Part(medium, True if has_hash and medium is not None else None)


def _size(medium: Any) -> int:
    if medium is None:
        return 1
    return int(medium.samples.nbytes) if isinstance(medium, Sound) else 3 * medium.width * medium.height


def _heard(part: Part, again: SentAgain) -> Part:
    """The sound with what a listener must know of it."""
    sound: Sound | None = part.medium
    notes = list(part.notes)
    if sound is None and again.sent.note["sound"] not in (None, LEFT_OUT) and not notes:
        notes.append("This model was sent no sound.")
    if sound is not None:
        notes += _loud(sound)
    return part._replace(notes=tuple(notes))


def _loud(sound: Sound) -> list[str]:
    share = 100 * float(np.mean(np.abs(sound.samples) > 1)) if len(sound.samples) else 0
    return (
        [f"{share:.2g} % of its samples exceed full scale, and are cut off in the player."] if share else []
    )


def _seen(part: Part, again: SentAgain) -> Part:
    """The picture with what a viewer must know of it."""
    picture: Image | None = part.medium
    notes = list(part.notes)
    if picture is None and again.sent.note["picture"] not in (None, LEFT_OUT) and not notes:
        notes.append("This model was sent no picture.")
    if picture is not None and max(picture.size) > MOST_PIXELS:
        notes.append(f"The picture has {picture.width} × {picture.height} pixels, and is shown smaller.")
    if picture is not None and part.checked is None and again.row.audio_sha256 is not None:
        notes.append("The row has a hash of its sound alone, so the picture is not checked.")
    return part._replace(notes=tuple(notes))

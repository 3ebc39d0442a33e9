"""Sent: what the conditions of an item made of its sound and its picture, to hear and to see on the page.

It is made again from the shards as it was when it was sent. A sound whose hash is not the one in the row is
another sound, and is not played.
"""

import io
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from safe_data.media.sound import Sound
from safe_eval.prediction import Prediction
from safe_eval.report import numbers
from safe_eval.report.media import (
    MAX_SOUND_BYTES,
    MAX_TOTAL_BYTES,
    THUMBNAIL_PIXELS,
    Changed,
    Media,
    Shelves,
    embed,
)
from safe_eval.report.selection import Item
from safe_eval.runner.conditions import LEFT_OUT, Partner, Sent, apply_condition
from safe_eval.runner.conditions import Media as Own
from safe_eval.runner.media import StoredMedia
from safe_eval.runner.row import hear

if TYPE_CHECKING:
    from PIL.Image import Image

_OF = "of:"
_WHOLE = ("silence", "noise", "grey")  # that are all there is to say


def collect_sent(items: Sequence[Item], media: Sequence[Media], shelves: Shelves, left: int) -> list[Media]:
    """Add to the media of each item what its conditions changed, while `left` bytes are left on the page."""
    stored = lru_cache(len(shelves.datasets) or 1)(lambda split: StoredMedia(shelves.datasets[split]))
    found = []
    for item, own in zip(items, media, strict=True):
        rows: dict[tuple[str, str], Prediction] = {}
        if not isinstance(shelves.find(item.prediction), str):
            for answered in item.answers:
                row = answered.prediction
                said = _in_words(row)
                if said and row.split == item.prediction.split:
                    rows.setdefault((row.condition, said), row)
        changed = []
        for (condition, said), row in rows.items():
            one, left = _changed(Changed(condition, said), row, shelves, stored(row.split), left)
            changed.append(one)
        found.append(replace(own, changed=tuple(changed)))
    return found


def media_left(media: Sequence[Media]) -> int:
    """The bytes that a page has left beside these media."""
    return MAX_TOTAL_BYTES - sum(one.bytes for one in media)


def _in_words(row: Prediction) -> str:
    """What a row says was sent instead of its own sound and picture; empty if it was sent both.

    >>> note = {"sound": "of:clip-3", "picture": "own"}
    >>> row = Prediction(example_id="q", references=("a",), answer="a", metadata={"sent": note})
    >>> _in_words(row)
    'sound of clip-3'
    """
    return ", ".join(filter(None, (_part_in_words(row, part) for part in ("sound", "picture"))))


def _part_in_words(row: Prediction, part: str) -> str | None:
    note = _note(row, part)
    if note in (None, "own"):
        return None
    if note.startswith(_OF):
        return f"{part} of {note.removeprefix(_OF)}"
    if note == LEFT_OUT:
        return f"no {part}"
    return note if note in _WHOLE else f"its {part}, changed"


def _note(row: Prediction, part: str) -> str | None:
    note: str | None = ((row.metadata or {}).get("sent") or {}).get(part)
    return note


def _changed(
    one: Changed, row: Prediction, shelves: Shelves, stored: StoredMedia, left: int
) -> tuple[Changed, int]:
    """The same with what was sent as data URIs, or with the reason why not, and the budget that remains."""
    notes: list[str] = []
    sound = picture = None
    try:
        sent = _send(row, shelves, stored)
        if sent.sound is not None and _note(row, "sound") not in (None, "own", "silence"):
            data = _flac(_as_sent(row, shelves, stored, sent.sound()))
            if len(data) > MAX_SOUND_BYTES:
                notes.append(f"A sound of {numbers.size(len(data))} is left out.")
            else:
                sound, left = embed(data, "sound", left, notes)
        if sent.picture is not None and _note(row, "picture") not in (None, "own", "grey"):
            picture, left = embed(_png(sent.picture()), "picture", left, notes)
    except ValueError as error:
        notes.append(f"It could not be made again: {error}")
    said = ". ".join((one.said, *(note.rstrip(".") for note in notes)))
    return replace(one, said=said, sound=sound, picture=picture), left


def _send(row: Prediction, shelves: Shelves, stored: StoredMedia) -> Sent:
    """Apply the condition of a row to its record; whose sound or picture it got, the row says."""
    dataset, place = shelves.datasets[row.split or ""], shelves.place(row, row.record_id)
    if place is None:
        raise ValueError("these shards do not hold this record")
    record = dataset.record(place)
    notes = (_note(row, "sound"), _note(row, "picture"))
    others = [note.removeprefix(_OF) for note in notes if note is not None and note.startswith(_OF)]
    partner = None
    if others:
        other = shelves.place(row, others[0])
        if other is None:
            raise ValueError(f"these shards do not hold the record {others[0]!r}")
        partner = Partner(others[0], Own(*stored.reading(other, dataset.record(other))))
    return apply_condition(row.condition, record, row.seed, Own(*stored.reading(place, record)), partner)


def _as_sent(row: Prediction, shelves: Shelves, stored: StoredMedia, sound: Sound) -> Sound:
    """A sound, if it is the one whose hash the row has; a row without one is believed."""
    note = _note(row, "sound") or ""
    other = shelves.place(row, note.removeprefix(_OF)) if note.startswith(_OF) else None
    sha256 = hear(sound).sha256 if other is None else stored.heard(other).sha256
    if row.audio_sha256 not in (None, sha256):
        raise ValueError("these shards give another sound than was sent")
    return sound


def _flac(sound: Sound) -> bytes:
    """A sound for a browser: 16 bits, so what exceeds full scale is cut off."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(
        file, np.clip(sound.samples, -1, 1), sound.sample_rate_hz, format="FLAC", subtype="PCM_16"
    )
    return file.getvalue()


def _png(picture: "Image") -> bytes:
    """A picture for a browser, as a thumbnail if it is large."""
    shown = picture.convert("RGB")
    shown.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
    file = io.BytesIO()
    shown.save(file, "PNG")
    return file.getvalue()

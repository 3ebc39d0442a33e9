"""Sent: what the conditions of an item made of its sound and its picture, to hear and to see on the page.

It is made again from the shards as it was when it was sent. A sound whose hash is not the one in the row is
another sound, and is not played.
"""

from collections.abc import Sequence
from dataclasses import replace

from safe_eval.prediction import Prediction
from safe_eval.report import numbers
from safe_eval.report.media import (
    MAX_SOUND_BYTES,
    MAX_TOTAL_BYTES,
    THUMBNAIL_PIXELS,
    Changed,
    Media,
    embed,
    flac_bytes,
    png_bytes,
)
from safe_eval.report.selection import Item
from safe_eval.runner.sent_again import OWN, in_words, send_again, sent_note
from safe_eval.runner.shelves import Shelves

_NOT_PLAYED = (None, OWN, "silence")
_NOT_SHOWN = (None, OWN, "grey")


def collect_sent(items: Sequence[Item], media: Sequence[Media], shelves: Shelves, left: int) -> list[Media]:
    """Add to the media of each item what its conditions changed, while `left` bytes are left on the page."""
    found = []
    for item, own in zip(items, media, strict=True):
        rows: dict[tuple[str, str], Prediction] = {}
        if not isinstance(shelves.find(item.prediction), str):
            for answered in item.answers:
                row = answered.prediction
                said = in_words(row)
                if said and row.split == item.prediction.split:
                    rows.setdefault((row.condition, said), row)
        changed = []
        for (condition, said), row in rows.items():
            one, left = _changed(Changed(condition, said), row, shelves, left)
            changed.append(one)
        found.append(replace(own, changed=tuple(changed)))
    return found


def media_left(media: Sequence[Media]) -> int:
    """The bytes that a page has left beside these media."""
    return MAX_TOTAL_BYTES - sum(one.bytes for one in media)


def _changed(one: Changed, row: Prediction, shelves: Shelves, left: int) -> tuple[Changed, int]:
    """The same with what was sent as data URIs, or with the reason why not, and the budget that remains."""
    notes: list[str] = []
    sound = picture = None
    try:
        sent = send_again(row, shelves)
        if sent is not None and sent_note(row, "sound") not in _NOT_PLAYED and (heard := sent.sound()):
            data = flac_bytes(heard)
            if len(data) > MAX_SOUND_BYTES:
                notes.append(f"A sound of {numbers.size(len(data))} is left out.")
            else:
                sound, left = embed(data, "sound", left, notes)
        if sent is not None and sent_note(row, "picture") not in _NOT_SHOWN and (seen := sent.picture()):
            picture, left = embed(png_bytes(seen, THUMBNAIL_PIXELS), "picture", left, notes)
    except ValueError as error:
        notes.append(f"It could not be made again: {error}")
    said = ". ".join((one.said, *(note.rstrip(".") for note in notes)))
    return replace(one, said=said, sound=sound, picture=picture), left

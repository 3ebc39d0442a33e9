"""Given: what each record sends in one arm, with the facts of it, or why it cannot."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from safe_data.media.sound import Sound
from safe_data.records import Example, Record
from safe_eval.models.model import ReadPicture, ReadSound
from safe_eval.prediction import BASE
from safe_eval.runner.conditions import Media, Partner, Sent, apply_condition
from safe_eval.runner.media import Dataset, StoredMedia, pixel_hash
from safe_eval.runner.partners import said_by
from safe_eval.runner.plan import Arm, Plan
from safe_eval.runner.row import Heard, hear, in_one_line

_RECORDS = 2**12  # that are remembered, as partners of others


class Given(NamedTuple):
    """What one record sends: a sound, a picture and the gate. `note` says the same in words.

    Without a sound the gate is closed. `sound_of` is the record whose stored sound is sent as it is.
    """

    sound: ReadSound | None
    sound_is: str | None
    sound_of: int | None
    picture: ReadPicture | None
    picture_sha256: str | None
    gate: float
    heard: Heard | None
    note: dict[str, Any]


class Giver:
    """Applies the conditions of a plan to the records of a split."""

    def __init__(self, dataset: Dataset, plan: Plan, seed: int) -> None:
        self._dataset, self._plan, self._seed = dataset, plan, seed
        self._media = StoredMedia(dataset)
        self._record = lru_cache(_RECORDS)(dataset.record)

    def partner(self, arm: Arm, index: int) -> int | None:
        """The record whose sound or picture a record gets in an arm, if it gets another's."""
        return self._plan.partners.get(arm.condition, {}).get(index)

    def partner_id(self, arm: Arm, index: int) -> str | None:
        """The id of that record."""
        partner = self.partner(arm, index)
        return None if partner is None else self._record(partner).id

    def contradicts(self, arm: Arm, record: Record, index: int, example: Example) -> str | None:
        """The answer to an example that the sound sent under `contradict` supports; None if not known."""
        partner = self.partner(arm, index)
        if arm.condition != "contradict" or partner is None:
            return None
        return said_by(self._record(partner), record, example)

    def give(
        self, arm: Arm, records: Mapping[int, Record], *, hears: bool, sees: bool = True
    ) -> dict[int, Given | str]:
        """What each record gives in an arm, or why it cannot: media may be broken in any way."""
        found: dict[int, Given | str] = {}
        for index, record in records.items():
            try:
                found[index] = self._give(arm, index, record, hears, sees)
            except Exception as error:  # only this record may suffer
                found[index] = in_one_line(error)
        return found

    def _give(self, arm: Arm, index: int, record: Record, hears: bool, sees: bool) -> Given:
        sent = self._send(arm, index, record, hears, sees)
        sound_is = sent.note["sound"]
        sound_of = self._whose(arm, index, sound_is)
        read, heard = sent.sound, None
        if sent.sound is not None and sound_of is not None:
            heard = self._media.heard(sound_of)
        elif sent.sound is not None and sound_is == "silence":
            heard = self._media.silence_for(index)
        elif sent.sound is not None:
            sound = sent.sound()
            read, heard = _always(sound), hear(sound)
        gate = sent.gate if read is not None else 0.0
        picture_sha256 = self._name_of_picture(arm, index, sent)
        note = sent.note | {"gate": None if arm.model == BASE else gate}
        if heard is not None:
            note["sound_seconds"] = round(heard.duration_seconds, 6)
        if picture_sha256 is not None:
            note["picture_sha256"] = picture_sha256
        return Given(read, sound_is, sound_of, sent.picture, picture_sha256, gate, heard, note)

    def _send(self, arm: Arm, index: int, record: Record, hears: bool, sees: bool) -> Sent:
        partner, other = None, self.partner(arm, index)
        if other is not None:
            of = self._record(other)
            partner = Partner(of.id, self._reading(other, of, hears, sees))
        own = self._reading(index, record, hears, sees)
        return apply_condition(arm.condition, record, self._seed, own, partner)

    def _reading(self, index: int, record: Record, hears: bool, sees: bool) -> Media:
        sound, picture = self._media.reading(index, record)
        return Media(sound if hears else None, picture if sees else None)

    def _whose(self, arm: Arm, index: int, note: str | None) -> int | None:
        """The record whose own sound or picture this is, as `note` names it; None for a changed one."""
        if note == "own":
            return index
        return self.partner(arm, index) if note is not None and note.startswith("of:") else None

    def _name_of_picture(self, arm: Arm, index: int, sent: Sent) -> str | None:
        if sent.picture is None:
            return None
        whose = self._whose(arm, index, sent.note["picture"])
        if whose is not None:
            return self._media.picture_sha256(whose)
        return pixel_hash(sent.picture())


def _always(sound: Sound) -> ReadSound:
    return lambda: sound

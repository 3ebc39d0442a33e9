"""Given: what each record of a batch gives a model under one condition, or why it cannot."""

from collections.abc import Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

from jaxtyping import Float16
from numpy import ndarray

from safe_data.media.sound import Sound
from safe_data.records import Record
from safe_data.shards.dataset import ShardDataset
from safe_eval.models.model import ReadSound
from safe_eval.prediction import BASE
from safe_eval.runner.conditions import Media, Partner, Sent, apply_condition
from safe_eval.runner.row import Heard, hear, in_one_line
from safe_train.base.prompts import Picture, stored_picture
from safe_train.predict.plan import Arm
from safe_train.predict.sounds import Embeddings, Sounds

_PICTURES = 2**12  # whose names are remembered
Embedding = tuple[Float16[ndarray, "*shape"], ...]  # one array per encoder


class Given(NamedTuple):
    """What one record sends: a picture, a sound as each encoder embeds it, and the gate.

    Without a sound the gate is closed. `heard` and `note` say what was sent.
    """

    picture: Picture | None
    sound: Embedding | None
    gate: float
    heard: Heard | None
    note: dict[str, Any]


class _Voice(NamedTuple):
    """The sound that one record sends: stored with this record, or these samples, or else silence."""

    heard: Heard
    stored: int | None = None
    samples: Sound | None = None


class Giver:
    """Applies conditions to the records of a split; `partners` says whose sound a record hears instead."""

    def __init__(self, dataset: ShardDataset, sounds: Sounds, partners: Mapping[int, int], seed: int) -> None:
        self._dataset = dataset
        self.sounds = sounds
        self._partners = partners
        self._seed = seed
        self._stored_picture = lru_cache(_PICTURES)(partial(stored_picture, dataset))

    def partner(self, arm: Arm, index: int) -> int | None:
        """The record whose sound a record hears in an arm, if it hears another's."""
        return self._partners.get(index) if arm.condition == "swap_audio" else None

    def prepare(self, conditions: Sequence[str]) -> None:
        """Load what the conditions need: the stored silence, and encoders for sounds that are stored nowhere.

        Raises:
            InputError: the dataset has no silence, or an encoder cannot be loaded or is another one.
        """
        record = self._dataset.record(0)
        media = Media(partial(self.sounds.read, 0), None)
        for condition in conditions:
            sent = apply_condition(condition, record, self._seed, media, Partner(record.id, media))
            kind = str(sent.note["sound"])
            if kind == "silence":
                self.sounds.silence()
            elif kind != "own" and not kind.startswith("of:"):
                self.sounds.load()

    def give(self, arm: Arm, records: Mapping[int, Record]) -> dict[int, Given | str]:
        """What each record gives in an arm, or why it cannot: media may be broken in any way."""
        sent = {index: self._send(arm, index, record) for index, record in records.items()}
        voices: dict[int, _Voice] = {}
        errors: dict[int, str] = {}
        for index, one in sent.items():
            try:
                if one.sound is not None:
                    voices[index] = self._voice(arm, index, one.sound, str(one.note["sound"]))
            except Exception as error:
                errors[index] = in_one_line(error)
        embeddings = self._embeddings(voices, errors)
        return {
            index: errors.get(index) or self._given(arm, index, one, voices.get(index), embeddings.get(index))
            for index, one in sent.items()
        }

    def _send(self, arm: Arm, index: int, record: Record) -> Sent:
        partner, other = None, self.partner(arm, index)
        if other is not None:
            partner = Partner(self._dataset.value(other, "id"), self._media(arm, other))
        return apply_condition(arm.condition, record, self._seed, self._media(arm, index), partner)

    def _media(self, arm: Arm, index: int) -> Media:
        has_sound = arm.model != BASE and self._dataset.has_audio[index]
        picture = self._stored_picture(index)
        return Media(
            partial(self.sounds.read, index) if has_sound else None,
            None if picture is None else picture.load,
        )

    def _voice(self, arm: Arm, index: int, read: ReadSound, kind: str) -> _Voice:
        """The sound as `note` names it; only one that is stored nowhere is read."""
        source = index if kind == "own" else self.partner(arm, index) if kind.startswith("of:") else None
        if source is not None:
            return _Voice(self.sounds.heard(source), stored=source)
        if kind == "silence":
            return _Voice(self.sounds.silence_for(index))
        sound = read()
        return _Voice(hear(sound), samples=sound)

    def _embeddings(self, voices: Mapping[int, _Voice], errors: dict[int, str]) -> dict[int, Embedding]:
        """The embedding of each sound; one that cannot be embedded is added to `errors`."""
        stored = {index: voice.stored for index, voice in voices.items() if voice.stored is not None}
        changed = {index: voice.samples for index, voice in voices.items() if voice.samples is not None}
        found: dict[int, Embedding] = {}
        if silent := [index for index in voices if index not in stored and index not in changed]:
            found = dict.fromkeys(silent, _each(self.sounds.silence())[0])
        if stored:
            found |= zip(stored, _each(self.sounds.stored(list(stored.values()))), strict=True)
        return found | self._embed(changed, errors)

    def _embed(self, sounds: Mapping[int, Sound], errors: dict[int, str]) -> dict[int, Embedding]:
        """Embed sounds together; if that fails, one by one."""
        if not sounds:
            return {}
        try:
            return dict(zip(sounds, _each(self.sounds.embed(list(sounds.values()))), strict=True))
        except Exception as error:
            if len(sounds) > 1:
                alone = [self._embed({index: sound}, errors) for index, sound in sounds.items()]
                return {index: embedding for one in alone for index, embedding in one.items()}
            errors |= dict.fromkeys(sounds, in_one_line(error))
            return {}

    def _given(
        self, arm: Arm, index: int, sent: Sent, voice: _Voice | None, embedding: Embedding | None
    ) -> Given:
        gate = sent.gate if voice is not None else 0.0
        note = sent.note | {"gate": gate if arm.model != BASE else None}
        heard = None if voice is None else voice.heard
        return Given(self._picture(arm, index, sent), embedding, gate, heard, note)

    def _picture(self, arm: Arm, index: int, sent: Sent) -> Picture | None:
        """The picture that is sent, with a name of its own if it was changed."""
        stored = self._stored_picture(index)
        if sent.picture is None or stored is None or sent.note["picture"] == "own":
            return stored
        return Picture(f"{index} {arm.condition} {stored.sha256}", sent.picture)


def _each(embeddings: Embeddings) -> list[Embedding]:
    """One embedding by each encoder for each sound, from one array for each encoder."""
    return list(zip(*embeddings, strict=True))

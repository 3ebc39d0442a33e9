"""Sounds: what SAFE hears, as embeddings: those stored with a dataset wherever the sound is not changed.

Where there is no dataset, as behind a server, every sound is embedded by the checkpoint's own encoders.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jaxtyping import Float16
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.encoders.encoder import AudioEncoder, embed_silence, load_encoder
from safe_data.media.sound import Sound
from safe_data.shards.dataset import ShardDataset
from safe_data.shards.layout import label_of
from safe_eval.condition import changes_sound
from safe_eval.models.model import Input

_STORED = ("swap_audio", "contradict", "text_only", "drop_")  # what they send is stored, or nothing
Embedding = tuple[Float16[ndarray, "*shape"], ...]  # one array per encoder
Embeddings = tuple[Float16[ndarray, "sounds *shape"], ...]  # one array per encoder


class WantedEncoder(NamedTuple):
    """An encoder that a checkpoint hears by, and how to load it; None if the checkpoint does not know how.

    `is_named` says that the user gave the source, which then may be a hub id.
    """

    name: str
    fingerprint: str
    source: str | None
    is_named: bool = False


class Sounds:
    """Sounds as a checkpoint's encoders embed them: those of a split, or of no dataset (None).

    Encoders are loaded when they are first needed.

    Raises:
        InputError: the dataset lacks the embeddings of an encoder.
    """

    def __init__(self, dataset: ShardDataset | None, encoders: Sequence[WantedEncoder]) -> None:
        self.dataset, self._wanted = dataset, tuple(encoders)
        self._stored = _stored(dataset, encoders) if dataset else ()
        self._encoders: list[AudioEncoder] = []

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """The shape of one embedding of each encoder."""
        if self.dataset is None:
            return [tuple(encoder.shape) for encoder in self.load()]
        return [tuple((one.encoder or {})["shape"]) for one in self._stored]

    def prepare(self, conditions: Sequence[str]) -> None:
        """Load early what the conditions need: stored silence, and encoders for sounds stored nowhere.

        Raises:
            InputError: the dataset has no silence, or an encoder cannot be loaded or is another one.
        """
        if self.dataset is None:
            self.load()
            return
        for condition in conditions:
            if condition == "mute_audio":
                self.silence()
            elif changes_sound(condition) and not condition.startswith(_STORED):
                self.load()

    def of(self, inputs: Sequence[Input]) -> list[Embedding | None]:
        """The embedding of the sound of each input, one array per encoder; None without a sound.

        Sounds that are stored nowhere are embedded, each once for all questions about it.
        """
        found: list[Embedding | None] = [None] * len(inputs)
        stored = {row: one.sound_of for row, one in enumerate(inputs) if one.sound_of is not None}
        if stored:
            for row, embedding in zip(stored, _each(self.stored([*stored.values()])), strict=True):
                found[row] = embedding
        changed: dict[int, list[int]] = {}
        for row, one in enumerate(inputs):
            if one.sound is None or one.sound_of is not None:
                continue
            if one.sound_is == "silence":
                found[row] = _each(self.silence())[0]
            else:
                changed.setdefault(id(one.sound), []).append(row)
        if changed:
            embedded = self.embed([_read(inputs[rows[0]]) for rows in changed.values()])
            for rows, embedding in zip(changed.values(), _each(embedded), strict=True):
                for row in rows:
                    found[row] = embedding
        return found

    def stored(self, indices: Sequence[int]) -> Embeddings:
        """The embeddings of these records' own sounds."""
        if self.dataset is None:
            raise ValueError("no dataset is there to hold the embeddings of records")
        return tuple(dataset.embeddings(indices) for dataset in self._stored)

    def silence(self) -> Embeddings:
        """The embedding of silence, as an array of one."""
        if self.dataset is None:
            return tuple(embed_silence(encoder)[None] for encoder in self.load())
        return tuple(dataset.silence[None] for dataset in self._stored)

    def embed(self, sounds: Sequence[Sound]) -> Embeddings:
        """The embeddings of other sounds."""
        return tuple(
            encoder.encode([sound.resampled(encoder.sample_rate_hz).samples for sound in sounds])
            for encoder in self.load()
        )

    def load(self) -> list[AudioEncoder]:
        """The encoders; call it early to find out early that one cannot be had.

        Raises:
            InputError: an encoder cannot be loaded, or is another one.
        """
        if not self._encoders:
            self._encoders = [load_wanted(wanted) for wanted in self._wanted]
        return self._encoders


def _stored(dataset: ShardDataset, encoders: Sequence[WantedEncoder]) -> tuple[ShardDataset, ...]:
    """The dataset, opened with the embeddings of each encoder."""
    return tuple(dataset.with_encoder(label_of(e.name, e.fingerprint)) for e in encoders)


def _read(given: Input) -> Sound:
    if given.sound is None:
        raise ValueError("an input without a sound has none to embed")
    return given.sound()


def _each(embeddings: Embeddings) -> list[Embedding]:
    """One embedding by each encoder for each sound, from one array for each encoder."""
    return list(zip(*embeddings, strict=True))


def load_wanted(wanted: WantedEncoder) -> AudioEncoder:
    """Load an encoder that a checkpoint hears by.

    Raises:
        InputError: it cannot be loaded, or is another one.
    """
    _, _, place = (wanted.source or "").partition(":")
    if place and not wanted.is_named and not Path(place).expanduser().is_dir():
        # A checkpoint may be a stranger's: what it names is not fetched.
        raise InputError(
            f"encoder {wanted.source}: the checkpoint names it, and {place} is no folder here; say where it "
            f"is with --encoder {wanted.name}:SOURCE, a folder or the hub id to fetch"
        )
    try:
        encoder = load_encoder(wanted.source or wanted.name)
    except InputError as error:  # the folder may have moved since the checkpoint was trained
        raise InputError(f"{error}; say where it is with --encoder {wanted.name}:SOURCE") from None
    if encoder.fingerprint != wanted.fingerprint:
        raise InputError(
            f"encoder {wanted.source or wanted.name}: is {encoder.name} {encoder.fingerprint}, and the "
            f"checkpoint hears by {wanted.name} {wanted.fingerprint}; give the right one with --encoder"
        )
    return encoder

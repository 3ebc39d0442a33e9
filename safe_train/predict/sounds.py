"""Sounds: what SAFE hears, as embeddings: those stored with the dataset wherever the sound is not changed."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float16
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.encoders.encoder import AudioEncoder, load_encoder
from safe_data.media.sound import Sound
from safe_data.shards.dataset import ShardDataset
from safe_eval.runner.row import Heard, hear
from safe_train.base.recent import Recent

SOUND_CACHE_BYTES = 2**28
_FACTS = 2**16  # sounds whose hash and level are remembered

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
    """The sounds of a split as a checkpoint's encoders embed them; encoders are loaded when first needed.

    Raises:
        InputError: the dataset lacks the embeddings of an encoder.
    """

    def __init__(self, dataset: ShardDataset, encoders: Sequence[WantedEncoder]) -> None:
        self._dataset = dataset
        self._wanted = tuple(encoders)
        self._stored = [dataset.with_encoder(f"{e.name}-{e.fingerprint[:8]}") for e in encoders]
        self.shapes = [tuple((one.encoder or {})["shape"]) for one in self._stored]
        self._encoders: list[AudioEncoder] = []
        self._recent: Recent[Sound] = Recent(SOUND_CACHE_BYTES)
        self.heard = lru_cache(_FACTS)(self._heard)
        self._hear_silence = lru_cache(_FACTS)(_hear_silence)

    def read(self, index: int) -> Sound:
        """The decoded sound of a record that has one."""
        sound = self._recent.get(index)
        if sound is None:
            sound = self._dataset.audio(index)
            if sound is None:
                raise InputError(f"{self._dataset.root}: sample {index} should have a sound and has none")
            self._recent.put(index, sound, sound.samples.nbytes)
        return sound

    def stored(self, indices: Sequence[int]) -> Embeddings:
        """The embeddings of these records' own sounds."""
        return tuple(dataset.embeddings(indices) for dataset in self._stored)

    def silence(self) -> Embeddings:
        """The embedding of silence, as an array of one."""
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
            self._encoders = [_load(wanted) for wanted in self._wanted]
        return self._encoders

    def silence_for(self, index: int) -> Heard:
        """The facts of digital silence as long as a record's sound."""
        duration, rate = (self._dataset.value(index, name) for name in ("duration_seconds", "sample_rate_hz"))
        return self._hear_silence(round(duration * rate), rate)

    def _heard(self, index: int) -> Heard:
        """The facts of a record's own sound; the manifest knows them if one channel is stored."""
        value = self._dataset.value
        if value(index, "channels") == 1:
            return Heard(*(value(index, name) for name in ("pcm_sha256", "rms_db", "duration_seconds")))
        return hear(self.read(index))


def _hear_silence(samples: int, rate_hz: int) -> Heard:
    return hear(Sound(np.zeros(samples, np.float32), rate_hz, rate_hz, 1))


def _load(wanted: WantedEncoder) -> AudioEncoder:
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

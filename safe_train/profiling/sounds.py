"""Sounds: what a sound takes from the cache, against one that is decoded and encoded on the fly."""

import numpy as np
import torch
from torch import Tensor

from safe_data.core.errors import InputError
from safe_data.core.phases import Phase, unseen
from safe_data.media.sound import Sound
from safe_data.shards.dataset import ShardDataset
from safe_train.base.loading import input_device
from safe_train.parity.timing import ratio_of
from safe_train.pathway.model import SafeModel
from safe_train.predict import sounds as predicted
from safe_train.predict.sounds import WantedEncoder
from safe_train.profiling.ladder import seconds_of, without_collecting
from safe_train.profiling.quantiles import quantile_of
from safe_train.profiling.result import Sounds
from safe_train.profiling.subject import Subject, evenly, names_of

_PARTS = ("read", "decode", "encode", "project")


def profile_sounds(subject: Subject, model: SafeModel, at: Phase = unseen) -> Sounds:
    """Take real sounds of the asked split both ways, one at a time and in turns.

    The projection is that of a request: to audio tokens, and to the keys and values of the fused layers.

    Raises:
        InputError: the encoder cannot be loaded, or a sound cannot be decoded.
    """
    dataset = _dataset(subject)
    encoders = [WantedEncoder(e.name, e.fingerprint, e.source) for e in subject.encoders]
    source = predicted.Sounds(dataset, encoders)
    source.load()
    indices = _spread(np.flatnonzero(dataset.has_audio), subject.config.measuring.sounds)
    at("sounds from the cache and on the fly")
    one = _OneSound(source, dataset, model)
    one.taken(indices[0])  # the first of a process is slower
    with without_collecting():
        taken = [one.taken(index, flipped=number % 2 == 1) for number, index in enumerate(indices)]
    columns = {part: [row[place] for row in taken] for place, part in enumerate(_PARTS)}
    pairs = [(read + project, decode + encode + project) for read, decode, encode, project in taken]
    ms = {f"{part}_ms": quantile_of(column).scaled(1000) for part, column in columns.items()}
    return Sounds(
        encoders=names_of(subject.encoders),
        sounds=len(indices),
        seconds=float(np.mean([dataset.value(index, "duration_seconds") for index in indices])),
        ratio=ratio_of(pairs),
        **ms,
    )


class _OneSound:
    """The parts of one sound's way, each timed."""

    def __init__(self, source: predicted.Sounds, dataset: ShardDataset, model: SafeModel) -> None:
        self._source, self._dataset, self._model = source, dataset, model

    def taken(self, index: int, *, flipped: bool = False) -> tuple[float, float, float, float]:
        """The seconds of reading, decoding, encoding and projecting; flipped, it is encoded before read."""
        found: dict[str, float] = {}
        for way in (self._fly, self._cached) if flipped else (self._cached, self._fly):
            way(index, found)
        return found["read"], found["decode"], found["encode"], found["project"]

    def _cached(self, index: int, found: dict[str, float]) -> None:
        embeddings: list[Tensor] = []

        def read() -> None:
            device = input_device(self._model.base)
            stored = self._source.stored([index])
            embeddings.extend(torch.from_numpy(one.astype(np.float32)).to(device) for one in stored)

        def project() -> None:
            with torch.no_grad():
                self._model.pathway(tuple(embeddings))

        found["read"] = seconds_of(read)
        found["project"] = seconds_of(project)

    def _fly(self, index: int, found: dict[str, float]) -> None:
        sounds: list[Sound] = []

        def decode() -> None:
            sound = self._dataset.audio(index)
            if sound is None:
                raise InputError(f"{self._dataset.root}: sample {index} should have a sound and has none")
            sounds.append(sound)

        found["decode"] = seconds_of(decode)
        found["encode"] = seconds_of(lambda: self._source.embed(sounds))


def _dataset(subject: Subject) -> ShardDataset:
    """The first dataset that has sounds."""
    return subject.corpora.sounding[0]


def _spread(found: np.ndarray, count: int) -> list[int]:
    """Evenly spaced ones, at most so many.

    Raises:
        InputError: there are fewer than eight, which have no interval.
    """
    if len(found) < 8:
        raise InputError(f"{len(found)} sounds are too few to compare; 8 at least have an interval")
    return evenly(found.tolist(), count)

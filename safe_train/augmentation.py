"""Augmentation: let audio questions hear their sound shifted in time, and with a part of its mel masked.

Training hears stored embeddings, so what is changed is embedded anew: the sound is decoded from its shard,
shifted, turned into the mel of the encoder that made the embeddings, masked, and encoded. What a row of a
step hears follows from the seed, the step and the row. It does not depend on processes, on forward passes or
on threads, and a run that goes on hears the same.

A sound that is not changed is the stored embedding, to the byte. Unrelated sounds and silence always are.

**Source:** SpecAugment, Park et al. 2019 (arXiv 1904.08779), section 2: widths uniform from 0 to the
parameter, then the place uniform; a masked value is the mean of the mel.
**Differs:** one mask of each kind, and no warping of time. A mask is laid over the frames that hold sound,
not over the silence after it, and at the same place in every window of a long sound. Where an encoder repeats
a short clip, one repetition is masked in time. The mean is that of the window, in the encoder's log scale.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
from jaxtyping import Float16, Float32
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.encoders.encoder import AudioEncoder, load_encoder
from safe_data.shards.dataset import ShardDataset
from safe_train.settings.data import DataConfig

_STREAM = 13  # the stream of random numbers that draws the changes
_NUMBERS = 5  # of a change


class Change(NamedTuple):
    """How a row's sound is changed: a shift in seconds, widths in mel bands and frames, and where they begin.

    The places are shares, from 0 to below 1, of those where the mask fits.
    """

    shift_seconds: float = 0.0
    bands: int = 0
    band_at: float = 0.0
    frames: int = 0
    frame_at: float = 0.0

    @property
    def masks(self) -> bool:
        """Whether anything of the mel is masked."""
        return bool(self.bands or self.frames)

    def masked(self, mel: Float32[ndarray, "frames bands"]) -> Float32[ndarray, "frames bands"]:
        """The mel with its band of frequencies and its span of frames set to its mean.

        >>> Change(frames=1, frame_at=0.5).masked(np.float32([[1, 2], [3, 6]])).tolist()
        [[1.0, 2.0], [3.0, 3.0]]
        """
        found = mel.copy()
        frames, bands = mel.shape
        mean = mel.mean()
        found[:, _span(self.bands, self.band_at, bands)] = mean
        found[_span(self.frames, self.frame_at, frames)] = mean
        return found


def _span(width: int, at: float, length: int) -> slice:
    width = min(width, length)
    first = int(at * (length - width + 1))
    return slice(first, first + width)


@dataclass(frozen=True)
class Ranges:
    """The largest changes: widths of masks in mel bands and frames, and a shift to either side."""

    freq_mask: int = 0
    time_mask: int = 0
    time_shift_ms: float = 0.0

    @classmethod
    def of(cls, data: DataConfig) -> "Ranges":
        """The ranges that the settings name."""
        return cls(data.freq_mask, data.time_mask, data.time_shift_ms)

    @property
    def any(self) -> bool:
        """Whether anything is changed at all."""
        return bool(self.freq_mask or self.time_mask or self.time_shift_ms)

    def draw(self, seed: int, step: int, rows: int) -> list[Change]:
        """The change of each row of a step; that of a row does not depend on how many there are."""
        drawn = np.random.default_rng((seed, _STREAM, step)).random((rows, _NUMBERS))
        return [
            Change(
                shift_seconds=(2 * shift - 1) * self.time_shift_ms / 1000,
                bands=int(bands * (self.freq_mask + 1)),
                band_at=band_at,
                frames=int(frames * (self.time_mask + 1)),
                frame_at=frame_at,
            )
            for shift, bands, band_at, frames, frame_at in drawn.tolist()
        ]


def shifted(samples: Float32[ndarray, " samples"], by: int) -> Float32[ndarray, " samples"]:
    """Samples so much later, or earlier if below 0, with zeros for what is not known; by half at most.

    What leaves at one end does not come back at the other.

    >>> sound = np.float32([1, 2, 3, 4])
    >>> shifted(sound, 1).tolist(), shifted(sound, -1).tolist(), shifted(sound, 9).tolist()
    ([0.0, 1.0, 2.0, 3.0], [2.0, 3.0, 4.0, 0.0], [0.0, 0.0, 1.0, 2.0])
    """
    by = max(-(len(samples) // 2), min(by, len(samples) // 2))
    found = np.zeros_like(samples)
    found[max(by, 0) : len(samples) + min(by, 0)] = samples[max(-by, 0) : len(samples) - max(by, 0)]
    return found


class Augmentation:
    """Embeds changed sounds with the encoders of a dataset's embeddings. It may be used by several threads.

    `heard` is a dataset with the embeddings of each encoder; `sources` such as `clap:DIR` say where an
    encoder is, in place of the dataset.

    Raises:
        InputError: an encoder cannot be loaded, or is not the one that made the embeddings.
    """

    def __init__(self, heard: Sequence[ShardDataset], sources: Sequence[str] = ()) -> None:
        by_name = {source.partition(":")[0]: source for source in sources}
        names = [(dataset.encoder or {})["name"] for dataset in heard]
        if len(by_name) < len(sources) or by_name.keys() - set(names):
            raise InputError(
                f"encoder_source={list(sources)}: name each of {', '.join(names)} at most once, and no "
                f"other, such as {names[0]}:SOURCE"
            )
        self._encoders = [_loaded(d, by_name.get(name)) for d, name in zip(heard, names, strict=True)]
        self._lock = Lock()

    def embed(
        self, dataset: ShardDataset, index: int, change: Change
    ) -> tuple[Float16[ndarray, " *shape"], ...] | None:
        """The embedding of a changed sound by each encoder; None if nothing of it changes.

        Raises:
            InputError: the sample has no sound.
        """
        # The manifest knows the rate: what is not changed is not decoded.
        by = round(change.shift_seconds * dataset.value(index, "sample_rate_hz"))
        if not by and not change.masks:
            return None
        sound = dataset.audio(index)
        if sound is None:
            raise InputError(f"{dataset.root}: sample {index} should have a sound and has none")
        if by:
            samples = shifted(sound.samples, by)
            sound = type(sound)(samples, sound.sample_rate_hz, sound.source_rate_hz, sound.source_channels)
        clips = [sound.resampled(encoder.sample_rate_hz).samples for encoder in self._encoders]
        changes = [change.masked] if change.masks else []
        # One at a time: encoders load on first use, and set torch's number of threads while they work.
        with self._lock:
            return tuple(
                encoder.encode([clip], changes)[0] if changes else encoder.encode([clip])[0]
                for encoder, clip in zip(self._encoders, clips, strict=True)
            )


def _loaded(dataset: ShardDataset, named: str | None) -> AudioEncoder:
    entry = dataset.encoder or {}
    source = named or dataset.encoder_source or entry["name"]
    fix = f"say where it is with --encoder-source {entry['name']}:SOURCE, or leave out the augmentation"
    place = source.partition(":")[2]
    if place and not named and not Path(place).expanduser().is_dir():
        # A dataset may be a stranger's: what it names is not fetched.
        raise InputError(
            f"encoder {source}: {dataset.root} names it, and {place} is no folder here; {fix}; SOURCE is a "
            "folder or the hub id to fetch"
        )
    try:
        encoder = load_encoder(source)
    except InputError as error:
        raise InputError(f"{error}; augmented sounds are encoded in training; {fix}") from None
    if encoder.fingerprint != entry["fingerprint"]:
        raise InputError(
            f"encoder {source}: is {encoder.name} {encoder.fingerprint}, and the embeddings of "
            f"{dataset.root} are of {entry['name']} {entry['fingerprint']}; {fix}"
        )
    return encoder

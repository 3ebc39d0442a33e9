"""Sound features: what three baselines know of each sound, as rows of numbers.

Two of them know nothing of what is heard: level, noise and length. The third knows the cached embedding.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float32, Float64
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.media.measure import SILENCE_DB, rms_db
from safe_data.media.sound import Sound
from safe_data.shards.dataset import ShardDataset

SHORTCUT, NORMALISED, PROBE = "shortcut", "shortcut-normalised", "probe"
READERS = (SHORTCUT, NORMALISED, PROBE)

_FRAME_SECONDS = 0.02
_QUIET = 10  # percentile of the levels of frames that is called the noise floor
_AT_ONCE = 512  # embeddings that are read before their tokens are averaged

Table = Float64[ndarray, "sounds features"]


def features_of(dataset: ShardDataset, records: Sequence[int]) -> dict[str, Table]:
    """The features of the sounds of some records, by the baseline that reads them.

    Without stored embeddings there is no probe.

    Raises:
        InputError: one of the records has no sound, or what is stored is damaged.
    """
    sounds = [_sound(dataset, record) for record in records]
    found = {
        SHORTCUT: np.array([levels(sound.samples, sound.sample_rate_hz) for sound in sounds]),
        NORMALISED: np.array([relative_levels(sound.samples, sound.sample_rate_hz) for sound in sounds]),
    }
    return found if dataset.encoder is None else found | {PROBE: _embeddings(dataset, records)}


def levels(samples: Float32[ndarray, " samples"], sample_rate_hz: int) -> tuple[float, float, float, float]:
    """Peak, RMS and noise floor in dB relative to full scale, and the duration in seconds.

    The noise floor is the 10th percentile of the levels of whole frames of 20 ms; of shorter sounds, the RMS.

    >>> levels(np.full(800, 0.5, np.float32), 8000)
    (-6.021, -6.021, -6.021, 0.1)
    """
    power = np.square(samples, dtype=np.float64)
    rms, length = rms_db(power), max(1, round(_FRAME_SECONDS * sample_rate_hz))
    frames = power[: len(power) // length * length].reshape(-1, length)
    floor = float(np.percentile([rms_db(frame) for frame in frames], _QUIET)) if len(frames) else rms
    peak = rms_db(power.max(keepdims=True)) if len(power) else SILENCE_DB
    return peak, rms, round(floor, 3), round(len(samples) / sample_rate_hz, 6)


def relative_levels(samples: Float32[ndarray, " samples"], sample_rate_hz: int) -> tuple[float, float, float]:
    """RMS and noise floor in dB relative to the peak, and the duration in seconds: no level is left.

    >>> relative_levels(np.full(800, 0.5, np.float32), 8000)
    (0.0, 0.0, 0.1)
    """
    peak = np.abs(samples).max(initial=0.0)
    return levels(samples / peak if peak > 0 else samples, sample_rate_hz)[1:]


def _sound(dataset: ShardDataset, record: int) -> Sound:
    sound = dataset.audio(record)
    if sound is None:
        raise InputError(f"{dataset.root}: {dataset.value(record, 'id')!r} should have a sound and has none")
    return sound


def _embeddings(dataset: ShardDataset, records: Sequence[int]) -> Table:
    """The stored embeddings; of several tokens, their mean."""
    parts = [
        dataset.embeddings(records[start : start + _AT_ONCE]).astype(np.float64)
        for start in range(0, len(records), _AT_ONCE)
    ]
    return np.concatenate([part.mean(axis=tuple(range(1, part.ndim - 1))) for part in parts])

"""Media: the sounds and pictures of a dataset and facts about them, decoded only where nothing knows them."""

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from safe_data.core.errors import InputError
from safe_data.core.recent import Recent
from safe_data.media.sound import Sound
from safe_data.records import Record
from safe_eval.models.model import ReadPicture, ReadSound
from safe_eval.runner.row import Heard, hear

if TYPE_CHECKING:
    from PIL.Image import Image

SOUND_BYTES = 2**28  # of decoded sounds that are remembered
_FACTS = 2**16  # sounds whose hash and level are remembered


class Dataset(Protocol):
    """What a run needs of a dataset. `safe_data.shards.dataset.ShardDataset` has it.

    One that also has `value(index, column)` and `manifest` as that class has them is asked for less.
    """

    def __len__(self) -> int: ...

    def record(self, index: int) -> Record: ...

    def audio(self, index: int) -> "Sound | None": ...

    def image(self, index: int) -> "Image | None": ...


class StoredMedia:
    """Reads the media of a dataset; of sounds that were decoded, so many bytes are remembered."""

    def __init__(self, dataset: Dataset, sound_bytes: int = SOUND_BYTES) -> None:
        self._dataset = dataset
        self._known = hasattr(dataset, "value") and hasattr(dataset, "manifest")
        self._recent: Recent[Sound] = Recent(sound_bytes)
        self.heard = lru_cache(_FACTS)(self._heard)
        self.picture_sha256 = lru_cache(_FACTS)(self._picture_sha256)
        self._hear_silence = lru_cache(_FACTS)(_hear_silence)

    def sound(self, index: int) -> Sound:
        """The decoded sound of a record that has one.

        Raises:
            InputError: it has none.
        """
        sound = self._recent.get(index)
        if sound is None:
            sound = self._dataset.audio(index)
            if sound is None:
                raise InputError(f"sample {index} should have a sound and has none")
            self._recent.put(index, sound, sound.samples.nbytes)
        return sound

    def picture(self, index: int) -> "Image":
        """The decoded picture of a record that has one.

        Raises:
            InputError: it has none.
        """
        image = self._dataset.image(index)
        if image is None:
            raise InputError(f"sample {index} should have a picture and has none")
        return image

    def reading(self, index: int, record: Record) -> tuple[ReadSound | None, ReadPicture | None]:
        """How to read the sound and the picture of a record; None for one that it does not have."""
        return (
            None if record.audio is None else lambda: self.sound(index),
            None if record.image is None and not self._has_frame(index) else lambda: self.picture(index),
        )

    def silence_for(self, index: int) -> Heard:
        """The facts of digital silence as long as a record's sound."""
        if not self._known:
            sound = self.sound(index)
            return self._hear_silence(len(sound.samples), sound.sample_rate_hz)
        duration, rate = self._value(index, "duration_seconds"), self._value(index, "sample_rate_hz")
        return self._hear_silence(round(duration * rate), rate)

    def _has_frame(self, index: int) -> bool:
        return self._known and bool(self._value(index, "has_image"))

    def _heard(self, index: int) -> Heard:
        """The facts of a record's own sound; the manifest knows them if one channel is stored."""
        if self._known and self._value(index, "channels") == 1:
            return Heard(*(self._value(index, name) for name in ("pcm_sha256", "rms_db", "duration_seconds")))
        return hear(self.sound(index))

    def _picture_sha256(self, index: int) -> str:
        """The hash of a record's own picture: of its file where the manifest knows it, else of its pixels."""
        stored = self._value(index, "image_sha256") if self._known else None
        return str(stored) if stored is not None else pixel_hash(self.picture(index))

    def _value(self, index: int, column: str) -> Any:
        return self._dataset.value(index, column)  # type: ignore[attr-defined]  # only where it is known


def pixel_hash(image: "Image") -> str:
    """The SHA-256 of a picture's size and pixels.

    >>> from PIL.Image import new
    >>> pixel_hash(new("RGB", (2, 1)))[:8], pixel_hash(new("RGB", (1, 2)))[:8]
    ('58fe264b', '5e823cee')
    """
    size = f"{image.mode} {image.width}x{image.height} ".encode()
    return hashlib.sha256(size + image.tobytes()).hexdigest()


def _hear_silence(samples: int, rate_hz: int) -> Heard:
    return hear(Sound(np.zeros(samples, np.float32), rate_hz, rate_hz, 1))

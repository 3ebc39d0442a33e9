"""Media: pictures and sounds of the shown items as data URIs, recognised by their bytes, within a budget."""

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from safe_data.media.sound import Sound
from safe_eval.prediction import Prediction
from safe_eval.report import numbers
from safe_eval.runner.shelves import Shelves

if TYPE_CHECKING:
    from PIL.Image import Image

    from safe_data.shards.dataset import ShardDataset

MAX_TOTAL_BYTES = 12_000_000
MAX_SOUND_BYTES = 1_000_000
MAX_PICTURE_BYTES = 300_000
THUMBNAIL_PIXELS = 480
FEW_PIXELS = 96

_TYPES = (
    (b"RIFF....WAVE", "audio/wav"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\xff[\xe2\xe3\xf2\xf3\xfa\xfb]", "audio/mpeg"),  # the header of a layer III frame
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
)


@dataclass(frozen=True)
class Changed:
    """What was sent under one condition instead of the sound and the picture: in words, and as data URIs."""

    condition: str
    said: str
    sound: str | None = None
    picture: str | None = None


@dataclass(frozen=True)
class Media:
    """The media of one item that the page holds, and why the rest is missing."""

    picture: str | None = None
    pixelated: bool = False
    sound: str | None = None
    notes: tuple[str, ...] = ()
    changed: tuple[Changed, ...] = ()

    @property
    def bytes(self) -> int:
        """How much of the page they take."""
        held = [self.picture, self.sound, *(uri for one in self.changed for uri in (one.sound, one.picture))]
        return sum(len(uri) for uri in held if uri is not None)


def media_type(data: bytes) -> str | None:
    """The media type by content; None for types that the page does not embed (SVG can hold scripts).

    >>> media_type(b"RIFF....WAVE"), media_type(b"<svg onload=x>")
    ('audio/wav', None)
    """
    return next((kind for head, kind in _TYPES if re.match(head, data, re.DOTALL)), None)


def collect(items: Sequence[Prediction], shelves: Shelves) -> list[Media]:
    """Collect the media of each item, in order, until the budget of the page is spent."""
    left = MAX_TOTAL_BYTES
    found = []
    for item in items:
        at = shelves.find(item)
        if isinstance(at, str):
            found.append(Media(notes=(at,)))
        else:
            media, left = _read(*at, left)
            found.append(media)
    return found


def _read(dataset: "ShardDataset", place: int, left: int) -> tuple[Media, int]:
    """The media of one record and the budget that remains."""
    facts = dataset.manifest.slice(place, 1).select(["has_image", "has_audio", "audio_size"]).to_pylist()[0]
    notes: list[str] = []
    picture = sound = None
    pixelated = False
    if facts["has_image"]:
        data, pixelated = _picture(dataset, place)
        picture, left = embed(data, "picture", left, notes)
    if facts["has_audio"] and facts["audio_size"] > MAX_SOUND_BYTES:
        limit = numbers.size(MAX_SOUND_BYTES)
        notes.append(
            f"A sound of {numbers.size(facts['audio_size'])} is left out: the limit is {limit} per item."
        )
    elif facts["has_audio"]:
        sound, left = embed(dataset.audio_bytes(place), "sound", left, notes)
        clip = dataset.record(place).audio
        if clip is not None and (clip.start_seconds or clip.duration_seconds):
            notes.append("The player has the whole file; the model heard a part of it.")
    return Media(picture, pixelated, sound, tuple(notes)), left


def _picture(dataset: "ShardDataset", place: int) -> tuple[bytes | None, bool]:
    """The original bytes, or a smaller JPEG of a large picture; and whether it has few pixels."""
    image, data = dataset.image(place), dataset.image_bytes(place)
    if image is None or data is None:
        return None, False
    if len(data) > MAX_PICTURE_BYTES or media_type(data) is None:
        image.thumbnail((THUMBNAIL_PIXELS, THUMBNAIL_PIXELS))
        smaller = io.BytesIO()
        image.save(smaller, "JPEG", quality=85)
        data = smaller.getvalue()
    return data, max(image.size) <= FEW_PIXELS


def embed(data: bytes | None, noun: str, left: int, notes: list[str]) -> tuple[str | None, int]:
    """Bytes as a data URI, and the budget that remains; None if they are not embedded, and a note why."""
    kind = None if data is None else media_type(data)
    if data is None or kind is None:
        notes.append(f"The {noun} has a format that is not embedded.")
        return None, left
    uri = f"data:{kind};base64,{base64.b64encode(data).decode('ascii')}"
    if len(uri) > left:
        limit = numbers.size(MAX_TOTAL_BYTES)
        notes.append(f"The {noun} is left out: the page holds at most {limit} of media.")
        return None, left
    return uri, left - len(uri)


def flac_bytes(sound: Sound) -> bytes:
    """A sound for a browser: 16 bits, so what exceeds full scale is cut off."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(
        file, np.clip(sound.samples, -1, 1), sound.sample_rate_hz, format="FLAC", subtype="PCM_16"
    )
    return file.getvalue()


def png_bytes(picture: "Image", most_pixels: int) -> bytes:
    """A picture for a browser; one that is wider or higher than so many pixels is made smaller."""
    shown = picture.convert("RGB")
    shown.thumbnail((most_pixels, most_pixels))
    file = io.BytesIO()
    shown.save(file, "PNG")
    return file.getvalue()

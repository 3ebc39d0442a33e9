"""Cost: bounds on the memory that a record takes while it is loaded, from the heads of its files.

They bound what is decoded at the same time; a record that turns out smaller gives the rest back.
"""

from collections.abc import Collection

from safe_data.build.contents import HELD_BYTES
from safe_data.core.errors import MediaError
from safe_data.media.containers import container_of
from safe_data.media.paths import MAX_FILE_BYTES, MediaRoot, open_file
from safe_data.media.picture_head import MAX_DECODING_BYTES, decode_cost_bytes
from safe_data.media.sound import MAX_CLIP_SECONDS
from safe_data.records import Audio, Record, Rejected

SOUND_BYTES = 2**24 + 2**22  # decoder, blocks, resamplers, and the file of up to 4 MiB
PICTURE_BYTES = MAX_DECODING_BYTES + 2**25  # and a file of 32 MiB
REFERENCES = 20  # pictures that a decoder of videos holds
SAMPLE_BYTES = 4
GROWTH = 9 / 8  # of the array of a sound whose length is unknown


def record_bytes(entry: Record | Rejected, root: MediaRoot, frames: int, rates_hz: Collection[int]) -> int:
    """Bound the memory that a record takes: its sound, and then its picture while the sound is held."""
    if isinstance(entry, Rejected):
        return 0
    sound = sound_bytes(entry.audio, rates_hz)
    return sound if entry.image is None else sound + _picture_bytes(root, entry.image, frames)


def largest_bytes(entry: Record | Rejected, rates_hz: Collection[int]) -> int:
    """What a record takes if its picture is as large as it may be."""
    if isinstance(entry, Rejected):
        return 0
    return sound_bytes(entry.audio, rates_hz) + (0 if entry.image is None else PICTURE_BYTES)


def sound_bytes(clip: Audio | None, rates_hz: Collection[int]) -> int:
    """Bound the memory that the clip of a record takes."""
    return 0 if clip is None else heard_bytes(clip.duration_seconds or MAX_CLIP_SECONDS, rates_hz)


def heard_bytes(seconds: float, rates_hz: Collection[int]) -> int:
    """Bound the memory that a clip takes: what is heard at each rate, and what decoding needs."""
    samples = min(MAX_CLIP_SECONDS, seconds) * sum(rates_hz)
    return SOUND_BYTES + int(samples * SAMPLE_BYTES * GROWTH)


def _picture_bytes(root: MediaRoot, path: str, frames: int) -> int:
    """Bound the memory that the picture of a record takes; 0 for a file that will be rejected."""
    try:
        with open_file(root, path) as file:
            size = file.seek(0, 2)
            container = container_of(file)
            if container is None:
                return 0 if size > MAX_FILE_BYTES else size + decode_cost_bytes(file)
            from safe_data.media.video_streams import picture_size

            width, height = picture_size(file, container)
            return width * height * (3 * REFERENCES + 8 * frames) + HELD_BYTES
    except (MediaError, OSError):
        return 0

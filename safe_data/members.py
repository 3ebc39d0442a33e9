"""The media of a record as a shard holds them: files as they came, or the clip alone, and facts about them.

- A sound that is a whole WAV, FLAC, Ogg or MP3 file, and a PNG or JPEG, is stored byte for byte.
- A part of a sound, and the sound of a video, are stored as FLAC, of 16 bits, or of 24 where the source has
  so many. Lossy codecs decode to floats: those are rounded to 16 bits, and what is louder than full scale
  is clipped, as by any conversion to WAV. Where the source holds floats, it is a WAV of 32-bit floats.
- What a video shows is stored as JPEG of quality 95 with full colour resolution: `{id}.jpg`, or for several
  pictures of one clip `{id}.frame0.jpg` and so on (a name is cut at its first dot, so they are one sample).

So shards are read with soundfile and Pillow alone, and the facts are those of what is stored. The same
samples give the same bytes: no dates, one thread, and FLAC's fixed predictors, which need no floating-point
arithmetic that machines do differently (3 % larger). The name of libFLAC's version is in the file.
"""

import io
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from PIL import Image

from safe_data.containers import container_of
from safe_data.measure import measure_image, measure_sound
from safe_data.media import decode_image, decode_pcm, picture_suffix
from safe_data.paths import open_file, read_open
from safe_data.records import Audio
from safe_data.sound import Pcm, Sound

FLAC_LEVEL = 0.25  # level 2 of 8
FLAC_CHANNELS = 8
JPEG_QUALITY = 95


@dataclass(frozen=True)
class Member:
    """A file for the tar and what the manifest says of it."""

    suffix: str
    data: bytes
    facts: dict[str, Any]


def sound_member(root: Path, audio: Audio) -> tuple[Member, Sound, bool]:
    """A record's sound, the clip in it, and whether it is the file as it came.

    The clip is bit for bit what `decode_audio` makes of the member.

    Raises:
        MediaError: it cannot be used.
    """
    with open_file(root, audio.path) as file:
        pcm = decode_pcm(file, audio.start_seconds, audio.duration_seconds)
        if pcm.suffix is not None:
            member = Member(pcm.suffix, read_open(file, audio.path), asdict(measure_sound(pcm)))
            return member, pcm.mono, True
    pcm, suffix, data = encode_sound(pcm)
    return Member(suffix, data, asdict(measure_sound(pcm))), pcm.mono, False


def picture_members(root: Path, path: str, clip: Audio | None, frames: int) -> list[Member]:
    """A record's picture, or `frames` pictures of what its clip of a video shows.

    Raises:
        MediaError: it cannot be used.
    """
    with open_file(root, path) as file:
        if container_of(file) is None:
            data = read_open(file, path)
            picture = decode_image(data)
            return [Member(picture_suffix(data) or "jpg", data, asdict(measure_image(picture)))]
        from safe_data.video import video_frames

        start, duration = (clip.start_seconds, clip.duration_seconds) if clip else (0.0, None)
        pictures = [encode_picture(picture) for picture in video_frames(file, frames, start, duration)]
    suffixes = ["jpg"] if frames == 1 else [f"frame{number}.jpg" for number in range(frames)]
    return [
        Member(suffix, data, asdict(measure_image(decode_image(data))))
        for suffix, data in zip(suffixes, pictures, strict=True)
    ]


def encode_sound(pcm: Pcm) -> tuple[Pcm, str, bytes]:
    """A clip as a file of its own: the samples as that holds them, its suffix, its bytes."""
    file = io.BytesIO()
    if pcm.bits is None or pcm.channels > FLAC_CHANNELS:
        from scipy.io import wavfile  # libsndfile puts the date into such a file

        wavfile.write(file, pcm.sample_rate_hz, pcm.samples.astype("<f4"))
        return replace(pcm, suffix="wav"), "wav", file.getvalue()
    full_scale = 2 ** (pcm.bits - 1)
    scaled = np.rint(pcm.samples.astype(np.float64) * full_scale)
    whole = np.clip(scaled, -full_scale, full_scale - 1).astype(np.int32)
    soundfile.write(
        file,
        whole << (32 - pcm.bits),
        pcm.sample_rate_hz,
        format="FLAC",
        subtype=f"PCM_{pcm.bits}",
        compression_level=FLAC_LEVEL,
    )
    samples = (whole / full_scale).astype(np.float32)
    return replace(pcm, stored=samples, suffix="flac"), "flac", file.getvalue()


def encode_picture(picture: Image.Image) -> bytes:
    """A picture as JPEG."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=JPEG_QUALITY, subsampling="4:4:4")
    return file.getvalue()

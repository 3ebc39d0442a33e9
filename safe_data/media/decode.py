"""Decode untrusted sounds and pictures in bounded memory: crop, mono, resample; flatten, RGB.

WAV, FLAC, Ogg and MP3 by soundfile; MP4, M4A, MOV, WebM and Matroska by PyAV (`video_sound`). What is
cropped away is sought past, not decoded. What cannot be decoded whole raises MediaError.
"""

import io
from typing import BinaryIO

import soundfile

from safe_data.core.errors import MediaError
from safe_data.media.containers import check_whole, container_of
from safe_data.media.picture import MAX_PIXELS, decode_image, picture_suffix
from safe_data.media.sound import (
    MAX_CLIP_SECONDS,
    MAX_SAMPLES,
    Pcm,
    Sound,
    after_the_end,
    check_format,
    check_length,
    check_samples,
    clip_frames,
    resample,
    to_mono,
)

__all__ = [
    "MAX_CLIP_SECONDS",
    "MAX_PIXELS",
    "MAX_SAMPLES",
    "Pcm",
    "Sound",
    "decode_audio",
    "decode_image",
    "decode_pcm",
    "picture_suffix",
    "resample",
    "to_mono",
]

SOUND_SUFFIXES = {"WAV": "wav", "WAVEX": "wav", "FLAC": "flac", "OGG": "ogg", "MP3": "mp3"}
DEPTHS = {"PCM_24": 24, "PCM_32": None, "FLOAT": None, "DOUBLE": None}
_LENGTH_UNKNOWN = 2**40


def decode_audio(
    media: bytes | BinaryIO,
    sample_rate_hz: int | None = None,
    start_seconds: float = 0.0,
    duration_seconds: float | None = None,
) -> Sound:
    """Decode a clip to one channel, at the given rate or its own.

    Raises:
        MediaError: as for `decode_pcm`.
    """
    sound = decode_pcm(media, start_seconds, duration_seconds).mono
    return sound.resampled(sample_rate_hz or sound.sample_rate_hz)


def decode_pcm(
    media: bytes | BinaryIO, start_seconds: float = 0.0, duration_seconds: float | None = None
) -> Pcm:
    """Decode the clip of a sound or of a video's sound, from bytes or an open file, known by its content.

    Raises:
        MediaError: no such sound, cut off, too long for the memory set aside, empty, or not finite.
    """
    file = io.BytesIO(media) if isinstance(media, bytes) else media
    check_whole(file)
    container = container_of(file)
    file.seek(0)
    if container:
        from safe_data.media.video_sound import decode_track

        pcm = decode_track(file, container, start_seconds, duration_seconds)
    else:
        pcm = _decode_file(file, start_seconds, duration_seconds)
    check_samples(pcm)
    return pcm


def _decode_file(file: BinaryIO, start_seconds: float, duration_seconds: float | None) -> Pcm:
    try:
        with soundfile.SoundFile(file) as sound:
            _check_header(sound)
            frames = _seek(sound, start_seconds, duration_seconds)
            kind = "int16" if sound.subtype == "PCM_16" else "float32"
            samples = sound.read(frames, dtype=kind, always_2d=True)
            suffix = SOUND_SUFFIXES[sound.format] if frames == sound.frames else None
            rate, bits = int(sound.samplerate), DEPTHS.get(sound.subtype, 16)
    except soundfile.LibsndfileError as error:
        raise MediaError(f"undecodable sound: {error.error_string.rstrip('.')}") from None
    if len(samples) < frames:
        raise MediaError(f"truncated sound: the header promises {frames} frames, {len(samples)} are there")
    return Pcm(samples, rate, suffix, bits)


def _check_header(sound: soundfile.SoundFile) -> None:
    if sound.format not in SOUND_SUFFIXES:
        raise MediaError(f"unknown sound format: {sound.format}; use WAV, FLAC, Ogg, MP3, MP4 or WebM")
    check_format(sound.samplerate, sound.channels)
    if sound.frames <= 0:
        raise MediaError("empty sound: no samples")
    if sound.frames > _LENGTH_UNKNOWN:
        raise MediaError("unknown length: the sound's header does not say how long it is; write it anew")


def _seek(sound: soundfile.SoundFile, start_seconds: float, duration_seconds: float | None) -> int:
    """Go to the clip's first frame; the number of frames from there to the clip's or the file's end."""
    rate, total = int(sound.samplerate), int(sound.frames)
    first, wanted = clip_frames(start_seconds, duration_seconds, rate)
    if first >= total:
        raise after_the_end(start_seconds, total / rate)
    frames = min(total - first, wanted or total)
    check_length(frames, rate, sound.channels)
    if first:
        sound.seek(first)
    return frames

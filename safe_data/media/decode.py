"""Decode an untrusted sound in bounded memory: crop it, mix it to one channel, resample it.

soundfile reads WAV, FLAC, Ogg and MP3; PyAV (`video_sound`) reads MP4, M4A, MOV, WebM and Matroska. Parts
outside the crop are skipped, not decoded. A sound that cannot be decoded completely raises MediaError.
"""

import io
from typing import BinaryIO

import soundfile

from safe_data.core.errors import MediaError
from safe_data.media.containers import check_whole, container_of
from safe_data.media.sound import (
    Pcm,
    Sound,
    after_the_end,
    check_format,
    check_length,
    check_samples,
    clip_frames,
)

SOUND_SUFFIXES = {"WAV": "wav", "WAVEX": "wav", "FLAC": "flac", "OGG": "ogg", "MP3": "mp3"}
DEPTHS = {"PCM_24": 24, "PCM_32": None, "FLOAT": None, "DOUBLE": None}  # bits; 16 for all others

_LENGTH_UNKNOWN = 2**40


def decode_audio(
    media: bytes | BinaryIO,
    sample_rate_hz: int | None = None,
    start_seconds: float = 0.0,
    duration_seconds: float | None = None,
) -> Sound:
    """Decode a clip to one channel, at a given rate or its original rate.

    Raises:
        MediaError: see `decode_pcm`.
    """
    sound = decode_pcm(media, start_seconds, duration_seconds).mono
    return sound.resampled(sample_rate_hz or sound.sample_rate_hz)


def decode_pcm(
    media: bytes | BinaryIO, start_seconds: float = 0.0, duration_seconds: float | None = None
) -> Pcm:
    """Decode a clip of a sound file, or of the sound of a video; its content decides how it is read.

    Raises:
        MediaError: the format is unknown, or the sound is truncated, too long, empty or not finite.
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
        raise MediaError(
            "unknown length: the header does not say how long the sound is; write the file again"
        )


def _seek(sound: soundfile.SoundFile, start_seconds: float, duration_seconds: float | None) -> int:
    """Seek to the start of the clip; return the number of frames up to its end or the end of the file."""
    rate, total = int(sound.samplerate), int(sound.frames)
    first, wanted = clip_frames(start_seconds, duration_seconds, rate)
    if first >= total:
        raise after_the_end(start_seconds, total / rate)
    frames = min(total - first, wanted or total)
    check_length(frames, rate, sound.channels)
    if first:
        sound.seek(first)
    return frames

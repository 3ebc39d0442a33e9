"""Decode an untrusted sound in bounded memory: crop it, mix it to one channel, resample it.

soundfile reads WAV, FLAC, Ogg and MP3; PyAV (`video_sound`) reads AC-3, AAC and the sound of videos. Parts
outside the crop are skipped, not decoded. A sound that cannot be decoded completely raises MediaError.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import soundfile

from safe_data.core.errors import MediaError
from safe_data.media.containers import check_whole, container_of
from safe_data.media.formats import head_of, unknown, unread
from safe_data.media.sound import Pcm, Sound, after_the_end, check_format, check_length, clip_frames
from safe_data.media.sound_stream import Block, SoundStream, block_frames

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
        MediaError: see `opened_sound`.
    """
    sound = decode_pcm(media, start_seconds, duration_seconds).mono
    return sound.resampled(sample_rate_hz or sound.sample_rate_hz)


def decode_pcm(
    media: bytes | BinaryIO, start_seconds: float = 0.0, duration_seconds: float | None = None
) -> Pcm:
    """Decode a clip of a sound file, or of the sound of a video, into one array.

    Raises:
        MediaError: see `opened_sound`.
    """
    file = io.BytesIO(media) if isinstance(media, bytes) else media
    with opened_sound(file, start_seconds, duration_seconds) as sound:
        return sound.read()


@contextmanager
def opened_sound(
    file: BinaryIO, start_seconds: float = 0.0, duration_seconds: float | None = None
) -> Iterator[SoundStream]:
    """Open a clip of a sound file, or of the sound of a video; its content decides how it is read.

    Raises:
        MediaError: the format is unknown, or the sound is truncated, too long, empty or not finite; some of
            it only while the blocks are decoded.
    """
    check_whole(file, start_seconds, duration_seconds)
    container = container_of(file)
    file.seek(0)
    if container:
        from safe_data.media.video_sound import opened_track

        with opened_track(file, container, start_seconds, duration_seconds) as track:
            yield track
        return
    with _soundfile(file) as sound:
        _check_header(sound)
        frames = _seek(sound, start_seconds, duration_seconds)
        whole = frames == sound.frames
        yield SoundStream(
            decoded=_decoded(sound, frames),
            sample_rate_hz=int(sound.samplerate),
            channels=sound.channels,
            expected_frames=frames,
            suffix=SOUND_SUFFIXES[sound.format] if whole else None,
            bits=DEPTHS.get(sound.subtype, 16),
        )


class _SoundFile(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read on and on: soundfile would seek after each block to where it already is."""

    def seekable(self) -> bool:
        return False


def _soundfile(file: BinaryIO) -> soundfile.SoundFile:
    try:
        return _SoundFile(file)
    except soundfile.LibsndfileError as error:
        raise unread(head_of(file), "sound") or _undecodable(error) from None


def _decoded(sound: soundfile.SoundFile, frames: int) -> Iterator[Block]:
    """Decode so many frames.

    Raises:
        MediaError: there are fewer, or they cannot be decoded.
    """
    kind = "int16" if sound.subtype == "PCM_16" else "float32"
    buffer = np.empty((min(frames, block_frames(sound.channels)), sound.channels), kind)
    done = 0
    while done < frames:
        try:
            block = sound.read(out=buffer[: frames - done])
        except soundfile.LibsndfileError as error:
            raise _undecodable(error) from None
        done += len(block)
        if len(block) < min(len(buffer), frames - done + len(block)):
            raise MediaError(f"truncated sound: the header promises {frames} frames, {done} are there")
        yield block


def _undecodable(error: soundfile.LibsndfileError) -> MediaError:
    return MediaError(f"undecodable sound: {error.error_string.rstrip('.')}")


def _check_header(sound: soundfile.SoundFile) -> None:
    if sound.format not in SOUND_SUFFIXES:
        raise unknown("sound", sound.format)
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
        try:
            sound.seek(first)
        except soundfile.LibsndfileError as error:
            raise _undecodable(error) from None
    return frames

"""Decode an untrusted sound in bounded memory: crop it, mix it to one channel, resample it.

soundfile reads WAV, FLAC, Ogg, MP3 and others, each checked by `sound_file`; PyAV (`video_sound`) reads AC-3,
AAC and the sound of videos. Parts outside the crop are skipped, not decoded. A sound that cannot be decoded
completely raises MediaError.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import BinaryIO

import numpy as np
import soundfile

from safe_data.core.errors import MediaError
from safe_data.media.checks.flac_frames import FLAC_BITS, Md5
from safe_data.media.checks.sound_file import whole_sound
from safe_data.media.checks.whole import Whole
from safe_data.media.containers import check_whole, container_of
from safe_data.media.decoder_noise import noise_in_reason, quiet
from safe_data.media.formats import head_of, unknown, unread
from safe_data.media.sound import Pcm, Sound, after_the_end, check_format, check_length, clip_frames
from safe_data.media.sound_stream import Block, SoundStream, block_frames

SOUND_SUFFIXES = {"WAV": "wav", "WAVEX": "wav", "FLAC": "flac", "OGG": "ogg", "MP3": "mp3"}
OTHER_FORMATS = ("RF64", "W64", "AIFF", "AU", "CAF")  # read, and stored as FLAC or WAV
DEPTHS = {  # bits; 16 for all others
    **dict.fromkeys(("PCM_24", "ALAC_20", "ALAC_24", "DWVW_24"), 24),
    **dict.fromkeys(("PCM_32", "FLOAT", "DOUBLE", "ALAC_32")),
}

VORBIS_BLOCK = 2**13  # frames of the longest
MP3_BEFORE = 32 * 1152  # at 8 kbit/s, a frame needs up to 24 before it

_LENGTH_UNKNOWN = 2**40


def decode_audio(
    media: bytes | BinaryIO,
    sample_rate_hz: int | None = None,
    start_seconds: float = 0.0,
    duration_seconds: float | None = None,
) -> Sound:
    """Decode a clip to one channel, at a given rate or its original rate.

    The MD5 of a FLAC takes half as long as decoding it. A build compares it, this function only the checksums
    of all frames.

    Raises:
        MediaError: see `opened_sound`.
    """
    file = io.BytesIO(media) if isinstance(media, bytes) else media
    with opened_sound(file, start_seconds, duration_seconds) as stream:
        sound = replace(stream, checks=()).read().mono
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
    clip = file, start_seconds, duration_seconds
    with noise_in_reason(lambda: _decode_again(*clip)), _opened_sound(*clip) as sound:
        yield sound


def _decode_again(file: BinaryIO, start_seconds: float, duration_seconds: float | None) -> None:
    with _opened_sound(file, start_seconds, duration_seconds) as sound:
        for _ in sound.blocks():
            pass


@contextmanager
def _opened_sound(
    file: BinaryIO, start_seconds: float, duration_seconds: float | None
) -> Iterator[SoundStream]:
    container = container_of(file)
    if container:
        from safe_data.media.video_sound import opened_track

        check_whole(file, start_seconds, duration_seconds)
        with opened_track(file, container, start_seconds, duration_seconds) as track:
            yield track
        return
    whole = whole_sound(file)
    with ExitStack() as stack:
        sounds = [stack.enter_context(_soundfile(part)) for part in whole.parts]
        total = _length(sounds, whole)
        sound = sounds[0]
        first, frames = _clip(total, sound, start_seconds, duration_seconds)
        complete = frames == total
        yield SoundStream(
            decoded=_joined(sounds, whole.tails, first, frames),
            sample_rate_hz=int(sound.samplerate),
            channels=sound.channels,
            expected_frames=frames,
            suffix=SOUND_SUFFIXES[sound.format] if complete and whole.unchanged else None,
            bits=DEPTHS.get(sound.subtype, 16),
            checks=(Md5(whole.md5, FLAC_BITS[sound.subtype]),) if complete and whole.md5 else (),
        )


class _SoundFile(soundfile.SoundFile):  # type: ignore[misc]
    """A file that is read on and on: soundfile would seek after each block to where it already is."""

    def seekable(self) -> bool:
        return False


def _soundfile(file: BinaryIO) -> soundfile.SoundFile:
    try:
        with quiet():
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
            with quiet():
                block = sound.read(out=buffer[: frames - done])
        except soundfile.LibsndfileError as error:
            raise _undecodable(error) from None
        done += len(block)
        if len(block) < min(len(buffer), frames - done + len(block)):
            raise MediaError(f"truncated sound: the header promises {frames} frames, {done} are there")
        yield block


def _undecodable(error: soundfile.LibsndfileError) -> MediaError:
    said = error.error_string.removeprefix("Error : ").rstrip(".")
    return MediaError(f"undecodable sound: {said}")


def _length(sounds: Sequence[soundfile.SoundFile], whole: Whole) -> int:
    """Check the headers of the parts of a sound; the number of frames in all of them."""
    for sound in sounds:
        _check_header(sound, whole)
    formats = {(int(sound.samplerate), sound.channels) for sound in sounds}
    if len(formats) > 1:
        said = " and ".join(f"{rate} Hz with {channels} channels" for rate, channels in sorted(formats))
        raise MediaError(f"undecodable sound: its parts have {said}")
    found = sum(int(sound.frames) for sound in sounds)
    if whole.frames is None or found == whole.frames:
        return found
    if sounds[0].format != "MP3" or found < whole.frames:  # of MP3, libmpg123 guesses
        raise MediaError(f"damaged sound: the header promises {found} frames, {whole.frames} are there")
    return whole.frames


def _check_header(sound: soundfile.SoundFile, whole: Whole) -> None:
    if sound.format not in SOUND_SUFFIXES and sound.format not in OTHER_FORMATS:
        raise unknown("sound", sound.format)
    if sound.format not in whole.formats:
        raise MediaError(f"damaged sound: it does not begin as {sound.format} does")
    check_format(sound.samplerate, sound.channels)
    if sound.frames <= 0:
        raise MediaError("empty sound: no samples")
    if sound.frames > _LENGTH_UNKNOWN:
        raise MediaError(
            "unknown length: the header does not say how long the sound is; write the file again"
        )


def _clip(
    total: int, sound: soundfile.SoundFile, start_seconds: float, duration_seconds: float | None
) -> tuple[int, int]:
    """The first frame of the clip, and the number of frames up to its end or the end of the file."""
    rate = int(sound.samplerate)
    first, wanted = clip_frames(start_seconds, duration_seconds, rate)
    if first >= total:
        raise after_the_end(start_seconds, total / rate)
    frames = min(total - first, wanted or total)
    check_length(frames, rate, sound.channels)
    return first, frames


def _joined(
    sounds: Sequence[soundfile.SoundFile], tails: Sequence[int], first: int, frames: int
) -> Iterator[Block]:
    """Decode so many frames from the first on, of one part after the other."""
    for number, sound in enumerate(sounds):
        last = number == len(sounds) - 1
        if first >= sound.frames and not last:
            first -= int(sound.frames)
            continue
        if first:
            _seek(sound, first, tails[number] if tails else 0)
        here = frames if last else min(frames, int(sound.frames) - first)
        yield from _decoded(sound, here)
        first, frames = 0, frames - here
        if not frames:
            return


def _seek(sound: soundfile.SoundFile, first: int, tail: int) -> None:
    """Go to a frame; where the decoder would land elsewhere or lack what came before, decode up to it.

    libvorbisfile counts the last page from its end, where samples may have been trimmed, and lands too late.
    A frame of MP3 may need the bytes of many frames before it, and libmpg123 goes back by four. In Opus that
    does not begin at 0, libsndfile lands elsewhere. Some kinds of ADPCM cannot be sought in.
    """
    from_ = min(first, max(0, int(sound.frames) - tail - VORBIS_BLOCK)) if tail else first
    if sound.format == "MP3":
        from_ = max(0, first - MP3_BEFORE)
    if sound.subtype == "OPUS":
        from_ = 0
    try:
        with quiet():
            if from_:  # to go to the beginning of such an Opus would lead past it
                sound.seek(from_)
    except soundfile.LibsndfileError:
        from_ = 0
    for _ in _decoded(sound, first - from_):
        pass

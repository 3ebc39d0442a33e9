"""One small file of every format that is read, and what its own checks cannot tell."""

import io
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from folders import sound_bytes
from PIL import Image
from videos import chirp, video_bytes

RATE = 16_000
WHOLE = frozenset[str]()  # checksums cover it all: what is accepted is the original
VALUES = frozenset({"values"})  # no checksum over the payload: a sample may differ, none may be lost
HEADER = frozenset({"values", "rate", "length"})  # and no redundancy in the header either


@dataclass(frozen=True)
class Medium:
    """A file of a format; `untold` names the differences that a damaged copy may have unnoticed."""

    kind: str  # sound, video or picture
    data: bytes
    untold: frozenset[str]


def media() -> dict[str, Medium]:
    """Every format, by name."""
    return {**sounds(), **streams(), **videos(), **pictures()}


def sounds() -> dict[str, Medium]:
    """What libsndfile reads."""
    wave = chirp(0.5, RATE)
    kinds: dict[str, tuple[str, str | None, frozenset[str]]] = {
        "wav": ("WAV", "PCM_16", VALUES),
        "wav24": ("WAV", "PCM_24", VALUES),
        "wav-float": ("WAV", "FLOAT", VALUES),
        "rf64": ("RF64", "PCM_16", VALUES),
        "w64": ("W64", "PCM_16", VALUES),
        "aiff": ("AIFF", "PCM_16", HEADER),
        "au": ("AU", "PCM_16", HEADER),
        "caf": ("CAF", "PCM_16", HEADER),
        "flac": ("FLAC", None, WHOLE),
        "flac24": ("FLAC", "PCM_24", WHOLE),
        "vorbis": ("OGG", "VORBIS", WHOLE),
        "opus": ("OGG", "OPUS", WHOLE),
        "mp3": ("MP3", None, VALUES),
    }
    return {
        name: Medium("sound", sound_bytes(wave, rate=RATE, kind=kind, subtype=subtype), untold)
        for name, (kind, subtype, untold) in kinds.items()
    }


def streams() -> dict[str, Medium]:
    """Sounds that PyAV reads."""
    kinds = {
        "ac3": ("ac3", "ac3", VALUES),
        "eac3": ("eac3", "eac3", VALUES),
        "adts": ("adts", "aac", VALUES),
        "m4a": ("ipod", "aac", HEADER),
    }
    return {
        name: Medium("sound", video_bytes(kind, None, codec, seconds=0.5, rate=48_000), untold)
        for name, (kind, codec, untold) in kinds.items()
    }


def videos() -> dict[str, Medium]:
    """Sound and pictures; a frame of a video without checksums may show anything."""
    kinds = {
        "mp4": ("mp4", "libx264", "aac"),
        "mov": ("mov", "libx264", "alac"),
        "webm": ("webm", "libvpx", "libopus"),
        "webm-vp9": ("webm", "libvpx-vp9", "libopus"),
        "mkv": ("matroska", "mpeg4", "libmp3lame"),
        "mpegts": ("mpegts", "libx264", "aac"),
        "flv": ("flv", "libx264", "aac"),
        "avi": ("avi", "mpeg4", "libmp3lame"),
    }
    return {
        name: Medium(
            "video",
            video_bytes(*parts, seconds=0.6, rate=48_000, key_frame_every=5),
            HEADER,
        )
        for name, parts in kinds.items()
    }


def pictures() -> dict[str, Medium]:
    """Noise and a ramp, so that every field of the picture tells where it is."""
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 200, 40 * 36 * 3).reshape(40, 36, 3)
    picture = Image.fromarray((ramp + rng.integers(0, 56, ramp.shape)).astype(np.uint8))

    def saved(
        kind: str, how: Callable[[Image.Image], Image.Image] = lambda one: one, **options: object
    ) -> bytes:
        file = io.BytesIO()
        how(picture).save(file, kind, **options)
        return file.getvalue()

    return {
        "png": Medium("picture", saved("PNG"), WHOLE),
        "jpeg": Medium("picture", saved("JPEG", quality=95), VALUES),
        "jpeg-progressive": Medium("picture", saved("JPEG", progressive=True), VALUES),
        "webp": Medium("picture", saved("WEBP"), HEADER),
        "webp-lossless": Medium("picture", saved("WEBP", lossless=True), HEADER),
        "gif": Medium("picture", saved("GIF"), HEADER),
        "bmp": Medium("picture", saved("BMP"), VALUES),
        "tiff": Medium("picture", saved("TIFF"), HEADER),
        "tiff-lzw": Medium("picture", saved("TIFF", compression="tiff_lzw"), HEADER),
    }

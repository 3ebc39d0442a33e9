"""Small videos, made here: every frame shows its number as ten bars, the sound is a chirp in noise."""

import io
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from typing import Any

import av
import numpy as np
from PIL import Image

FPS = 25
SIDE = 60  # of a frame; a bar is 6 pixels wide
RATE = 44_100
FORMATS = {  # what FFmpeg's muxers write: container, pictures, sound, options
    "mp4": ("mp4", "libx264", "aac", {}),
    "mp4-fragments": ("mp4", "libx264", "aac", {"movflags": "frag_keyframe+empty_moov"}),
    "mp4-cmaf": ("mp4", None, "aac", {"movflags": "cmaf+frag_keyframe+empty_moov"}),
    "mp4-flac": ("mp4", None, "flac", {}),
    "m4a-alac": ("ipod", None, "alac", {}),
    "mov-pcm": ("mov", None, "pcm_s16le", {}),
    "mov-pcm24": ("mov", None, "pcm_s24be", {}),
    "3gp": ("3gp", "libx264", "aac", {}),
    "mkv": ("matroska", "libx264", "aac", {}),
    "mkv-flac": ("matroska", None, "flac", {}),
    "mkv-pcm": ("matroska", None, "pcm_f32le", {}),
    "webm": ("webm", "libvpx", "libopus", {}),
    "webm-live": ("webm", None, "libopus", {"live": "1"}),
    "webm-vorbis": ("webm", None, "vorbis", {}),
    "ac3": ("ac3", None, "ac3", {}),
    "eac3": ("eac3", None, "eac3", {}),
    "aac": ("adts", None, "aac", {}),
    "ts": ("mpegts", "libx264", "aac", {}),
    "ts-mp2": ("mpegts", "mpeg2video", "mp2", {}),
    "m2ts": ("mpegts", "libx264", "ac3", {"mpegts_m2ts_mode": "1"}),
    "mpg": ("mpeg", "mpeg1video", "mp2", {}),
    "vob": ("vob", "mpeg2video", "ac3", {}),
    "flv": ("flv", "libx264", "aac", {}),
    "flv-mp3": ("flv", "flv", "libmp3lame", {}),
    "avi": ("avi", "mpeg4", "libmp3lame", {}),
    "avi-mjpeg": ("avi", "mjpeg", "pcm_s16le", {}),
    "avi-adpcm": ("avi", None, "adpcm_ms", {}),
}


def chirp(seconds: float, rate: int = RATE, channels: int = 2) -> np.ndarray:
    """A sound without repetition, so that each part of it has a unique place."""
    times = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(0).standard_normal(len(times))
    left = 0.3 * np.sin(2 * np.pi * (200 + 40 * times) * times) + 0.02 * noise
    return np.stack([left, 0.5 * left][:channels], axis=1).astype(np.float32)


def numbered(number: int) -> np.ndarray:
    bars = [255 * (number >> bit & 1) for bit in range(10)]
    row = np.repeat(np.array(bars, np.uint8), SIDE // 10)
    return np.broadcast_to(row[None, :, None], (SIDE, SIDE, 3)).copy()


def number_on(picture: Image.Image) -> int:
    width = SIDE // 10
    return sum((picture.getpixel((bar * width + width // 2, SIDE // 2))[0] > 127) << bar for bar in range(10))


@cache
def sample(name: str, seconds: float = 1.2) -> bytes:
    """A file of one of FORMATS."""
    kind, picture, sound, options = FORMATS[name]
    rate = 48_000 if sound == "libopus" else RATE
    return video_bytes(kind, picture, sound, seconds=seconds, rate=rate, key_frame_every=10, options=options)


def video_bytes(
    kind: str = "mp4",
    picture: str | None = "libx264",
    sound: str | None = "aac",
    *,
    seconds: float = 2.0,
    rate: int = RATE,
    channels: int = 2,
    key_frame_every: int = 50,
    draw: Callable[[int], np.ndarray] = numbered,
    sound_delay_seconds: float = 0.0,
    matrix: int | None = None,
    prepare: Callable[[Any], None] = lambda stream: None,
    options: dict[str, str] | None = None,
) -> bytes:
    """A video file; `prepare` is given its picture stream before the first frame."""
    file = io.BytesIO()
    with av.open(file, "w", format=kind, options=options or {}) as container:
        shown = heard = None
        if picture:
            side = draw(0).shape
            # no key frames where the picture changes, only where they are asked for
            own = {"sc_threshold": "0"} if picture == "libx264" else {}
            shown = container.add_stream(picture, rate=FPS, options=own)
            shown.width, shown.height = side[1], side[0]
            shown.pix_fmt = "yuvj420p" if picture == "mjpeg" else "yuv420p"
            shown.codec_context.gop_size = key_frame_every
            shown.codec_context.thread_count = 1
            prepare(shown)
        if sound:
            # what FFmpeg's AAC replaces by noise is drawn anew each time it is decoded
            own = {"aac": {"aac_pns": "0"}, "vorbis": {"strict": "experimental"}}
            heard = container.add_stream(sound, rate=rate, options=own.get(sound, {}))
            heard.layout = "stereo" if channels == 2 else "mono"
            heard.bit_rate = 128_000
        if shown:
            for number in range(round(seconds * FPS)):
                frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24")
                if matrix is not None:  # by which colours become brightness and differences, as in H.273
                    frame = frame.reformat(format="yuv420p", dst_colorspace=matrix, dst_color_range=1)
                frame.pts, frame.time_base = number, Fraction(1, FPS)
                container.mux(shown.encode(frame))
            container.mux(shown.encode(None))
        if heard:
            _encode_sound(container, heard, chirp(seconds, rate, channels), rate, sound_delay_seconds)
    return file.getvalue()


def _encode_sound(container: Any, stream: Any, samples: np.ndarray, rate: int, delay_seconds: float) -> None:
    layout = stream.layout.name
    for start in range(0, len(samples), 1024):
        part = np.ascontiguousarray(samples[start : start + 1024].T)
        frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = start + round(delay_seconds * rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))

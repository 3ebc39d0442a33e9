"""Transforms: the ways in which a planted copy of a sound is disguised; each is heard as the same sound."""

import io
from collections.abc import Sequence

import numpy as np
import soundfile
import soxr
from jaxtyping import Float, Int16
from numpy import ndarray

from safe_data.records import Event

Samples = Float[ndarray, " samples"]
RATES_HZ = {"resample_24k": 24000, "resample_16k": 16000, "resample_8k": 8000}
TRANSFORMS = ("gain", "padding", "ogg", "mp3", *RATES_HZ, "offset", "cut_start", "cut_end")
LARGEST_CUT = 0.1

_QUIETEST_GAIN, _LOUDEST_GAIN = 0.3, 0.8  # below 1, so that nothing is clipped
_SHORTEST_PADDING, _LONGEST_PADDING = 0.05, 0.3  # seconds of silence at each end
_SMALLEST_OFFSET, _LARGEST_OFFSET = 0.01, 0.05  # seconds
_SMALLEST_CUT = 0.05
_OGG_POLYNOMIAL = 0x04C11DB7


def fits(transform: str, events: Sequence[Event], seconds: float, rate_hz: int) -> bool:
    """Whether the transform changes this sound, and loses no part of an event."""
    first = min((event.start for event in events), default=seconds)
    last = max((event.end for event in events), default=0.0)
    match transform:
        case "cut_start":
            return first > LARGEST_CUT * seconds
        case "cut_end":
            return last < (1 - LARGEST_CUT) * seconds
        case "offset":
            return last < seconds - _LARGEST_OFFSET
    return RATES_HZ.get(transform) != rate_hz


def disguise(
    samples: Samples, rate_hz: int, transform: str, rng: np.random.Generator
) -> tuple[bytes, str, float]:
    """Disguise a sound of numbers within ±1; return the file, its suffix and how much later all is heard."""
    later = 0.0
    match transform:
        case "gain":
            samples = samples * rng.uniform(_QUIETEST_GAIN, _LOUDEST_GAIN)
        case "padding":
            before, after = (
                round(one * rate_hz) for one in rng.uniform(_SHORTEST_PADDING, _LONGEST_PADDING, 2)
            )
            samples, later = np.pad(samples, (before, after)), before / rate_hz
        case "offset":
            frames = round(rng.uniform(_SMALLEST_OFFSET, _LARGEST_OFFSET) * rate_hz)
            samples, later = np.pad(samples, (frames, 0))[: len(samples)], frames / rate_hz
        case "cut_start" | "cut_end":
            frames = round(rng.uniform(_SMALLEST_CUT, LARGEST_CUT) * len(samples))
            if transform == "cut_start":
                samples, later = samples[frames:], -frames / rate_hz
            else:
                samples = samples[:-frames]
        case "ogg":
            return _ogg(_pcm(samples), rate_hz), ".ogg", later
        case "mp3":
            return _mp3(_pcm(samples), rate_hz), ".mp3", later
        case _:
            wanted = RATES_HZ[transform]
            samples, rate_hz = soxr.resample(samples, rate_hz, wanted), wanted
    return wav(_pcm(samples), rate_hz), ".wav", later


def moved(events: Sequence[Event], later: float) -> list[Event]:
    """The events of a disguised sound, which are heard so many seconds later."""
    return [Event(label=one.label, start=one.start + later, end=one.end + later) for one in events]


def wav(samples: Int16[ndarray, " samples"], rate_hz: int) -> bytes:
    """A WAV file of 16-bit samples."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="WAV", subtype="PCM_16")
    return file.getvalue()


def _pcm(samples: Samples) -> Int16[ndarray, " samples"]:
    pcm: Int16[ndarray, " samples"] = np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16)
    return pcm


def _mp3(samples: Int16[ndarray, " samples"], rate_hz: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="MP3")
    return file.getvalue()


def _ogg(samples: Int16[ndarray, " samples"], rate_hz: int) -> bytes:
    """Ogg Vorbis as stream 0, since libsndfile takes the number of the stream from the clock."""
    file = io.BytesIO()
    soundfile.write(file, samples, rate_hz, format="OGG", subtype="VORBIS")
    data, start = bytearray(file.getvalue()), 0
    while start < len(data):
        laces = data[start + 26]
        end = start + 27 + laces + sum(data[start + 27 : start + 27 + laces])
        data[start + 14 : start + 18] = data[start + 22 : start + 26] = bytes(4)
        data[start + 22 : start + 26] = _ogg_crc(data[start:end]).to_bytes(4, "little")
        start = end
    return bytes(data)


def _ogg_crc(page: bytes | bytearray) -> int:
    """Source: RFC 3533, section 6, field 7."""
    crc = 0
    for byte in page:
        crc = (crc << 8 & 0xFFFFFFFF) ^ _OGG_CRC[crc >> 24 ^ byte]
    return crc


def _ogg_remainder(byte: int) -> int:
    crc = byte << 24
    for _ in range(8):
        crc = (crc << 1 ^ (_OGG_POLYNOMIAL if crc >> 31 else 0)) & 0xFFFFFFFF
    return crc


_OGG_CRC = [_ogg_remainder(byte) for byte in range(256)]

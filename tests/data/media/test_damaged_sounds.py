"""Sounds with one fault: what is accepted is equal to the original, or the format cannot tell.

What each format cannot tell:
- WAV, RF64, W64, AIFF, AU, CAF: that samples are others, as they have no checksum; of AIFF, AU and CAF the
  rate, which they say once; of a WAV from a pipe how many whole frames were lost or came in.
- MP3 by LAME: that its first frame, which has the checksum of all others, was one before several bytes of it
  were lost. MP3 without that frame: the samples, and how many whole frames were lost or came in.
- FLAC from a pipe: how many whole frames were cut off.
- Ogg, FLAC: nothing.
"""

import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from broken_sounds import (
    FAULTS,
    decoded,
    encoded,
    mp3_frames,
    mutated,
    replaced,
    same,
    same_shape,
    tone,
)

from safe_data.core.errors import MediaError
from safe_data.media.decode import decode_pcm
from safe_data.media.sound import Pcm

MOVING = (
    "cut off",
    "cut out",
    "inserted",
    "repeated",
)  # faults that a file without a checksum shows by its size
KINDS = (
    "damaged sound: ",
    "truncated sound: ",
    "undecodable sound: ",
    "unknown sound format: ",
    "unknown length: ",
    "not a sound: ",
    "empty sound: ",
    "absurd ",
    "sound too long: ",
)


def nothing(whole: Pcm, got: Pcm, fault: str) -> bool:
    return False


def the_samples(whole: Pcm, got: Pcm, fault: str) -> bool:
    return fault not in MOVING and same_shape(whole, got)


def the_samples_and_the_rate(whole: Pcm, got: Pcm, fault: str) -> bool:
    return fault not in MOVING and whole.stored.shape == got.stored.shape


def the_end(whole: Pcm, got: Pcm, fault: str) -> bool:
    return fault == "cut off" and np.array_equal(got.samples, whole.samples[: len(got.samples)])


def whole_frames(whole: Pcm, got: Pcm, fault: str) -> bool:
    return (whole.sample_rate_hz, whole.channels) == (got.sample_rate_hz, got.channels)


def the_first_frame(whole: Pcm, got: Pcm, fault: str) -> bool:
    return fault in ("bytes", "zeros") and len(got.stored) > len(whole.stored)


def from_a_pipe(data: bytes) -> bytes:
    return replaced(replaced(data, 4, b"\xff" * 4), 40, b"\xff" * 4)


def flac_from_a_pipe() -> bytes:
    data = encoded("FLAC", samples=tone(1.5, channels=2))
    return replaced(data, 21, bytes([data[21] & 0xF0]) + bytes(20))


FORMATS: dict[str, tuple[Callable[[], bytes], Callable[[Pcm, Pcm, str], bool]]] = {
    "Vorbis": (lambda: encoded("OGG", samples=tone(3)), nothing),
    "Opus": (lambda: encoded("OGG", "OPUS"), nothing),
    "chain": (lambda: encoded("OGG") * 2, nothing),
    "FLAC": (lambda: encoded("FLAC", samples=tone(1.5, channels=2)), nothing),
    "FLAC of 24 bits": (lambda: encoded("FLAC", "PCM_24"), nothing),
    "FLAC without MD5": (lambda: replaced(encoded("FLAC", samples=tone(1.5)), 26, bytes(16)), nothing),
    "FLAC from a pipe": (flac_from_a_pipe, the_end),
    "MP3 by LAME": (lambda: encoded("MP3", samples=tone(1.5)), the_first_frame),
    "MP3 without a tag": (lambda: b"".join(mp3_frames(encoded("MP3"))[1:]), whole_frames),
    "WAV": (lambda: encoded("WAV"), the_samples),
    "WAV from a pipe": (
        lambda: from_a_pipe(encoded("WAV", samples=tone(channels=3))),
        whole_frames,
    ),
    "WAVEX": (lambda: encoded("WAVEX", "PCM_24"), the_samples),
    "µ-law": (lambda: encoded("WAV", "ULAW"), the_samples),
    "ADPCM": (lambda: encoded("WAV", "IMA_ADPCM"), the_samples),
    "RF64": (lambda: encoded("RF64"), the_samples),
    "W64": (lambda: encoded("W64"), the_samples),
    "AIFF": (lambda: encoded("AIFF"), the_samples_and_the_rate),
    "AU": (lambda: encoded("AU"), the_samples_and_the_rate),
    "CAF": (lambda: encoded("CAF"), the_samples_and_the_rate),
    "ALAC": (lambda: encoded("CAF", "ALAC_24"), the_samples_and_the_rate),
}


def outcomes(name: str, seeds: range) -> Counter[str]:
    """Damage a file in every way, for each seed; how many were equal, unlike or refused."""
    make, cannot_tell = FORMATS[name]
    data = make()
    whole = decoded(data)
    counts: Counter[str] = Counter()
    reasons: list[str] = []
    for fault in FAULTS:
        for seed in seeds:
            damaged = mutated(data, fault, seed)
            began = time.perf_counter()
            try:
                got = decode_pcm(damaged)
            except MediaError as error:
                reasons.append(str(error))
                continue
            finally:
                assert time.perf_counter() - began < 5, (name, fault, seed)
            equal = same(got, whole)
            assert equal or cannot_tell(whole, got, fault), (name, fault, seed)
            counts["equal" if equal else "unlike"] += 1
    for reason in reasons:
        assert reason.startswith(KINDS)
        assert reason.partition(": ")[2]
    return counts + Counter(refused=len(reasons))


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_accepted_is_equal_or_cannot_be_told(name: str) -> None:
    counts = outcomes(name, range(6))
    assert counts["refused"] >= 12


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_thousands_of_faults(name: str) -> None:
    counts = outcomes(name, range(1000, 1700))
    print(name, dict(counts))
    assert counts["refused"] > 1500
    if FORMATS[name][1] is nothing:
        assert not counts["unlike"]


@pytest.mark.parametrize("name", ["Vorbis", "FLAC", "FLAC without MD5"])
def test_a_clip_of_a_damaged_file_is_equal_or_refused(name: str) -> None:
    data = FORMATS[name][0]()
    whole = decode_pcm(data, 0.3, 0.4)
    for seed in range(15):
        for fault in FAULTS:
            try:
                got = decode_pcm(mutated(data, fault, seed), 0.3, 0.4)
            except MediaError:
                continue
            np.testing.assert_array_equal(got.samples, whole.samples)

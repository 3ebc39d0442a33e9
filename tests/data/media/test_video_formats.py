"""Every format that PyAV reads: whole files give their sound and pictures, damaged ones a reason."""

import re
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from videos import FORMATS, FPS, chirp, number_on, sample

from safe_data.core.errors import MediaError
from safe_data.media.decode import decode_pcm
from safe_data.media.video_frames import video_frames

SECONDS = 1.2
SEEN = ("ac3", "eac3", "mkv", "mkv-flac", "mkv-pcm", "mp4-flac")  # checksums cover every sample of the sound
EXACT = ("mp4-flac", "m4a-alac", "mov-pcm", "mov-pcm24", "mkv-flac", "mkv-pcm", "avi-mjpeg")
A_LITTLE = 24_000  # samples: half a second, within which time stamps are not compared
ENDLESS = (
    "ac3",
    "eac3",
    "aac",
    "ts",
    "ts-mp2",
    "m2ts",
    "mpg",
    "vob",
    "webm-live",
)  # do not say how long they are


@pytest.mark.parametrize("name", FORMATS)
def test_a_whole_file_gives_its_sound(name: str) -> None:
    whole = decode_pcm(sample(name))
    rate = whole.sample_rate_hz
    expected = chirp(SECONDS, rate)
    assert (
        0 <= len(whole.samples) - len(expected) < 6_000
    )  # filling of the encoder, and the delay of B-frames
    if name in EXACT:
        np.testing.assert_allclose(whole.samples, expected, atol=2**-15)
    places = np.correlate(whole.samples[:, 0], expected[20_000:25_000, 0], "valid")
    sound = whole.samples[int(np.argmax(places)) :][:5_000]
    assert np.sqrt(np.square(sound - expected[20_000:25_000]).mean()) < 0.03
    for start, duration in ((0.3, 0.4), (1.05, 0.1)):
        first = round(start * rate)
        part = decode_pcm(sample(name), start, duration).samples
        same = whole.samples[first : first + round(duration * rate)]
        np.testing.assert_allclose(part, same, atol=1e-3 if "webm" in name else 0)


@pytest.mark.parametrize("name", [name for name, parts in FORMATS.items() if parts[1]])
def test_a_whole_file_gives_its_pictures(name: str) -> None:
    shown = [number_on(picture) for picture in video_frames(sample(name), 4)]
    middles = [SECONDS * FPS * (part + 0.5) / 4 for part in range(4)]
    assert np.abs(np.subtract(shown, middles)).max() < 3


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_cut_off_is_refused(name: str) -> None:
    data = sample(name)
    for end in (int(0.3 * len(data)), int(0.7 * len(data)), int(0.97 * len(data)), len(data) - 1):
        with pytest.raises(MediaError, match=r"^(truncated|damaged) (sound|video): "):
            decode_pcm(data[:end])


def damaged(data: bytes, seed: int) -> bytes:
    """One fault: flipped or changed bytes, a cut, zeros, or bytes that are lost, doubled or added."""
    rng = np.random.default_rng(seed)
    place, length = int(rng.integers(len(data))), int(rng.integers(1, 3_000))
    changed = bytearray(data)
    match seed % 8:
        case 0:
            changed[place] ^= 1 << int(rng.integers(8))
        case 1:
            changed[place % 1_500] ^= 1 << int(rng.integers(8))
        case 2:
            for at in rng.integers(0, len(data), 4):
                changed[at] = rng.integers(256)
        case 3:
            del changed[place:]
        case 4:
            changed[place : place + length] = bytes(len(changed[place : place + length]))
        case 5:
            del changed[place : place + length]
        case 6:
            changed[place:place] = changed[place : place + length]
        case 7:
            changed[place:place] = rng.bytes(length)
    return bytes(changed)


def reason_or(decode: Callable[[bytes], Any], data: bytes) -> Any:
    """What is decoded; a text if it is refused."""
    try:
        return decode(data)
    except MediaError as error:
        return str(error)


def outcomes(name: str, seeds: range) -> dict[str, int]:
    """What becomes of damaged files; a fault that is not seen is in what no checksum covers."""
    data = sample(name)
    whole = decode_pcm(data).samples
    counts = dict.fromkeys(("refused", "equal", "not seen"), 0)
    for seed in seeds:
        began, changed = time.monotonic(), damaged(data, seed)
        found = reason_or(decode_pcm, changed)
        shown = reason_or(video_frames, changed) if FORMATS[name][1] else []
        assert time.monotonic() - began < 10, seed
        assert not isinstance(shown, str) or re.match("[a-z ]+: .", shown), (seed, shown)
        if isinstance(found, str):
            assert re.match("[a-z ]+: .", found), (seed, found)
            counts["refused"] += 1
            continue
        there = found.samples
        same = there.shape == whole.shape and np.allclose(there, whole, atol=1e-3)
        counts["equal" if same else "not seen"] += 1
        cut = len(changed) < len(data) and name in ENDLESS
        more = len(there) - len(whole)
        late = more > 0 and not there[: more - A_LITTLE].any()  # its first time stamp is damaged
        assert same or cut or name not in SEEN, seed
        assert abs(more) < A_LITTLE or cut or late, (seed, more)
    return counts


@pytest.mark.parametrize("name", FORMATS)
def test_damage_is_refused_or_changes_nothing_that_can_be_seen(name: str) -> None:
    counts = outcomes(name, range(8))
    assert counts["refused"] >= 3, counts


@pytest.mark.slow
@pytest.mark.parametrize("name", FORMATS)
def test_thousands_of_faults_are_refused_or_cannot_be_seen(name: str) -> None:
    counts = outcomes(name, range(100, 2_100))
    print(name, counts)
    assert counts["refused"] >= 1_000, counts

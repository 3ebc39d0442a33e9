"""Media are decoded whole or refused with a reason, in bounded memory."""

import contextlib
import io
import struct
import tracemalloc

import numpy as np
import pytest
import soundfile
from broken_sounds import encoded, ogg_pages, replaced, tone, with_checksum
from effort import Counting, seconds_of
from folders import STAMPS, needs_stamps, picture_bytes, sound_bytes
from hypothesis import given, settings
from hypothesis import strategies as st
from videos import chirp

from safe_data.core.errors import MediaError
from safe_data.media.decode import decode_audio, decode_pcm
from safe_data.media.sound import MAX_CLIP_SECONDS


@pytest.mark.parametrize(
    ("kind", "suffix"), [("WAV", "wav"), ("WAVEX", "wav"), ("FLAC", "flac"), ("OGG", "ogg"), ("MP3", "mp3")]
)
def test_every_format_decodes_and_is_known_by_its_content(kind: str, suffix: str) -> None:
    pcm = decode_pcm(sound_bytes(kind=kind))
    assert pcm.suffix == suffix
    assert pcm.samples.shape == (8000, 1)
    assert pcm.samples.dtype == np.float32


def test_a_clip_is_the_part_that_was_asked_for() -> None:
    ramp = np.arange(8000, dtype=np.int16)
    data = sound_bytes(ramp)
    sound = decode_audio(data, start_seconds=0.25, duration_seconds=0.5)
    np.testing.assert_array_equal(sound.samples, ramp[2000:6000] / np.float32(32768))
    assert sound.duration_seconds == 0.5
    to_the_end = decode_audio(data, start_seconds=0.75, duration_seconds=9.0)
    assert len(to_the_end.samples) == 2000


def test_a_clip_in_a_long_file_needs_no_room_for_the_file() -> None:
    hour = np.zeros(8000 * 3600, np.int16)
    hour[8000 * 3000] = 16384
    data = sound_bytes(hour, kind="FLAC")
    with pytest.raises(
        MediaError, match=r"^sound too long: 3600 s of 1 channels at 8000 Hz; name a clip of up to 600 s"
    ):
        decode_audio(data)
    assert decode_audio(data, start_seconds=3000, duration_seconds=1).samples[0] == 0.5


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "MP3", "OPUS"])
def test_a_clip_is_a_slice_of_the_whole_and_the_rest_is_not_decoded(kind: str) -> None:
    rate = 48_000
    file = io.BytesIO()
    options = {"format": "OGG", "subtype": "OPUS"} if kind == "OPUS" else {"format": kind}
    with soundfile.SoundFile(file, "w", rate, 2, **options) as sound:
        for part in np.array_split(chirp(60, rate), 600):  # libsndfile crashes when given a long Ogg at once
            sound.write(part)
    whole = decode_pcm(file.getvalue())
    assert whole.suffix == kind.lower().replace("opus", "ogg")
    counting = Counting(file.getvalue())
    clip = decode_pcm(counting, 30.0001, 10)
    expected = whole.samples[round(30.0001 * rate) :][: 10 * rate]
    assert clip.suffix is None
    assert clip.samples.shape == expected.shape
    np.testing.assert_array_equal(clip.samples, expected)
    assert counting.bytes_read < (0.8 if kind == "WAV" else 1.8) * len(file.getvalue())  # once for checksums
    if kind == "OPUS":
        return  # it is decoded from its beginning
    assert seconds_of(decode_pcm, counting, 30.0, 10.0) < 0.5 * seconds_of(decode_pcm, counting)


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000])
def test_a_clip_of_an_mp3_of_short_frames_has_all_that_they_need(rate: int) -> None:
    """A frame may use bytes of many before it, and more than libmpg123 goes back."""
    file = io.BytesIO()
    noise = np.random.default_rng(0).normal(0, 0.05, 2 * rate) * (np.arange(2 * rate) % 5000 < 800)
    soundfile.write(file, noise, rate, format="MP3", bitrate_mode="VARIABLE", compression_level=0.7)
    whole = decode_pcm(file.getvalue()).samples
    for start in np.arange(0.05, 1.9, 0.17):
        clip = decode_pcm(file.getvalue(), start, 0.1).samples
        expected = whole[round(start * rate) :][: len(clip)]
        np.testing.assert_allclose(clip, expected, atol=1e-6)


def test_a_clip_of_opus_that_does_not_begin_at_0_is_where_it_should_be() -> None:
    """As what was recorded of a stream; libsndfile would seek to another place."""
    pages = ogg_pages(encoded("OGG", "OPUS", tone(2, 48_000)))
    late = [
        with_checksum(
            replaced(page, 6, (int.from_bytes(page[6:14], "little") + 480_000).to_bytes(8, "little"))
        )
        for page in pages[2:]
    ]
    data = b"".join(pages[:2] + late)
    whole = decode_pcm(data).samples
    for start in (0.02, 0.5, 1.9):
        clip = decode_pcm(data, start, 0.1).samples
        np.testing.assert_array_equal(clip, whole[round(start * 48_000) :][: len(clip)])


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32", "NMS_ADPCM_16"])
def test_a_clip_of_what_cannot_be_sought_in_is_decoded_up_to_it(subtype: str) -> None:
    file = io.BytesIO()
    soundfile.write(file, tone(1, 8_000), 8_000, subtype, format="WAV")
    whole = decode_pcm(file.getvalue()).samples
    np.testing.assert_array_equal(decode_pcm(file.getvalue(), 0.5, 0.2).samples, whole[4_000:5_600])


@pytest.mark.parametrize(
    ("kind", "subtype", "bits"),
    [
        ("WAV", "PCM_16", 16),
        ("WAV", "PCM_24", 24),
        ("FLAC", "PCM_24", 24),
        ("WAV", "FLOAT", None),
        ("OGG", None, 16),
    ],
)
def test_the_bit_depth_is_known(kind: str, subtype: str | None, bits: int | None) -> None:
    assert decode_pcm(sound_bytes(kind=kind, subtype=subtype)).bits == bits


def test_an_absurd_start_or_duration_is_handled() -> None:
    assert len(decode_audio(sound_bytes(), duration_seconds=1e308).samples) == 8000
    with pytest.raises(MediaError, match=r"^empty clip: it starts at 1e\+308 s"):
        decode_audio(sound_bytes(), start_seconds=1e308)


def wav_that_promises(size: int) -> bytes:
    data = bytearray(sound_bytes())
    struct.pack_into("<I", data, 40, size)
    return bytes(data)


def longer_noise(kind: str) -> bytes:
    return sound_bytes(np.random.default_rng(0).uniform(-0.5, 0.5, 80_000), kind=kind)


HOSTILE_SOUNDS = {
    "no bytes": (b"", "empty sound: the file has no bytes"),
    "text": (b"this is no sound\n" * 9, "not a sound: a text file"),
    "a picture": (picture_bytes(), r"not a sound: a picture \(PNG\)"),
    "gigabytes promised": (
        wav_that_promises(0xF0000000),
        "truncated sound: the header promises 4026531840 bytes, 16000 are there",
    ),
    "cut off WAV": (sound_bytes()[:9000], "truncated sound: the header promises 16000 bytes, 8956 are there"),
    "cut off FLAC": (longer_noise("FLAC")[:40_000], "sound"),
    "cut off Ogg": (longer_noise("OGG")[:20_000], "truncated sound: its last page does not end the stream"),
    "cut off MP3": (longer_noise("MP3")[:15_000], "truncated sound"),
    "no samples": (sound_bytes(np.zeros(0)), "empty sound: no samples"),
    "NaN": (
        sound_bytes(np.array([0.0, np.nan]), subtype="FLOAT"),
        "absurd samples: up to nan where 1 is full scale",
    ),
    "infinity": (sound_bytes(np.array([0.0, np.inf]), subtype="FLOAT"), "absurd samples: up to inf"),
    "integers as floats": (
        sound_bytes(np.array([0.0, -9000]), subtype="FLOAT"),
        "absurd samples: up to 9000",
    ),
    "other format": (
        sound_bytes(kind="VOC"),
        "unknown sound format: VOC; convert it to one of WAV, FLAC, ",
    ),
    "absurd rate": (sound_bytes(rate=100), "absurd sample rate: 100 Hz"),
}


@pytest.mark.parametrize("name", HOSTILE_SOUNDS)
def test_a_hostile_sound_is_refused_with_a_reason(name: str) -> None:
    data, reason = HOSTILE_SOUNDS[name]
    with pytest.raises(MediaError, match=reason):
        decode_audio(data)


def test_a_clip_after_the_end_is_refused() -> None:
    with pytest.raises(MediaError, match=r"^empty clip: it starts at 2 s, the sound ends at 1 s$"):
        decode_audio(sound_bytes(), start_seconds=2.0)


def test_a_small_file_that_decodes_to_hours_is_refused_before_it_is_decoded() -> None:
    data = sound_bytes(np.zeros(8000 * (MAX_CLIP_SECONDS + 1), np.int16), kind="FLAC")
    assert len(data) < 100_000
    tracemalloc.start()
    with pytest.raises(MediaError, match=r"^sound too long"):
        decode_audio(data)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()


def test_wav_chunks_before_the_samples_are_passed_over() -> None:
    data = sound_bytes()
    extra = b"LIST" + struct.pack("<I", 5) + b"abcde\0"
    with_extra = data[:36] + extra + data[36:]
    assert len(decode_audio(with_extra).samples) == 8000
    with pytest.raises(MediaError, match="truncated"):
        decode_audio(with_extra[:-2])


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["WAV", "FLAC", "OGG"]),
    cut=st.floats(0, 1),
    place=st.floats(0, 1),
    value=st.integers(0, 255),
)
def test_damaged_sounds_decode_or_are_refused_but_never_crash(
    kind: str, cut: float, place: float, value: int
) -> None:
    data = bytearray(sound_bytes(kind=kind)[: max(1, int(cut * 4000))])
    data[int(place * (len(data) - 1))] = value
    with contextlib.suppress(MediaError):
        assert np.isfinite(decode_audio(bytes(data)).samples).all()


@needs_stamps
def test_every_stamp_decodes_as_soundfile_says() -> None:
    files = sorted(STAMPS.rglob("*.ogg"))
    assert len(files) == 95
    for file in files:
        pcm = decode_pcm(file.read_bytes())
        expected, rate = soundfile.read(file, dtype="float32", always_2d=True)
        assert pcm.sample_rate_hz == rate
        np.testing.assert_array_equal(pcm.samples, expected)

"""Media are decoded whole or refused with a reason, in bounded memory."""

import contextlib
import io
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
from folders import picture_bytes, sound_bytes
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from safe_data.errors import MediaError
from safe_data.media import (
    MAX_CLIP_SECONDS,
    decode_audio,
    decode_image,
    decode_pcm,
    resample,
    to_mono,
)
from safe_data.paths import read_file

STAMPS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "stamps"


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


def test_channels_are_averaged() -> None:
    stereo = np.array([[0.5, -0.25], [0.25, 0.25]], np.float32)
    np.testing.assert_array_equal(to_mono(stereo), np.array([0.125, 0.25], np.float32))
    sound = decode_audio(sound_bytes(stereo, subtype="FLOAT"))
    assert (sound.source_channels, sound.source_rate_hz) == (2, 8000)


@settings(max_examples=50, deadline=None)
@given(
    length=st.integers(1, 5000),
    old=st.sampled_from([8000, 11025, 16000, 44100, 48000]),
    new=st.sampled_from([8000, 16000, 48000]),
)
def test_resampling_gives_the_exact_length(length: int, old: int, new: int) -> None:
    samples = np.random.default_rng(length).standard_normal(length).astype(np.float32)
    exact = length * new / old
    result = resample(samples, old, new)
    assert abs(len(result) - exact) <= 0.5
    assert result.dtype == np.float32


def test_resampling_keeps_a_tone_a_tone() -> None:
    times = np.arange(48000) / 48000
    tone = np.sin(2 * np.pi * 440 * times).astype(np.float32)
    heard = decode_audio(sound_bytes(tone, rate=48000, subtype="FLOAT"), 8000).samples
    expected = np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    assert np.abs(heard - expected)[200:-200].max() < 1e-3


def wav_that_promises(size: int) -> bytes:
    data = bytearray(sound_bytes())
    struct.pack_into("<I", data, 40, size)
    return bytes(data)


def longer_noise(kind: str) -> bytes:
    return sound_bytes(np.random.default_rng(0).uniform(-0.5, 0.5, 80_000), kind=kind)


HOSTILE_SOUNDS = {
    "no bytes": (b"", "undecodable sound: Format not recognised"),
    "text": (b"this is no sound\n" * 9, "undecodable sound: Format not recognised"),
    "a picture": (picture_bytes(), "undecodable sound: Format not recognised"),
    "gigabytes promised": (
        wav_that_promises(0xFFFFFF00),
        "truncated sound: the header promises 4294967040 bytes, 16000 are there",
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
    "other format": (sound_bytes(kind="AIFF"), "unknown sound format: AIFF; use WAV, FLAC, Ogg or MP3"),
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


def test_transparency_shows_a_white_page() -> None:
    assert decode_image(picture_bytes(mode="RGBA", colour=(10, 20, 30, 0))).getpixel((0, 0)) == (
        255,
        255,
        255,
    )
    assert decode_image(picture_bytes(mode="LA", colour=(0, 255))).getpixel((0, 0)) == (0, 0, 0)
    half = decode_image(picture_bytes(mode="RGBA", colour=(0, 0, 0, 128))).getpixel((0, 0))
    assert half == (127, 127, 127)


def test_a_transparent_palette_colour_is_white_too() -> None:
    file = io.BytesIO()
    Image.new("P", (2, 2), 0).save(file, "PNG", transparency=0)
    assert decode_image(file.getvalue()).getpixel((0, 0)) == (255, 255, 255)


def test_sixteen_bit_greys_are_scaled_not_clipped() -> None:
    file = io.BytesIO()
    Image.fromarray(np.array([[0, 30_000, 65_535]], np.uint16)).save(file, "PNG")
    picture = decode_image(file.getvalue())
    assert [picture.getpixel((x, 0)) for x in range(3)] == [(0, 0, 0), (117, 117, 117), (255, 255, 255)]


def png_of_size(width: int, height: int) -> bytes:
    """A PNG of a few hundred bytes that promises any number of pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(bytes(4096)))
        + chunk(b"IEND", b"")
    )


HOSTILE_PICTURES = {
    "no bytes": (b"", "undecodable picture: neither PNG nor JPEG"),
    "text": (b"no picture" * 20, "undecodable picture: neither PNG nor JPEG"),
    "other format": (picture_bytes(kind="GIF"), "undecodable picture: neither PNG nor JPEG"),
    "cut off PNG": (picture_bytes(side=64)[:60], "undecodable picture"),
    "cut off JPEG": (picture_bytes(side=64, kind="JPEG")[:400], "undecodable picture"),
    "large": (png_of_size(10_000, 5_000), "picture too large: 10000×5000 of 33554432 pixels"),
    "a bomb": (png_of_size(60_000, 60_000), "picture too large: more than 33554432 pixels"),
    "fewer pixels than promised": (png_of_size(5_000, 5_000), "undecodable picture"),
}


@pytest.mark.parametrize("name", HOSTILE_PICTURES)
def test_a_hostile_picture_is_refused_with_a_reason(name: str) -> None:
    data, reason = HOSTILE_PICTURES[name]
    with pytest.raises(MediaError, match=reason):
        decode_image(data)


@settings(max_examples=100, deadline=None)
@given(
    cut=st.floats(0, 1),
    place=st.floats(0, 1),
    value=st.integers(0, 255),
    kind=st.sampled_from(["PNG", "JPEG"]),
)
def test_damaged_pictures_decode_or_are_refused_but_never_crash(
    cut: float, place: float, value: int, kind: str
) -> None:
    whole = picture_bytes(side=16, kind=kind)
    data = bytearray(whole[: max(1, int(cut * len(whole)))])
    data[int(place * (len(data) - 1))] = value
    with contextlib.suppress(MediaError):
        assert decode_image(bytes(data)).mode == "RGB"


def test_files_are_read_from_below_the_root_only(tmp_path: Path) -> None:
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "secret").write_bytes(b"no")
    (root / "sub" / "fine").write_bytes(b"yes")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "loop").symlink_to(root / "loop")
    assert read_file(root, "sub/fine") == b"yes"
    assert read_file(root, "sub/../sub/fine") == b"yes"
    reasons = {
        "../secret": "^unreadable file: '../secret' leads out of the root$",
        "link": "^unreadable file: 'link' leads out of the root$",
        str(tmp_path / "secret"): "^unreadable file: .* is an absolute path$",
        "gone": "^no such file: gone$",
        "sub": "^no regular file: sub$",
        "loop": "^unreadable file: ",
        "nul\0": "^unreadable file: ",
    }
    for path, reason in reasons.items():
        with pytest.raises(MediaError, match=reason):
            read_file(root, path)


def test_a_file_too_large_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "huge.wav").open("wb") as file:
        file.truncate(2**29)
    with pytest.raises(MediaError, match=r"^file too large: huge.wav has 536870912 bytes of 268435456$"):
        read_file(tmp_path, "huge.wav")


@pytest.mark.skipif(not STAMPS.is_dir(), reason="the stamps are not here")
def test_every_stamp_decodes_as_soundfile_says() -> None:
    files = sorted(STAMPS.rglob("*.ogg"))
    assert len(files) == 95
    for file in files:
        pcm = decode_pcm(file.read_bytes())
        expected, rate = soundfile.read(file, dtype="float32", always_2d=True)
        assert pcm.sample_rate_hz == rate
        np.testing.assert_array_equal(pcm.samples, expected)

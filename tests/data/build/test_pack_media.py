"""A shard holds a file unchanged, or only the clip cut out of it, with the same bytes every time."""

import io
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import soundfile
from folders import picture_bytes, sound_bytes
from PIL import Image
from scipy.io import wavfile
from videos import FPS, number_on, video_bytes

from safe_data.build.clip_file import ClipFile
from safe_data.build.pack import encode_picture, picture_members, sound_member
from safe_data.core.errors import MediaError
from safe_data.media.decode import decode_audio, decode_pcm
from safe_data.media.measure import measure_image, measure_sound
from safe_data.media.picture import decode_image
from safe_data.media.sound import in_full_scale
from safe_data.records import Audio


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of everything."""
    folder = tmp_path_factory.mktemp("media")
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, (44_100 * 4, 2))
    kinds = {
        "a.wav": ("WAV", "PCM_16"),
        "a.flac": ("FLAC", "PCM_16"),
        "fine.flac": ("FLAC", "PCM_24"),
        "float.wav": ("WAV", "FLOAT"),
        "a.ogg": ("OGG", None),
        "a.mp3": ("MP3", None),
    }
    for name, (kind, subtype) in kinds.items():
        (folder / name).write_bytes(sound_bytes(samples, rate=44_100, kind=kind, subtype=subtype))
    (folder / "a.mp4").write_bytes(video_bytes(seconds=4))
    (folder / "a.webm").write_bytes(video_bytes("webm", "libvpx", "libopus", seconds=4, rate=48_000))
    (folder / "a.m4a").write_bytes(video_bytes("ipod", None, "aac", seconds=4))
    (folder / "silent.mp4").write_bytes(video_bytes(sound=None, seconds=1))
    (folder / "a.png").write_bytes(picture_bytes())
    return folder


@pytest.mark.parametrize("name", ["a.wav", "a.flac", "float.wav", "a.ogg", "a.mp3"])
@pytest.mark.parametrize("duration", [None, 4.0, 60.0])
def test_a_whole_file_is_stored_as_it_came(root: Path, name: str, duration: float | None) -> None:
    member, heard, as_it_came = sound_member(root, Audio(path=name, duration_seconds=duration), [44_100])
    assert as_it_came
    assert member.contents.read() == (root / name).read_bytes()
    assert member.suffix == name.rpartition(".")[2]
    np.testing.assert_array_equal(heard[44_100], decode_audio(member.contents.read()).samples)


@pytest.mark.parametrize(
    ("name", "suffix", "subtype"),
    [
        ("a.wav", "flac", "PCM_16"),
        ("a.flac", "flac", "PCM_16"),
        ("fine.flac", "flac", "PCM_24"),
        ("float.wav", "wav", "FLOAT"),
        ("a.ogg", "flac", "PCM_16"),
        ("a.mp3", "flac", "PCM_16"),
        ("a.mp4", "flac", "PCM_16"),
        ("a.webm", "flac", "PCM_16"),
        ("a.m4a", "flac", "PCM_16"),
    ],
)
def test_only_the_wanted_part_is_stored(root: Path, name: str, suffix: str, subtype: str) -> None:
    audio = Audio(path=name, start_seconds=1.5, duration_seconds=0.75)
    rates = (8_000, 44_100, 48_000)
    member, heard, as_it_came = sound_member(root, audio, rates)
    assert not as_it_came
    assert member.suffix == suffix
    stored = soundfile.info(io.BytesIO(member.contents.read()))
    source = decode_pcm((root / name).read_bytes(), 1.5, 0.75)
    assert (stored.frames, stored.samplerate) == (len(source.samples), source.sample_rate_hz)
    assert stored.subtype == subtype
    again = decode_pcm(member.contents.read())
    lossless = name in ("a.wav", "a.flac", "fine.flac", "float.wav")
    expected = source.samples if lossless else source.samples.clip(-1, 1 - 2**-15)
    np.testing.assert_allclose(again.samples, expected, atol=0 if lossless else 2**-16)
    assert member.facts["pcm_sha256"] == measure_sound(again).pcm_sha256
    if lossless:
        assert member.facts["pcm_sha256"] == measure_sound(source).pcm_sha256
    for rate in rates:
        assert heard[rate].tobytes() == decode_audio(member.contents.read(), rate).samples.tobytes()


@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.m4a"])
def test_a_whole_video_is_stored_as_its_sound_and_its_picture(root: Path, name: str) -> None:
    member, _, as_it_came = sound_member(root, Audio(path=name))
    assert not as_it_came
    assert member.suffix == "flac"
    assert member.facts["duration_seconds"] == 4.0
    if name == "a.m4a":
        with pytest.raises(MediaError, match=r"^no picture: only a sound$"):
            picture_members(root, name, None, 1)
        return
    (picture,) = picture_members(root, name, Audio(path=name), 1)
    assert picture.suffix == "jpg"
    assert number_on(decode_image(picture.contents.read())) == 2 * FPS
    assert picture.facts["pixel_sha256"] == measure_image(decode_image(picture.contents.read())).pixel_sha256


def test_the_picture_is_of_the_clip_even_where_its_sound_lies_elsewhere(root: Path) -> None:
    clip = Audio(path="a.wav", start_seconds=1.0, duration_seconds=1.0)
    (picture,) = picture_members(root, "a.mp4", clip, 1)
    assert number_on(decode_image(picture.contents.read())) == int(1.5 * FPS)
    (silent,) = picture_members(root, "silent.mp4", None, 1)
    assert number_on(decode_image(silent.contents.read())) == FPS // 2


def test_several_pictures_of_a_clip_are_numbered(root: Path) -> None:
    pictures = picture_members(root, "a.mp4", Audio(path="a.mp4"), 4)
    assert [picture.suffix for picture in pictures] == [f"frame{number}.jpg" for number in range(4)]
    assert [number_on(decode_image(picture.contents.read())) for picture in pictures] == [12, 37, 62, 87]
    (still,) = picture_members(root, "a.png", None, 4)
    assert (still.suffix, still.contents.read()) == ("png", (root / "a.png").read_bytes())


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "BMP", "TIFF"])
def test_a_picture_of_another_format_is_stored_as_png_with_the_same_pixels(tmp_path: Path, kind: str) -> None:
    data = picture_bytes(side=32, kind=kind)
    (tmp_path / "a.picture").write_bytes(data)
    (picture,) = picture_members(tmp_path, "a.picture", None, 1)
    assert picture.suffix == "png"
    assert picture.contents.read().startswith(b"\x89PNG")
    assert picture.facts == asdict(measure_image(decode_image(data)))
    assert picture.facts == asdict(measure_image(decode_image(picture.contents.read())))
    (again,) = picture_members(tmp_path, "a.picture", None, 1)
    assert (again.suffix, again.contents.read()) == (picture.suffix, picture.contents.read())


def encoded(samples: np.ndarray, rate: int, bits: int | None) -> tuple[np.ndarray, str, bytes]:
    """Samples as stored, suffix, bytes; in blocks of 1,500 frames."""
    clip = ClipFile(rate, samples.shape[1], bits)
    stored = [clip.add(samples[first : first + 1_500]).copy() for first in range(0, len(samples), 1_500)]
    return in_full_scale(np.concatenate(stored)), clip.suffix, clip.close().read()


def test_samples_above_full_scale_are_clipped_in_integers() -> None:
    loud = np.array([[1.5], [-1.5], [1.0], [-1.0], [0.25]], np.float32)
    lossy, suffix, data = encoded(loud, 8_000, 16)
    assert suffix == "flac"
    np.testing.assert_array_equal(lossy[:, 0], [32767 / 32768, -1, 32767 / 32768, -1, 0.25])
    np.testing.assert_array_equal(decode_pcm(data).samples, lossy)
    floats, suffix, data = encoded(loud, 8_000, None)
    assert suffix == "wav"
    np.testing.assert_array_equal(decode_pcm(data).samples, loud)
    np.testing.assert_array_equal(floats, loud)


@pytest.mark.parametrize("channels", [1, 2, 6, 8, 9])
@pytest.mark.parametrize("frames", [1, 1_000, 5_000])
def test_any_number_of_channels_and_samples_is_stored(channels: int, frames: int) -> None:
    samples = np.random.default_rng(channels).uniform(-1, 1, (frames, channels)).astype(np.float32)
    stored, suffix, data = encoded(samples, 44_100, 16)
    assert suffix == ("flac" if channels <= 8 else "wav")
    again = decode_pcm(data)
    np.testing.assert_array_equal(again.samples, stored)
    assert again.suffix == suffix


@pytest.mark.parametrize("bits", [16, 24])
def test_blocks_are_encoded_like_the_whole(bits: int) -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (5_000, 2)).astype(np.float32)
    whole = np.clip(np.rint(samples.astype(np.float64) * 2 ** (bits - 1)), None, 2 ** (bits - 1) - 1)
    file = io.BytesIO()
    integers = whole.astype(np.int32) << (32 - bits)
    soundfile.write(file, integers, 8_000, format="FLAC", subtype=f"PCM_{bits}", compression_level=0.25)
    assert encoded(samples, 8_000, bits)[2] == file.getvalue()
    if bits == 16:
        assert encoded(whole.astype(np.int16), 8_000, bits)[2] == file.getvalue()


def test_floats_are_encoded_as_scipy_does() -> None:
    samples = np.random.default_rng(0).uniform(-1, 1, (5_000, 9)).astype(np.float32)
    file = io.BytesIO()
    wavfile.write(file, 8_000, samples)
    assert encoded(samples, 8_000, None)[2] == file.getvalue()


SCRIPT = """
import hashlib, sys
from pathlib import Path
from safe_data.build.pack import picture_members, sound_member
from safe_data.records import Audio
for name in ("a.wav", "fine.flac", "float.wav", "a.ogg", "a.mp3", "a.mp4", "a.webm"):
    clip = Audio(path=name, start_seconds=1.3, duration_seconds=1.0)
    members = [sound_member(Path(sys.argv[1]), clip)[0]]
    if name in ("a.mp4", "a.webm"):
        members += picture_members(Path(sys.argv[1]), name, clip, 2)
    print(name, *(hashlib.sha256(member.contents.read()).hexdigest() for member in members))
"""


def test_two_processes_at_two_times_make_the_same_bytes(root: Path) -> None:
    def run() -> str:
        ran = subprocess.run(
            [sys.executable, "-c", SCRIPT, str(root)], capture_output=True, text=True, timeout=60, check=True
        )
        return ran.stdout

    first = run()
    assert len(set(first.split())) == 7 + 7 + 4
    assert run() == first


def test_no_date_is_written() -> None:
    samples = np.zeros((100, 1), np.float32)
    _, _, data = encoded(samples, 8_000, None)
    assert b"PEAK" not in data  # libsndfile's, with the time it was written
    _, _, data = encoded(samples, 8_000, 16)
    assert data.count(b"libFLAC") == 1
    assert b"=" not in data[: data.index(b"libFLAC") + 60]  # no tags
    jpeg = Image.open(io.BytesIO(encode_picture(Image.new("RGB", (8, 8), (200, 40, 90)))))
    assert set(jpeg.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    assert np.abs(np.subtract(jpeg.getpixel((3, 3)), (200, 40, 90))).max() <= 2


def test_a_file_too_large_is_stored_in_part_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.wav").write_bytes(sound_bytes())
    monkeypatch.setattr("safe_data.media.paths.MAX_FILE_BYTES", 10_000)
    with pytest.raises(MediaError, match=r"^file too large: a.wav has 16044 bytes of 10000$"):
        sound_member(tmp_path, Audio(path="a.wav"))
    member, _, _ = sound_member(tmp_path, Audio(path="a.wav", duration_seconds=0.5))
    assert member.facts["duration_seconds"] == 0.5

"""The sound of a video has the right length and place, and nothing outside the crop is decoded."""

import io

import numpy as np
import pytest
from effort import Counting, seconds_of
from videos import RATE, chirp, video_bytes

from safe_data.core.errors import MediaError
from safe_data.media.decode import decode_audio, decode_pcm
from safe_data.media.sound import Pcm

LOSSLESS = [("mp4", "flac"), ("mov", "alac"), ("mov", "pcm_s16le"), ("matroska", "flac")]
LOSSY = [
    ("mp4", "aac"),
    ("ipod", "aac"),
    ("matroska", "aac"),
    ("mp4", "libmp3lame"),
    ("matroska", "libmp3lame"),
    ("webm", "libopus"),
    ("mp4", "libopus"),
]


def made(kind: str, sound: str, seconds: float = 8.0, **options: object) -> tuple[bytes, int]:
    rate = 48_000 if sound == "libopus" else RATE
    picture = {"webm": "libvpx", "ipod": None}.get(kind, "libx264")
    return video_bytes(kind, picture, sound, seconds=seconds, rate=rate, **options), rate


@pytest.mark.parametrize(("kind", "sound"), LOSSLESS)
def test_a_lossless_sound_gives_every_sample(kind: str, sound: str) -> None:
    data, rate = made(kind, sound)
    expected = chirp(8)
    whole = decode_pcm(data)
    assert (whole.sample_rate_hz, whole.suffix) == (rate, None)
    np.testing.assert_allclose(whole.samples, expected, atol=2**-15)
    for start, duration in ((0.3, 1.0), (3.3333, 2.0001), (7.5, 9.0), (5.0, 1e-9)):
        first = round(start * rate)
        part = decode_pcm(data, start, duration).samples
        np.testing.assert_array_equal(part, whole.samples[first : first + max(1, round(duration * rate))])


@pytest.mark.parametrize(("kind", "sound"), LOSSY)
def test_a_lossy_sound_has_the_exact_length_and_place(kind: str, sound: str) -> None:
    data, rate = made(kind, sound)
    whole = decode_pcm(data)
    expected = chirp(8, rate)
    extra = len(whole.samples) - len(expected)
    assert extra == 0 or (kind == "matroska" and 0 < extra < 2_000)  # which keeps the encoder's filling
    inner = slice(rate, 7 * rate)
    error = whole.samples[inner] - expected[inner]
    assert np.sqrt(np.square(error).mean()) < 0.02
    best = np.argmax(np.correlate(whole.samples[inner, 0], expected[rate + 2000 : 7 * rate - 2000, 0]))
    if kind != "matroska":
        assert best == 2000  # not a sample early or late
    for start, duration in ((0.3, 1.0), (3.3333, 2.0001), (5.0, None), (2.0, 1e-9)):
        first = round(start * rate)
        length = None if duration is None else max(1, round(duration * rate))
        part, same = decode_pcm(data, start, duration).samples, whole.samples[first:][:length]
        assert part.shape == same.shape
        np.testing.assert_allclose(part, same, atol=1e-3 if sound == "libopus" else 0)


def test_one_channel_is_made_of_two_and_resampled_to_the_exact_length() -> None:
    data, _ = made("mp4", "aac", seconds=2.0)
    sound = decode_audio(data, 16_000, 0.5, 1.0)
    assert (len(sound.samples), sound.source_rate_hz, sound.source_channels) == (16_000, RATE, 2)
    pcm = decode_pcm(data, 0.5, 1.0)
    np.testing.assert_array_equal(pcm.mono.resampled(16_000).samples, sound.samples)


def test_what_a_clip_throws_away_is_not_decoded() -> None:
    data, rate = made("mp4", "aac", seconds=60.0)
    whole = decode_pcm(data)
    counting = Counting(data)
    clip = decode_pcm(counting, 30.0, 10.0)
    np.testing.assert_array_equal(clip.samples, whole.samples[30 * rate : 40 * rate])
    assert counting.bytes_read < 0.5 * len(data)
    assert seconds_of(decode_pcm, counting, 30.0, 10.0) < 0.5 * seconds_of(decode_pcm, counting)


def test_a_sound_that_begins_late_begins_with_silence() -> None:
    data, rate = made("mp4", "flac", seconds=3.0, sound_delay_seconds=0.5)
    whole = decode_pcm(data).samples
    late = rate // 2
    assert not whole[: late - 100].any()
    np.testing.assert_allclose(whole[late:], chirp(3), atol=2**-15)
    np.testing.assert_array_equal(decode_pcm(data, 0.25, 1.0).samples, whole[rate // 4 :][:rate])
    np.testing.assert_array_equal(decode_pcm(data, 2.0, 1.0).samples, whole[2 * rate :][:rate])


def test_a_fragmented_mp4_is_read_as_well() -> None:
    options = {"movflags": "frag_keyframe+empty_moov"}
    data, rate = made("mp4", "aac", options=options)
    whole = decode_pcm(data).samples
    assert len(whole) >= 8 * rate
    clip = decode_pcm(data, 5.0, 2.0).samples
    np.testing.assert_array_equal(clip, whole[5 * rate : 7 * rate])


def test_a_live_stream_has_no_length_and_is_read_as_well() -> None:
    data, rate = made("webm", "libopus", options={"live": "1"})
    whole = decode_pcm(data).samples
    assert len(whole) == 8 * rate
    clip = decode_pcm(data, 5.0, 2.0).samples
    np.testing.assert_allclose(clip, whole[5 * rate : 7 * rate], atol=1e-3)


@pytest.mark.parametrize(("kind", "sound"), [("mp4", "aac"), ("matroska", "aac")])
def test_a_clip_after_the_end_is_refused(kind: str, sound: str) -> None:
    data, _ = made(kind, sound, seconds=2.0)
    for start in (2.5, 100.0, 1e300):
        with pytest.raises(
            MediaError, match=r"^empty clip: it starts at .* s, the sound ends at 2(\.\d+)? s$"
        ):
            decode_pcm(data, start)


@pytest.mark.parametrize("kind", ["mp4", "matroska"])  # the first says how long it is, the second does not
def test_a_sound_too_long_is_not_decoded_to_its_end(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("safe_data.media.sound.MAX_CLIP_SECONDS", 3)
    data, _ = made(kind, "flac", seconds=8.0)
    with pytest.raises(
        MediaError, match=r"^sound too long: [38] s of 2 channels at 44100 Hz; name a clip of up to 3"
    ):
        decode_pcm(data)
    assert len(decode_pcm(data, 4.0, 3.0).samples) == 3 * RATE


def test_a_video_without_a_sound_says_so() -> None:
    with pytest.raises(MediaError, match=r"^no sound: the video is silent$"):
        decode_audio(video_bytes(sound=None, seconds=0.5))


def test_other_codecs_are_named() -> None:
    data = video_bytes("avi", None, "wmav2", seconds=0.5)
    with pytest.raises(MediaError, match=r"^unknown codec: wmav2; use one of aac, aac_latm, ac3, "):
        decode_audio(data)


def test_the_same_clip_is_the_same_samples_twice() -> None:
    data, _ = made("mp4", "aac", seconds=4.0)
    first, second = (decode_pcm(io.BytesIO(data), 1.5, 1.0) for _ in range(2))
    assert isinstance(first, Pcm)
    assert first.samples.tobytes() == second.samples.tobytes()


@pytest.mark.parametrize(
    ("sound", "bits"), [("pcm_s16be", 16), ("pcm_s24le", 24), ("pcm_s32le", None), ("pcm_f64le", None)]
)
def test_the_depth_that_holds_the_samples_is_known(sound: str, bits: int | None) -> None:
    pcm = decode_pcm(video_bytes("mov", None, sound, seconds=0.5))
    assert (pcm.bits, len(pcm.samples)) == (bits, RATE // 2)
    np.testing.assert_allclose(pcm.samples, chirp(0.5), atol=2**-15)


def test_time_stamps_that_go_back_are_damage() -> None:
    data = bytearray(video_bytes("flv", None, "pcm_s16le", seconds=1))
    tag, tags = 13, []
    while tag < len(data):
        tags.append(tag)
        tag += 15 + int.from_bytes(data[tag + 1 : tag + 4])
    data[tags[20] + 4 : tags[20] + 7] = bytes(3)
    with pytest.raises(MediaError, match=r"^damaged sound: its time jumps back to 0 s$"):
        decode_pcm(bytes(data))


def test_time_stamps_that_run_too_slowly_are_damage() -> None:
    """Of frames a twelfth of their length apart, most would be replaced by the next."""
    data = video_bytes("webm", None, "libopus", seconds=1.2, rate=48_000, options={"live": "1"})
    scale = data.index(b"\x2a\xd7\xb1\x83\x0f\x42\x40") + 4
    with pytest.raises(MediaError, match=r"^damaged sound: 0\.55\d* s of its frames overlap$"):
        decode_pcm(data[:scale] + b"\x01" + data[scale + 1 :])

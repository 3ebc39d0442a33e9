"""The measured facts about media agree with sounds and pictures made to have them."""

import io

import numpy as np
import pytest
from folders import picture_bytes, sound_bytes
from PIL import Image, ImageEnhance

from safe_data.media.decode import decode_pcm
from safe_data.media.measure import difference_hash, measure_image, measure_sound
from safe_data.media.picture import decode_image
from safe_data.media.sound import Pcm

RATE = 8000


def facts_of(samples: np.ndarray, rate: int = RATE):
    columns = samples.reshape(len(samples), -1).astype(np.float32)
    return measure_sound(Pcm(columns, rate, "wav"))


def test_a_full_scale_square_wave_is_at_zero_db_and_clipped() -> None:
    facts = facts_of(np.tile([1.0, -1.0], 4000))
    assert (facts.rms_db, facts.peak, facts.clipped_fraction) == (0.0, 1.0, 1.0)
    assert (facts.duration_seconds, facts.sample_rate_hz, facts.channels) == (1.0, RATE, 1)
    assert facts.silence_fraction == 0.0


def test_half_the_amplitude_is_six_db_less() -> None:
    assert facts_of(np.full(RATE, 0.5)).rms_db == pytest.approx(20 * np.log10(0.5), abs=1e-3)


def test_silence_has_a_level_and_is_silent() -> None:
    facts = facts_of(np.zeros(RATE))
    assert (facts.rms_db, facts.peak, facts.silence_fraction, facts.snr_db) == (-120.0, 0.0, 1.0, 0.0)


def test_silence_fraction_counts_the_quiet_frames() -> None:
    samples = np.zeros(RATE)
    samples[: RATE // 4] = 0.1
    assert facts_of(samples).silence_fraction == 0.75


def test_snr_is_loud_frames_against_quiet_ones() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(RATE * 4) * 0.01
    noise[: RATE * 2] += rng.standard_normal(RATE * 2) * 0.1
    assert facts_of(noise).snr_db == pytest.approx(20, abs=1.5)
    assert facts_of(noise[:500]).snr_db is None  # two frames have no percentiles worth the name


def test_clipping_is_seen_in_one_channel_of_two() -> None:
    stereo = np.stack([np.full(RATE, 1.0), np.full(RATE, -1.0)], axis=1)
    facts = facts_of(stereo)
    assert (facts.channels, facts.clipped_fraction, facts.rms_db) == (2, 1.0, -120.0)


def test_one_sound_in_two_lossless_files_has_one_pcm_hash() -> None:
    samples = np.random.default_rng(1).integers(-9000, 9000, RATE, dtype=np.int16)
    wav, flac = (measure_sound(decode_pcm(sound_bytes(samples, kind=kind))) for kind in ("WAV", "FLAC"))
    assert wav == flac
    other = measure_sound(decode_pcm(sound_bytes(samples, rate=16000)))
    assert other.pcm_sha256 != wav.pcm_sha256  # the same numbers at another rate are another sound


def test_one_picture_in_two_files_has_one_pixel_hash() -> None:
    opaque = measure_image(decode_image(picture_bytes(colour=(9, 8, 7))))
    with_alpha = measure_image(decode_image(picture_bytes(mode="RGBA", colour=(9, 8, 7, 255))))
    assert opaque == with_alpha
    assert (opaque.image_width, opaque.image_height) == (8, 8)
    assert measure_image(decode_image(picture_bytes(colour=(9, 8, 6)))) != opaque


def scene(seed: int) -> Image.Image:
    """Soft blobs, as different from one another as photographs are."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
    return Image.fromarray(coarse).resize((320, 240), Image.Resampling.BICUBIC)


def bits_apart(one: Image.Image, other: Image.Image) -> int:
    return (int(difference_hash(one), 16) ^ int(difference_hash(other), 16)).bit_count()


def test_similar_pictures_have_similar_hashes_and_others_do_not() -> None:
    pictures = [scene(seed) for seed in range(20)]
    for picture in pictures:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=40)
        assert bits_apart(picture, Image.open(file)) <= 3
        assert bits_apart(picture, picture.resize((97, 71))) <= 4
        assert bits_apart(picture, ImageEnhance.Brightness(picture).enhance(0.7)) <= 3
    apart = [bits_apart(one, other) for i, one in enumerate(pictures) for other in pictures[:i]]
    assert min(apart) > 8
    assert 24 < np.mean(apart) < 40


def test_the_hash_says_where_it_gets_brighter() -> None:
    ramp = Image.fromarray(np.tile(np.linspace(0, 255, 90).astype(np.uint8), (80, 1))).convert("RGB")
    assert difference_hash(ramp) == "f" * 16
    assert difference_hash(ramp.transpose(Image.Transpose.FLIP_LEFT_RIGHT)) == "0" * 16
    below = ramp.copy()
    below.paste((0, 0, 0), (0, 0, 90, 40))
    assert difference_hash(below) == "0" * 8 + "f" * 8
    assert difference_hash(Image.new("RGB", (3, 2))) == "0" * 16

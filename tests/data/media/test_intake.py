"""One pass over the blocks of a clip gives what decoding it at once gives, bit for bit."""

import io
import warnings

import numpy as np
import pytest
import soxr
from folders import sound_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from safe_data.core.errors import MediaError
from safe_data.media import sound_stream
from safe_data.media.decode import decode_audio, decode_pcm, opened_sound
from safe_data.media.intake import Intake, Resampled, hear
from safe_data.media.measure import measure_sound, pcm_hash, rms_db
from safe_data.media.sound import Pcm, resample, to_mono

RATES = (8_000, 16_000, 44_100, 48_000)


@pytest.mark.parametrize(
    ("kind", "subtype"), [("WAV", "PCM_16"), ("WAV", "FLOAT"), ("FLAC", "PCM_24"), ("OGG", None)]
)
def test_what_is_heard_equals_the_decoded_clip(
    kind: str, subtype: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples = 0.3 * np.random.default_rng(0).standard_normal((30_000, 2))
    data = sound_bytes(samples, rate=44_100, kind=kind, subtype=subtype)
    expected = {rate: decode_audio(data, rate).samples for rate in RATES}
    pcm = decode_pcm(data)
    monkeypatch.setattr(sound_stream, "BLOCK_SAMPLES", 4_000)
    with opened_sound(io.BytesIO(data)) as sound:
        intake = Intake(sound, RATES)
        for block in sound.blocks():
            assert block.size <= 4_000
            intake.add(block)
    heard = intake.heard()
    with opened_sound(io.BytesIO(data)) as sound:
        again = hear(sound, RATES)
    for rate in RATES:
        assert heard[rate].tobytes() == again[rate].tobytes() == expected[rate].tobytes()
    facts = intake.facts()
    assert facts == measure_sound(pcm)
    assert facts.pcm_sha256 == pcm_hash(pcm.stored, 44_100)
    assert facts.rms_db == rms_db(np.square(pcm.mono.samples, dtype=np.float64))
    assert facts.duration_seconds == 30_000 / 44_100


@settings(max_examples=30, deadline=None)
@given(
    rates=st.sampled_from(
        [(44_100, 8_000), (8_000, 48_000), (96_000, 16_000), (1_000, 48_000), (44_101, 8_000)]
    ),
    frames=st.integers(1, 30_000),
    block=st.integers(1, 9_000).filter(lambda block: block > 200),
    expected=st.integers(0, 40_000),
)
def test_blocks_are_resampled_like_the_whole(
    rates: tuple[int, int], frames: int, block: int, expected: int
) -> None:
    samples = np.random.default_rng(frames).standard_normal(frames).astype(np.float32)
    resampled = Resampled(*rates, expected)
    for first in range(0, frames, block):
        resampled.add(samples[first : first + block])
    assert resampled.samples().tobytes() == resample(samples, *rates).tobytes()


@settings(max_examples=40, deadline=None)
@given(
    frames=st.integers(1, 3_000),
    channels=st.integers(1, 3),
    block=st.integers(1, 900).map(lambda block: max(block, 40)),
    kind=st.sampled_from(["int16", "whole", "whole, then not", "float"]),
)
def test_facts_do_not_depend_on_the_blocks(frames: int, channels: int, block: int, kind: str) -> None:
    integers = np.random.default_rng(frames).integers(-(2**15), 2**15, (frames, channels)).astype(np.int16)
    samples = integers if kind == "int16" else integers.astype(np.float32) / np.float32(2**15)
    if kind == "whole, then not":
        samples[-1, -1] = 1e-6
    if kind == "float":
        samples = np.float32(1.01) * samples
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sound_stream, "BLOCK_SAMPLES", block * channels)
        in_blocks = measure_sound(Pcm(samples, 8_000, None))
    at_once = measure_sound(Pcm(samples, 8_000, None))
    assert in_blocks == at_once
    assert in_blocks.pcm_sha256 == pcm_hash(samples, 8_000)
    if kind in ("int16", "whole"):
        assert in_blocks.pcm_sha256 == pcm_hash(integers, 8_000)
    power = np.square(to_mono(samples), dtype=np.float64)
    length = min(frames, 200)
    levels = 10 * np.log10(np.maximum(power[: frames // length * length].reshape(-1, length).mean(1), 1e-12))
    assert in_blocks.rms_db == rms_db(power)
    assert in_blocks.silence_fraction == round(float((levels < -60).mean()), 6)
    if len(levels) >= 4:
        spread = np.percentile(levels, 95) - np.percentile(levels, 10)
        assert in_blocks.snr_db == round(float(spread), 3)
    loud = np.abs(samples / np.float32(2**15) if kind == "int16" else samples) >= np.float32(0.999)
    assert in_blocks.clipped_fraction == round(float(loud.mean()), 6)


class _Seen:
    """A check that remembers what it was given, and refuses a number of frames."""

    def __init__(self, refused: int = -1) -> None:
        self.frames, self.refused, self.ended = 0, refused, False

    def add(self, block: np.ndarray) -> None:
        self.frames += len(block)

    def finish(self) -> None:
        self.ended = True
        if self.frames == self.refused:
            raise MediaError("damaged sound: so many frames")


def test_checks_see_every_block_and_the_end() -> None:
    from dataclasses import replace

    data = sound_bytes(np.zeros((100_000, 2)))
    for refused in (-1, 100_000):
        check = _Seen(refused)
        with opened_sound(io.BytesIO(data)) as sound:
            blocks = replace(sound, checks=(check,)).blocks()
            if refused > 0:
                with pytest.raises(MediaError, match="so many frames"):
                    list(blocks)
            else:
                assert sum(len(block) for block in blocks) == 100_000
        assert (check.frames, check.ended) == (100_000, True)


def test_mono_is_the_mean_of_the_channels_to_the_bit() -> None:
    rng = np.random.default_rng(0)
    for channels in (1, 2, 3, 4, 6, 7, 64):
        integers = rng.integers(-(2**15), 2**15, (500, channels)).astype(np.int16)
        for samples in (integers, rng.standard_normal((500, channels)).astype(np.float32)):
            mono = samples[:, 0].astype(np.float32)
            for channel in range(1, channels):
                mono += samples[:, channel]
            if samples.dtype == np.int16:
                mono *= np.float32(2**-15)
            mono /= np.float32(channels)
            np.testing.assert_array_equal(to_mono(samples), mono)


def test_a_resampler_ends_like_soxr_itself() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        samples = np.ones(5, np.float32)
        resampled = Resampled(8_000, 48_000, 5)
        resampled.add(samples)
        np.testing.assert_array_equal(resampled.samples(), soxr.resample(samples, 8_000, 48_000)[:30])

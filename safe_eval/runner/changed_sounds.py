"""Changed sounds: what a condition makes of the samples of a sound, the same to the bit on any machine.

Filters add up integers, whose sums have no rounding; only `codec_mp3` and sounds at rates that MP3 does not
have depend on the libraries that do it (LAME, FFmpeg's integer decoder, soxr).
"""

import hashlib
import io
import math
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Float32, Int64
from numpy import ndarray
from numpy.random import Generator

from safe_data.media.sound import Sound, resample

Waveform = Float32[ndarray, " samples"]

REVERB_SECONDS = 0.8  # until the hall is 60 dB quieter
REVERB_ECHOES_HZ = 1000  # echoes a second; from so many on, single ones are not heard
LOWPASS_TAPS = 255
_FRACTION_BITS = 20  # of samples as integers: 120 dB below full scale
_TAP_BITS = 20
_MP3_RATES_HZ = (48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_MP3_KBPS = {  # of one channel, by the least rate of the version of MPEG
    32000: (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    16000: (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    8000: (8, 16, 24, 32, 40, 48, 56, 64),
}


def noise(sound: Waveform, rng: Generator) -> Waveform:
    """White Gaussian noise with the length and the RMS of a sound."""
    white = rng.standard_normal(len(sound))
    scale = rms(sound) / rms(white) if len(sound) else 0.0
    return (white * scale).astype(np.float32)


def with_noise(sound: Waveform, rng: Generator, snr_db: float) -> Waveform:
    """A sound with white Gaussian noise so many dB below it."""
    return sound + noise(sound, rng) * np.float32(10 ** (-snr_db / 20))


def lowpass(sound: Sound, cutoff_hz: float) -> Waveform:
    """A sound without what lies above a frequency, at which it is 6 dB quieter.

    A filter of 255 taps, a sinc below a Blackman window: 70 dB quieter from `cutoff_hz` + 0.011 × rate on. It
    has no delay. A sound that has nothing above the frequency stays as it is.
    """
    if 2 * cutoff_hz >= sound.sample_rate_hz:
        return sound.samples
    taps = _lowpass_taps(cutoff_hz / sound.sample_rate_hz)
    filtered = np.convolve(_integers(sound.samples), taps)[LOWPASS_TAPS // 2 :][: len(sound.samples)]
    return _floats(filtered, _FRACTION_BITS + _TAP_BITS)


@lru_cache(maxsize=64)
def _lowpass_taps(cutoff: float) -> Int64[ndarray, " taps"]:
    """The taps as integers; `cutoff` in cycles per sample."""
    places = np.arange(LOWPASS_TAPS) - LOWPASS_TAPS // 2
    taps = np.sinc(2 * cutoff * places) * np.blackman(LOWPASS_TAPS)
    whole: Int64[ndarray, " taps"] = np.rint(taps / taps.sum() * 2**_TAP_BITS).astype(np.int64)
    return whole


def reverb(sound: Sound) -> Waveform:
    """A sound as in a hall, as loud as before and as long: what would ring on after its end is cut off.

    The echoes are velvet noise: in each of 1000 parts of a second one at a random place and of a random sign,
    the same in every sound, decaying by 60 dB in 0.8 seconds, and 6 dB below the sound together.

    Source: Karjalainen & Järveläinen 2007, Reverberation modeling using velvet noise.
    """
    samples = _integers(sound.samples)
    heard = samples << 15
    for delay, gain in _echoes(sound.sample_rate_hz):
        if delay < len(samples):
            heard[delay:] += gain * samples[: len(samples) - delay]
    changed = heard / 2.0 ** (_FRACTION_BITS + 15)
    before, after = rms(sound.samples), rms(changed)
    return (changed * (before / after if after else 0.0)).astype(np.float32)


@lru_cache(maxsize=8)
def _echoes(rate_hz: int) -> tuple[tuple[int, int], ...]:
    """The delay in samples of each echo, and its gain where 2¹⁵ is that of the sound itself."""
    rng = np.random.default_rng(0)
    count = round(REVERB_SECONDS * REVERB_ECHOES_HZ)
    seconds = (np.arange(count) + rng.random(count)) / REVERB_ECHOES_HZ
    decay = 10 ** (-3 * seconds / REVERB_SECONDS)
    gains = np.where(rng.random(count) < 0.5, -1, 1) * decay * 0.5 / math.sqrt(math.fsum(decay**2))
    delays = np.maximum(1, np.rint(seconds * rate_hz))
    return tuple(zip(delays.astype(int).tolist(), np.rint(gains * 2**15).astype(int).tolist(), strict=True))


def clip(sound: Sound, seconds: float) -> Waveform:
    """The first seconds of a sound, at least one sample; a shorter one stays as it is."""
    return sound.samples[: max(1, round(seconds * sound.sample_rate_hz))]


def shift(sound: Sound, milliseconds: float) -> Waveform:
    """A sound that begins later, or earlier if negative; as long as before, and silent where nothing is."""
    shifted = np.zeros_like(sound.samples)
    by = round(milliseconds * sound.sample_rate_hz / 1000)
    kept = max(0, len(shifted) - abs(by))
    if by >= 0:
        shifted[len(shifted) - kept :] = sound.samples[:kept]
    else:
        shifted[:kept] = sound.samples[len(shifted) - kept :]
    return shifted


def codec_mp3(sound: Sound, kbps: int) -> Waveform:
    """A sound as MP3 at a constant rate plays it, as long as before and without delay.

    It is encoded at its own rate, or where MP3 does not have it at the next one it has.

    Raises:
        ValueError: MP3 has no such rate for a sound of this sample rate.
    """
    rate = min((r for r in _MP3_RATES_HZ if r >= sound.sample_rate_hz), default=_MP3_RATES_HZ[0])
    allowed = next(rates for least, rates in _MP3_KBPS.items() if rate >= least)
    if kbps not in allowed:
        raise ValueError(
            f"codec_mp3_{kbps}: MP3 at {rate} Hz has {', '.join(map(str, allowed))} kbps; choose one of these"
        )
    if not len(sound.samples):
        return sound.samples
    played = _played(_encoded(resample(sound.samples, sound.sample_rate_hz, rate), rate, kbps))
    back = resample(played, rate, sound.sample_rate_hz)[: len(sound.samples)]
    return np.pad(back, (0, len(sound.samples) - len(back)))


def _encoded(samples: Waveform, rate_hz: int, kbps: int) -> bytes:
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp3") as container:
        stream = container.add_stream("libmp3lame", rate=rate_hz, layout="mono")
        stream.bit_rate = 1000 * kbps
        whole = np.rint(np.clip(samples, -1, 1) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(whole[None], format="s16p", layout="mono")
        frame.sample_rate = rate_hz
        frame.pts = 0
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)
    return file.getvalue()


def _played(mp3: bytes) -> Waveform:
    """Decode with integers; what the encoder put in front is left out, as its header says."""
    import av

    with av.open(io.BytesIO(mp3), "r", format="mp3") as container:
        stream = container.streams.audio[0]
        decoder = av.CodecContext.create("mp3", "r")
        decoder.extradata = stream.codec_context.extradata
        parts = [
            frame.to_ndarray().reshape(-1)
            for packet in container.demux(stream)
            for frame in decoder.decode(packet if packet.size else None)
        ]
    return np.concatenate(parts).astype(np.float32) / np.float32(32768)


def rms(sound: Float[ndarray, " samples"]) -> float:
    """The root of the mean square; its sum is exact, in whatever order a machine adds."""
    squares = np.square(sound, dtype=np.float64)
    return math.sqrt(math.fsum(squares.tolist()) / len(squares)) if len(squares) else 0.0


def record_rng(seed: int, record_id: str) -> Generator:
    """A generator for one record, whatever its place in the dataset or in a batch."""
    return np.random.default_rng([seed, int.from_bytes(hashlib.sha256(record_id.encode()).digest()[:8])])


def is_dropped(seed: int, record_id: str, modality: str, percent: float) -> bool:
    """Whether a modality of a record is dropped; what is dropped at 20 % is dropped at 50 % too.

    >>> [is_dropped(0, "clip-1", "sound", percent) for percent in (0, 100)]
    [False, True]
    """
    drawn = int.from_bytes(hashlib.sha256(f"{seed} {record_id} {modality}".encode()).digest()[:8])
    return drawn < percent / 100 * 2**64


def _integers(samples: Waveform) -> Int64[ndarray, " samples"]:
    whole: Int64[ndarray, " samples"] = np.rint(samples.astype(np.float64) * 2**_FRACTION_BITS).astype(
        np.int64
    )
    return whole


def _floats(integers: Int64[ndarray, " samples"], bits: int) -> Waveform:
    return (integers / 2.0**bits).astype(np.float32)

"""Speakers: who says a sentence in the speech world: espeak-ng where it is installed, or a made voice.

The made voice (`murmur`) has pitch, formants and syllables, and no words. What espeak-ng says depends on its
version, which a world therefore states: another version makes another world.
"""

import io
import shutil
import subprocess
from typing import Literal, NamedTuple, get_args

import numpy as np
import soundfile
import soxr
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError, did_you_mean
from safe_data.sources.synthetic.murmur import draw_murmur

Asked = Literal["auto", "espeak-ng", "formants"]
AUTO: Asked = "auto"
ESPEAK_NG, FORMANTS = "espeak-ng", "formants"
SAMPLE_RATE_HZ = 16_000

# Accents, and the speakers of each, that every espeak-ng comes with.
_ACCENTS = ("en-gb", "en-us", "en-gb-scotland", "en-029")
_PERSONS = ("m1", "m2", "m3", "m4", "m5", "m6", "m7", "f1", "f2", "f3", "f4", "f5")
_SLOWEST, _FASTEST = 120, 210  # words a minute
_LOWEST_PITCH, _HIGHEST_PITCH = 25, 75  # on espeak-ng's scale from 0 to 99
_SHORTEST_SECONDS, _LONGEST_SECONDS = 1.6, 2.6  # of the made voice
_PATIENCE_SECONDS = 60

_WORDS = (
    ("a", "the", "this", "every", "one", "our"),
    ("green", "quiet", "heavy", "little", "broken", "modern", "golden", "empty"),
    ("boat", "teacher", "garden", "kitchen", "window", "mountain", "farmer", "engine", "letter", "cousin"),
    ("waits", "moves", "stays", "listens", "falls", "arrives", "rests", "belongs"),
    ("near", "behind", "above", "without", "under", "beside"),
    ("a", "the", "that", "some", "their", "no"),
    ("narrow", "silver", "foreign", "gentle", "yellow", "simple", "frozen", "famous"),
    ("bridge", "village", "river", "market", "station", "forest", "table", "island", "valley", "ship"),
)

Samples = Float[ndarray, " samples"]


class Utterance(NamedTuple):
    """What a voice said, at 16 kHz; a made voice says no sentence."""

    samples: Samples
    voice: str
    sentence: str | None
    words_per_minute: int | None


def find_speaker(asked: str = AUTO) -> str:
    """The speaker that is asked for, with its version; `auto` is espeak-ng, or formants where it is missing.

    Raises:
        InputError: there is no such speaker, or espeak-ng is asked for and not installed.
    """
    if asked not in get_args(Asked):
        hint = did_you_mean(asked, get_args(Asked), f"choose from {', '.join(get_args(Asked))}")
        raise InputError(f"speaker={asked!r}: no such speaker; {hint}")
    if asked == FORMANTS:
        return FORMANTS
    program = shutil.which(ESPEAK_NG)
    if program is not None:
        return f"{ESPEAK_NG} {_version(program)}"
    if asked == AUTO:
        return FORMANTS
    raise InputError(
        f"speaker={asked}: espeak-ng is not installed; install it (`apt-get install espeak-ng`), or choose "
        f"{FORMANTS}, a made voice"
    )


def draw_utterance(speaker: str, rng: np.random.Generator) -> Utterance:
    """Have a speaker of `find_speaker` say a sentence that is drawn, by a voice that is drawn.

    Raises:
        InputError: espeak-ng fails.
    """
    if speaker == FORMANTS:
        seconds = rng.uniform(_SHORTEST_SECONDS, _LONGEST_SECONDS)
        return Utterance(
            draw_murmur(round(seconds * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ, rng), FORMANTS, None, None
        )
    sentence = draw_sentence(rng)
    voice = f"{_one(_ACCENTS, rng)}+{_one(_PERSONS, rng)}"
    rate = int(rng.integers(_SLOWEST, _FASTEST + 1))
    pitch = int(rng.integers(_LOWEST_PITCH, _HIGHEST_PITCH + 1))
    return Utterance(_spoken(sentence, voice, rate, pitch), voice, sentence, rate)


def draw_sentence(rng: np.random.Generator) -> str:
    """A sentence of eight words; there are some ten million.

    >>> draw_sentence(np.random.default_rng(0))
    'our modern mountain stays behind a narrow bridge'
    """
    return " ".join(_one(words, rng) for words in _WORDS)


def _spoken(sentence: str, voice: str, rate: int, pitch: int) -> Samples:
    options = ["-v", voice, "-s", str(rate), "-p", str(pitch)]
    wave = _run([ESPEAK_NG, *options, "--stdin", "--stdout"], sentence.encode())
    # Its WAV is a stream: the header has a length that no file has, and samples of 16 bits follow it.
    try:
        rate_hz = soundfile.info(io.BytesIO(wave)).samplerate
        samples = np.frombuffer(wave[wave.index(b"data") + 8 :], "<i2") / 32768
    except (soundfile.LibsndfileError, ValueError) as error:
        raise InputError(f"{ESPEAK_NG} -v {voice}: did not write a WAV file: {error}") from None
    return np.asarray(soxr.resample(samples, rate_hz, SAMPLE_RATE_HZ), np.float64)


def _version(program: str) -> str:
    """The version of espeak-ng: `eSpeak NG text-to-speech: 1.51  Data at: …` is 1.51."""
    said = _run([program, "--version"], b"").decode("utf-8", "replace")
    return said.partition(":")[2].split("Data at")[0].strip() or "unknown"


def _run(command: list[str], said: bytes) -> bytes:
    """What a program writes, given this on its standard input.

    Raises:
        InputError: it fails, or does not end.
    """
    shown = " ".join(command)
    try:
        done = subprocess.run(command, input=said, capture_output=True, timeout=_PATIENCE_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"`{shown}` failed: {error}; choose speaker {FORMANTS}") from None
    if done.returncode:
        told = " ".join(done.stderr.decode("utf-8", "replace").split())[:200]
        raise InputError(f"`{shown}` failed: {told or done.returncode}; choose speaker {FORMANTS}")
    return done.stdout


def _one(values: tuple[str, ...], rng: np.random.Generator) -> str:
    return values[int(rng.integers(len(values)))]

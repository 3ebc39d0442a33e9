"""The speech world: short sounds in noise, half of them speech, of which each clip is asked whether it is.

A group is one utterance (a voice and a sentence) or one sound that is no speech. Its clips are excerpts of
it, one of each duration, at signal-to-noise ratios that take turns; so a split by group never has one
utterance on both sides. A clip is a second of noise, louder or softer, with the excerpt anywhere in it. Only
the excerpt tells the classes apart: durations, ratios, levels and places are distributed alike in both.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from jaxtyping import Float
from numpy import ndarray

from safe_data.core.errors import InputError
from safe_data.records import Event, Example
from safe_data.sources.synthetic.non_speech import NON_SPEECH, draw_non_speech
from safe_data.sources.synthetic.questions import about_speech
from safe_data.sources.synthetic.speakers import SAMPLE_RATE_HZ, Utterance, draw_utterance
from safe_data.sources.synthetic.worlds import World

SNRS_DB = (-20.0, -10.0, -5.0, 0.0, 5.0, 10.0)
DURATIONS_MS = (20, 40, 60, 80, 100, 200, 500, 1000)
CLIP_SECONDS = 1.0
FEWEST_CLIPS = 6 * len(DURATIONS_MS)  # three groups of each class, for three splits
SPOKEN = "voice"  # the kind of sound that is speech

_GROUP_STREAM, _CLIP_STREAM = 8, 9  # of random numbers; the other worlds and the toy's lessons have 1 to 7
_SOFTEST_DB, _LOUDEST_DB = -36.0, -30.0  # of the noise, dB of full scale
_FADE_SECONDS = 0.002
_HOP_SECONDS = 0.005
_AUDIBLE = 0.25  # least power of an excerpt, relative to the loudest of its length

Samples = Float[ndarray, " samples"]


class _Source(NamedTuple):
    """What the clips of a group are excerpts of."""

    group: str
    split: str
    kind: str
    samples: Samples
    said: dict[str, Any]


class _Mixed(NamedTuple):
    samples: Samples
    start: int
    end: int


def check_clips(clips: int) -> None:
    """Check that there are clips for three splits of both classes.

    Raises:
        InputError: there are too few.
    """
    if clips < FEWEST_CLIPS:
        raise InputError(
            f"clips={clips}: fewer than {FEWEST_CLIPS} do not fill three splits of speech and other sounds; "
            "ask for more"
        )


def speech_rows(root: Path, world: World, clips: int, seed: int, speaker: str) -> Iterator[dict[str, Any]]:
    """Write the sound of each clip; yield its row of metadata.jsonl."""
    size = len(DURATIONS_MS)
    for number in range(-(-clips // size)):
        source = _source(world, number, seed, speaker)
        for place in range(min(size, clips - number * size)):
            index = number * size + place
            rng = np.random.default_rng((seed, _CLIP_STREAM, index))
            # Speech and what is none take turns, so that both have each ratio at each duration.
            snr_db = SNRS_DB[(place + number // 2) % len(SNRS_DB)]
            yield _write_clip(root, f"clip-{index:05d}", world, source, DURATIONS_MS[place], snr_db, rng)


def _source(world: World, number: int, seed: int, speaker: str) -> _Source:
    """The utterance or other sound of a group: groups of both classes take turns, and get the same splits."""
    rng = np.random.default_rng((seed, _GROUP_STREAM, number))
    turn = number // 2
    split = world.splits[turn % len(world.splits)]
    if number % 2:
        kind = NON_SPEECH[turn % len(NON_SPEECH)]
        return _Source(f"{kind}-{number:04d}", split, kind, draw_non_speech(kind, rng), {})
    spoken = draw_utterance(speaker, rng)
    return _Source(f"{SPOKEN}-{number:04d}", split, SPOKEN, spoken.samples, _said(spoken))


def _said(spoken: Utterance) -> dict[str, Any]:
    facts = {
        "voice": spoken.voice,
        "sentence": spoken.sentence,
        "words_per_minute": spoken.words_per_minute,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _write_clip(
    root: Path,
    clip: str,
    world: World,
    source: _Source,
    duration_ms: int,
    snr_db: float,
    rng: np.random.Generator,
) -> dict[str, Any]:
    """Write the sound of a clip; return its row of metadata.jsonl."""
    mixed = _mix(_excerpt(source.samples, duration_ms, rng), snr_db, rng)
    with (root / "sounds" / f"{clip}.wav").open("wb") as file:
        pcm = np.round(mixed.samples * 32767).astype(np.int16)
        soundfile.write(file, pcm, SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
    asked = about_speech(is_speech=source.kind == SPOKEN)
    example = Example(
        id=f"{clip}-{asked.type}",
        task="classify",
        prompt=asked.prompt,
        references=(asked.answer,),
        choices=asked.choices,
        question_type=asked.type,
        needs_audio=True,
    )
    event = Event(label=source.kind, start=mixed.start / SAMPLE_RATE_HZ, end=mixed.end / SAMPLE_RATE_HZ)
    facts = {"kind": source.kind, "snr_db": snr_db, "duration_ms": duration_ms}
    return {
        "id": clip,
        "dataset": world.dataset,
        "split": source.split,
        "group": source.group,
        "label": asked.answer,
        "audio_file_name": f"sounds/{clip}.wav",
        "events": [event.model_dump(mode="json")],
        "examples": [example.model_dump(mode="json")],
        "metadata": {**facts, **source.said, "questions": {example.id: facts}},
    }


def _excerpt(samples: Samples, duration_ms: int, rng: np.random.Generator) -> Samples:
    """A part of a sound in which something is heard, faded so that its ends do not click."""
    length = round(duration_ms * SAMPLE_RATE_HZ / 1000)
    if len(samples) < length:  # a short utterance: silence before and behind it
        samples = np.pad(samples, -(-(length - len(samples)) // 2))
    energy = np.concatenate([[0.0], np.cumsum(samples**2)])
    starts = np.arange(0, len(samples) - length + 1, round(_HOP_SECONDS * SAMPLE_RATE_HZ))
    power = energy[starts + length] - energy[starts]
    audible = starts[power >= _AUDIBLE * power.max()]
    start = int(audible[rng.integers(len(audible))])
    fade = round(_FADE_SECONDS * SAMPLE_RATE_HZ)
    ramp = np.minimum(1.0, np.arange(1, length + 1) / fade)
    return samples[start : start + length] * ramp * ramp[::-1]


def _mix(excerpt: Samples, snr_db: float, rng: np.random.Generator) -> _Mixed:
    """A second of noise with the excerpt in it; the ratio is that of their powers where both are heard."""
    noise = rng.standard_normal(round(CLIP_SECONDS * SAMPLE_RATE_HZ))
    noise *= 10 ** (rng.uniform(_SOFTEST_DB, _LOUDEST_DB) / 20)
    start = int(rng.integers(len(noise) - len(excerpt) + 1))
    end = start + len(excerpt)
    wanted = 10 ** (snr_db / 10) * np.mean(noise[start:end] ** 2)
    whole = noise.copy()
    whole[start:end] += excerpt * np.sqrt(wanted / np.mean(excerpt**2))
    whole /= max(1.0, np.abs(whole).max())  # as a recorder turns down what would be cut off
    return _Mixed(whole, start, end)

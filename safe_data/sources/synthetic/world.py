"""The synthetic world: clips with a picture and a sound that are independent of each other.

It is written as an ordinary folder dataset (images/, sounds/, metadata.jsonl), so that everything from shards
to verdict runs on it without a download. Two questions per clip need only the picture, two need the sound.
Clips of a group share a place: its light, its noise and its split.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
from PIL import Image

from safe_data.core.errors import InputError, check_seed
from safe_data.core.files import committing_folder
from safe_data.records import Example
from safe_data.sources.synthetic.faults import plant
from safe_data.sources.synthetic.pictures import DARKEST, LIGHTEST, draw_scene, render
from safe_data.sources.synthetic.questions import Question, about_picture, about_sound, choose
from safe_data.sources.synthetic.sounds import MOST_EVENTS, NOISE_DB, SAMPLE_RATE_HZ, SOUNDS, play

DATASET = "synthetic"
FORMAT_VERSION = 1
FEWEST_CLIPS = 24

# A third of the groups is for testing: detecting a loss of half a percent takes over a thousand questions.
_SPLITS = ("train", "test", "train", "val", "train", "test")
_GROUP_SIZES = (2, 3, 4)
_KINDS_AND_COUNTS = [(sound, count) for sound in SOUNDS for count in range(1, MOST_EVENTS + 1)]


class _Place(NamedTuple):
    group: str
    split: str
    shade: float
    difficulty: str


def write_world(out: Path, *, clips: int, seed: int, faults: Mapping[str, int] | None = None) -> None:
    """Write the world of (clips, seed) to a new directory; do nothing if it is there already.

    With faults, they are planted in it and `faults.json` is the key to them (see `faults.plant`).

    Raises:
        InputError: there are too few clips for three splits or for the faults, the seed is negative, or the
            directory holds something else.
    """
    if clips < FEWEST_CLIPS:
        raise InputError(f"clips={clips}: fewer than {FEWEST_CLIPS} do not fill three splits; ask for more")
    check_seed(seed)
    world = {"dataset": DATASET, "format_version": FORMAT_VERSION, "clips": clips, "seed": seed}
    if faults:
        world["faults"] = dict(faults)
    if _holds(out, world):
        return
    sounds = {split: _sounds(split, seed) for split in _SPLITS}
    with committing_folder(out) as part:
        for name in ("images", "sounds"):
            (part / name).mkdir()
        with (part / "metadata.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            for index, place in enumerate(_places(clips, seed)):
                rng = np.random.default_rng((seed, 3, index))
                row = _write_clip(part, f"clip-{index:05d}", place, *next(sounds[place.split]), rng)
                file.write(json.dumps(row) + "\n")
        if faults:
            plant(part, faults, seed)
        (part / "world.json").write_text(json.dumps(world) + "\n", encoding="utf-8")


def _holds(out: Path, world: dict[str, Any]) -> bool:
    """Whether the directory holds exactly this world.

    Raises:
        InputError: it holds something else, which is never touched.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    marker = out / "world.json"
    found = marker.read_text(encoding="utf-8") if marker.is_file() else "no world.json"
    if found == json.dumps(world) + "\n":
        return True
    raise InputError(
        f"{out}: holds something else ({found.strip()[:200]}), not {json.dumps(world)}; "
        "choose another directory, or remove this one"
    )


def _places(clips: int, seed: int) -> Iterator[_Place]:
    """The place of each clip; two to four consecutive clips share one."""
    given = number = 0
    while given < clips:
        rng = np.random.default_rng((seed, 1, number))
        place = _Place(
            group=f"place-{number:05d}",
            split=_SPLITS[number % len(_SPLITS)],
            shade=rng.uniform(DARKEST, LIGHTEST),
            difficulty=list(NOISE_DB)[rng.integers(len(NOISE_DB))],
        )
        size = min(_GROUP_SIZES[rng.integers(len(_GROUP_SIZES))], clips - given)
        yield from [place] * size
        given, number = given + size, number + 1


def _sounds(split: str, seed: int) -> Iterator[tuple[str, int]]:
    """Kind and number of events for the clips of a split; every 24 clips have each combination once."""
    rng = np.random.default_rng((seed, 2, _SPLITS.index(split)))
    while True:
        yield from (_KINDS_AND_COUNTS[int(one)] for one in rng.permutation(len(_KINDS_AND_COUNTS)))


def _write_clip(
    root: Path, clip: str, place: _Place, kind: str, count: int, rng: np.random.Generator
) -> dict[str, Any]:
    """Write the picture and the sound of a clip; return its row of metadata.jsonl."""
    scene = draw_scene(rng)
    samples, events = play(kind, count, place.difficulty, rng)
    Image.fromarray(render(scene, place.shade, rng)).save(root / "images" / f"{clip}.png")
    with (root / "sounds" / f"{clip}.wav").open("wb") as file:
        soundfile.write(file, samples, SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
    seen = about_picture(scene)
    first = choose(seen, rng)
    second = choose([question for question in seen if question.type != first.type], rng)
    examples = [_example(clip, question, needs_audio=False) for question in (first, second)]
    examples += [_example(clip, question, needs_audio=True) for question in about_sound(kind, count)]
    return {
        "id": clip,
        "dataset": DATASET,
        "split": place.split,
        "group": place.group,
        "label": kind,
        "difficulty": place.difficulty,
        "image_file_name": f"images/{clip}.png",
        "audio_file_name": f"sounds/{clip}.wav",
        "events": [event.model_dump(mode="json") for event in events],
        "examples": [example.model_dump(mode="json") for example in examples],
    }


def _example(clip: str, question: Question, *, needs_audio: bool) -> Example:
    return Example(
        id=f"{clip}-{question.type}",
        task="vqa",
        prompt=question.prompt,
        references=(question.answer,),
        choices=question.choices,
        question_type=question.type,
        needs_audio=needs_audio,
    )

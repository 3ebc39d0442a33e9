"""The synthetic worlds: clips with a picture and a sound, which in the plain world are independent.

One is written as an ordinary folder dataset (images/, sounds/, metadata.jsonl), so that everything from
shards to verdict runs on it without a download. Two questions per clip are about the picture, two about the
sound. Clips of a group share a place: its light, its noise and its split. `worlds` says how worlds differ;
the speech world has no pictures, and its clips are made by `speech`.
"""

import json
from collections import Counter
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
from safe_data.sources.synthetic.hints import draw_heard, hints, stated
from safe_data.sources.synthetic.pictures import DARKEST, LIGHTEST, Scene, draw_scene, in_fog, render
from safe_data.sources.synthetic.questions import Question, about_picture, about_sound, choose
from safe_data.sources.synthetic.sounds import MOST_EVENTS, SAMPLE_RATE_HZ, SOUNDS, mix
from safe_data.sources.synthetic.speakers import AUTO, find_speaker
from safe_data.sources.synthetic.speech import check_clips, speech_rows
from safe_data.sources.synthetic.worlds import PLAIN, World, find_world

FEWEST_CLIPS = 24
ABOUT_EACH = 2  # questions of a clip about its picture, and as many about its sound

_FOG_STREAM = 7  # of random numbers; 1 to 3 are drawn here, 4 to 6 by faults and lessons
_KINDS_AND_COUNTS = [(sound, count) for sound in SOUNDS for count in range(1, MOST_EVENTS + 1)]


class _Place(NamedTuple):
    group: str
    split: str
    shade: float
    difficulty: str


def write_world(
    out: Path,
    *,
    clips: int,
    seed: int,
    world: str = PLAIN,
    faults: Mapping[str, int] | None = None,
    speaker: str = AUTO,
) -> None:
    """Write the world of (clips, seed, name) to a new directory; do nothing if it is there already.

    With faults, they are planted in it and `faults.json` is the key to them (see `faults.plant`). `speaker`
    says who speaks in the speech world (`speakers.find_speaker`).

    Raises:
        InputError: there is no such world or speaker, there are too few clips for its splits or for the
            faults, the seed is negative, or the directory holds something else.
    """
    found = find_world(world)
    spoken = _speaker(found, speaker, faults)
    if found.speech:
        check_clips(clips)
    elif clips < FEWEST_CLIPS:
        many = "three" if len(set(found.splits)) == 3 else "four"
        raise InputError(f"clips={clips}: fewer than {FEWEST_CLIPS} do not fill {many} splits; ask for more")
    check_seed(seed)
    about: dict[str, Any] = {"dataset": found.dataset, "format_version": found.format_version}
    if world != PLAIN:  # a plain world has the bytes that it had when it was the only one
        about["world"] = world
    about |= {"clips": clips, "seed": seed}
    if found.speech:
        about["speaker"] = spoken
    if faults:
        about["faults"] = dict(faults)
    if _holds(out, about):
        return
    with committing_folder(out) as part:
        for name in ("sounds",) if found.speech else ("images", "sounds"):
            (part / name).mkdir()
        made = (
            speech_rows(part, found, clips, seed, spoken) if found.speech else _rows(part, found, clips, seed)
        )
        with (part / "metadata.jsonl").open("w", encoding="utf-8", newline="\n") as file:
            for row in made:
                file.write(json.dumps(row) + "\n")
        if faults:
            plant(part, faults, seed)
        (part / "world.json").write_text(json.dumps(about) + "\n", encoding="utf-8")


def _speaker(world: World, asked: str, faults: Mapping[str, int] | None) -> str:
    """Who speaks in a world.

    Raises:
        InputError: see `find_speaker`; a speaker is asked for where nobody speaks, or faults where there are
            no pictures.
    """
    if world.speech and faults:
        raise InputError("faults: the speech world has no pictures to plant them in; choose another world")
    if not world.speech and asked != AUTO:
        raise InputError(
            f"speaker={asked}: nobody speaks in {world.dataset}; add --world speech, or leave it out"
        )
    return find_speaker(asked) if world.speech else AUTO


def _rows(root: Path, world: World, clips: int, seed: int) -> Iterator[dict[str, Any]]:
    """Write the picture and the sound of each clip; yield its row of metadata.jsonl."""
    decks = {split: _sounds(world, split, seed) for split in world.splits}
    for index, place in enumerate(_places(world, clips, seed)):
        rng, fog = (np.random.default_rng((seed, stream, index)) for stream in (3, _FOG_STREAM))
        scene = draw_scene(rng)
        # Where pictures say nothing about sounds, each combination of kind and number is equally frequent.
        heard = next(decks[place.split]) if world.true_hints is None else draw_heard(scene, world, rng)
        yield _write_clip(root, f"clip-{index:05d}", world, place, scene, heard, rng, fog)


def clips_of_splits(world: str, *, clips: int, seed: int) -> Counter[str]:
    """How many clips each split of a world with pictures has, without making it.

    Raises:
        InputError: there is no such world.

    >>> sorted(clips_of_splits("plain", clips=24, seed=0).items())
    [('test', 7), ('train', 13), ('val', 4)]
    """
    return Counter(place.split for place in _places(find_world(world), clips, seed))


def _holds(out: Path, about: dict[str, Any]) -> bool:
    """Whether the directory holds exactly this world.

    Raises:
        InputError: it holds something else, which is never touched.
    """
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    marker = out / "world.json"
    found = marker.read_text(encoding="utf-8") if marker.is_file() else "no world.json"
    if found == json.dumps(about) + "\n":
        return True
    raise InputError(
        f"{out}: holds something else ({found.strip()[:200]}), not {json.dumps(about)}; "
        "choose another directory, or remove this one"
    )


def _places(world: World, clips: int, seed: int) -> Iterator[_Place]:
    """The place of each clip; consecutive clips share one."""
    given = number = 0
    while given < clips:
        rng = np.random.default_rng((seed, 1, number))
        place = _Place(
            group=f"place-{number:05d}",
            split=world.splits[number % len(world.splits)],
            shade=rng.uniform(DARKEST, LIGHTEST),
            difficulty=world.difficulties[rng.integers(len(world.difficulties))],
        )
        size = min(world.group_sizes[rng.integers(len(world.group_sizes))], clips - given)
        yield from [place] * size
        given, number = given + size, number + 1


def _sounds(world: World, split: str, seed: int) -> Iterator[tuple[str, int]]:
    """Kind and number of events for the clips of a split; every 24 clips have each combination once."""
    rng = np.random.default_rng((seed, 2, world.splits.index(split)))
    while True:
        yield from (_KINDS_AND_COUNTS[int(one)] for one in rng.permutation(len(_KINDS_AND_COUNTS)))


def _write_clip(
    root: Path,
    clip: str,
    world: World,
    place: _Place,
    scene: Scene,
    heard: tuple[str | None, int],
    rng: np.random.Generator,
    fog_rng: np.random.Generator,
) -> dict[str, Any]:
    """Write the picture and the sound of a clip; return its row of metadata.jsonl."""
    kind, count = heard
    murmur = bool(world.murmuring) and bool(rng.random() < world.murmuring)
    mixed = mix(kind, count, place.difficulty, rng, murmur=murmur)
    picture = render(scene, place.shade, rng)
    # Fog has random numbers of its own, so that a world in fog is otherwise the same.
    fog = bool(fog_rng.random() < world.foggy)
    Image.fromarray(in_fog(picture, fog_rng) if fog else picture).save(root / "images" / f"{clip}.png")
    with (root / "sounds" / f"{clip}.wav").open("wb") as file:
        soundfile.write(file, mixed.samples, SAMPLE_RATE_HZ, format="WAV", subtype="PCM_16")
    seen = about_picture(scene)
    first = choose(seen, rng)
    second = choose([question for question in seen if question.type != first.type], rng)
    examples = [_example(clip, question, needs_audio=False) for question in (first, second)]
    asked = about_sound(kind, count, can_be_silent=world.has_silence)
    examples += [_example(clip, question, needs_audio=True) for question in asked]
    row = {
        "id": clip,
        "dataset": world.dataset,
        "split": place.split,
        "group": place.group,
        "label": kind,
        "difficulty": place.difficulty,
        "image_file_name": f"images/{clip}.png",
        "audio_file_name": f"sounds/{clip}.wav",
        "events": [event.model_dump(mode="json") for event in mixed.events],
        "examples": [example.model_dump(mode="json") for example in examples],
    }
    if world.is_plain:
        return row
    metadata = {"picture_tells": hints(scene), "fog": fog, "murmur": murmur}
    if mixed.snr_db is not None:
        metadata["snr_db"] = mixed.snr_db
    return {**row, "metadata": stated(row, metadata)}


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

"""The synthetic world: reproducible to the byte, split by group, fair, and true to its own answers."""

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from PIL import Image
from scipy.stats import chi2_contingency

from safe_data.core.errors import InputError
from safe_data.records import Record
from safe_data.sources.all_sources import SOURCES
from safe_data.sources.synthetic import world as world_writer
from safe_data.sources.synthetic.pictures import COLOURS, Thing, render
from safe_data.sources.synthetic.questions import NUMBERS, about_picture
from safe_data.sources.synthetic.sounds import SAMPLE_RATE_HZ, SOUNDS, play
from safe_data.sources.synthetic.world import write_world

CLIPS = 600


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("synthetic") / "world"
    write_world(root, clips=CLIPS, seed=3)
    return root


@pytest.fixture(scope="module")
def records(world: Path) -> list[Record]:
    read = list(SOURCES["folder"](world))
    assert all(isinstance(record, Record) for record in read)
    return [record for record in read if isinstance(record, Record)]


def files(root: Path) -> dict[str, bytes]:
    return {str(f.relative_to(root)): f.read_bytes() for f in sorted(root.rglob("*")) if f.is_file()}


def samples(world: Path, record: Record) -> np.ndarray:
    assert record.audio is not None
    return soundfile.read(world / record.audio.path, dtype="float64")[0]


# The same world every time


def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    write_world(tmp_path / "here", clips=30, seed=7)
    command = [str(Path(sys.executable).with_name("safe-data")), "synth", str(tmp_path / "there")]
    environment = {**os.environ, "PYTHONHASHSEED": "5"}
    subprocess.run([*command, "--clips", "30", "--seed", "7"], check=True, timeout=60, env=environment)
    here = files(tmp_path / "here")
    assert len(here) == 2 * 30 + 2
    assert files(tmp_path / "there") == here


def test_another_seed_writes_another_world(tmp_path: Path) -> None:
    for seed in (0, 1):
        write_world(tmp_path / str(seed), clips=24, seed=seed)
    first, second = files(tmp_path / "0"), files(tmp_path / "1")
    assert first.keys() == second.keys()
    assert not [name for name in first if first[name] == second[name]]


def test_a_world_that_is_there_is_left_alone(tmp_path: Path) -> None:
    write_world(tmp_path / "world", clips=24, seed=0)
    (tmp_path / "world" / "metadata.jsonl").write_text("mine now")
    write_world(tmp_path / "world", clips=24, seed=0)
    assert (tmp_path / "world" / "metadata.jsonl").read_text() == "mine now"


def test_anything_else_is_not_overwritten(tmp_path: Path) -> None:
    write_world(tmp_path / "world", clips=24, seed=0)
    with pytest.raises(
        InputError, match=r'"clips": 24, "seed": 0.*not .*"seed": 1.*choose another directory'
    ):
        write_world(tmp_path / "world", clips=24, seed=1)
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match=r"papers: holds something else \(no world.json\)"):
        write_world(tmp_path / "papers", clips=24, seed=0)
    assert files(tmp_path / "papers") == {"thesis.txt": b"years of work"}


def test_a_failure_while_writing_leaves_no_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = []

    def full_disk(*arguments: Any) -> object:
        if len(rendered) == 9:
            raise OSError("no space left on device")
        rendered.append(render(*arguments))
        return rendered[-1]

    monkeypatch.setattr(world_writer, "render", full_disk)
    with pytest.raises(OSError, match="no space"):
        write_world(tmp_path / "world", clips=24, seed=0)
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    write_world(tmp_path / "world", clips=24, seed=0)
    assert len(files(tmp_path / "world")) == 2 * 24 + 2
    assert [f.name for f in tmp_path.iterdir()] == ["world"]


@pytest.mark.parametrize(
    ("clips", "seed", "message"), [(23, 0, "clips=23: fewer than 24"), (24, -1, "seed=-1")]
)
def test_impossible_worlds_are_refused(tmp_path: Path, clips: int, seed: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_world(tmp_path / "world", clips=clips, seed=seed)
    assert not list(tmp_path.iterdir())


# Splits and balance


@pytest.mark.parametrize("seed", range(5))
def test_the_smallest_world_has_every_split(tmp_path: Path, seed: int) -> None:
    write_world(tmp_path / "world", clips=24, seed=seed)
    rows = [json.loads(line) for line in (tmp_path / "world" / "metadata.jsonl").read_text().splitlines()]
    assert {row["split"] for row in rows} == {"train", "val", "test"}


def test_a_group_stays_in_its_split(records: list[Record]) -> None:
    assert len(records) == CLIPS
    groups = defaultdict(list)
    for record in records:
        groups[record.group].append(record)
    assert all(len({(r.split, r.difficulty) for r in group}) == 1 for group in groups.values())
    assert {len(group) for group in list(groups.values())[:-1]} == {2, 3, 4}
    share = {split: n / CLIPS for split, n in Counter(record.split for record in records).items()}
    assert share == pytest.approx({"train": 1 / 2, "test": 1 / 3, "val": 1 / 6}, abs=0.04)


def test_each_split_has_every_sound_equally_often(records: list[Record]) -> None:
    for split in ("train", "val", "test"):
        heard = Counter((r.label, len(r.events)) for r in records if r.split == split)
        assert len(heard) == 6 * 4
        assert max(heard.values()) - min(heard.values()) <= 1


def test_no_answer_is_a_safe_guess(records: list[Record]) -> None:
    answers: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        for example in record.examples:
            answers[str(example.question_type)][example.references[0]] += 1
    often = {kind: max(counts.values()) / counts.total() for kind, counts in answers.items()}
    limits = {
        "sound": 0.2,
        "sound_count": 0.28,
        "colour": 0.35,
        "shape": 0.43,
        "count": 0.35,
        "count_shape": 0.45,
    }
    assert often.keys() == limits.keys()
    assert {kind: share for kind, share in often.items() if share > limits[kind]} == {}


def test_the_picture_says_nothing_about_the_sound(world: Path, records: list[Record]) -> None:
    table = np.zeros((4, 6), int)
    for record in records:
        table[len(colours_seen(world, record)) - 1, SOUNDS.index(str(record.label))] += 1
    assert chi2_contingency(table).pvalue > 0.01


# Questions, pictures and sounds agree


def colours_seen(world: Path, record: Record) -> list[str]:
    """The colour in each cell that is not grey, from the pixels alone."""
    pixels = np.asarray(Image.open(world / str(record.image)), int)
    assert pixels.shape == (32, 32, 3)
    cells = pixels.reshape(2, 16, 2, 16, 3).swapaxes(1, 2).reshape(4, 256, 3)
    seen = []
    for cell in cells:
        coloured = cell[np.ptp(cell, axis=1) > 80]
        if len(coloured) > 20:
            distance = {name: np.abs(coloured.mean(0) - rgb).sum() for name, rgb in COLOURS.items()}
            seen.append(min(distance, key=lambda name: distance[name]))
    return seen


def test_the_picture_shows_the_answers(world: Path, records: list[Record]) -> None:
    checked = Counter[str]()
    for record in records:
        seen = colours_seen(world, record)
        for example in record.examples:
            if example.question_type == "count":
                assert example.references == (NUMBERS[len(seen)],), record.id
            elif example.question_type == "colour":
                assert example.references[0] in seen, record.id
            elif example.question_type == "shape":
                assert seen.count(example.prompt.split()[4]) == 1, record.id
            checked[str(example.question_type)] += 1
    assert min(checked[kind] for kind in ("count", "colour", "shape")) > 100


@pytest.mark.parametrize(("shape", "fills"), [("square", 1.0), ("circle", np.pi / 4), ("triangle", 0.5)])
def test_shapes_fill_their_bounding_box_as_they_should(shape: str, fills: float) -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        inside = np.ptp(render((Thing(2, "red", shape),), 60.0, rng).astype(int), axis=2) > 80
        rows, columns = np.nonzero(inside)
        assert rows.min() >= 16
        assert columns.max() < 16
        assert inside.sum() / (np.ptp(rows) + 1) / (np.ptp(columns) + 1) == pytest.approx(fills, abs=0.12)


def test_questions_have_one_answer() -> None:
    scene = (Thing(0, "red", "circle"), Thing(1, "red", "square"), Thing(3, "blue", "square"))
    asked = {question.prompt: question.answer for question in about_picture(scene)}
    assert asked == {
        "how many objects are there ?": "three",
        "how many circles are there ?": "one",
        "how many squares are there ?": "two",
        "how many triangles are there ?": "zero",
        "what colour is the circle ?": "red",
        "what shape is the blue object ?": "square",
    }


def test_every_clip_has_two_questions_for_eyes_and_two_for_ears(records: list[Record]) -> None:
    ids = [example.id for record in records for example in record.examples]
    assert len(set(ids)) == len(ids) == 4 * CLIPS
    for record in records:
        assert [example.needs_audio for example in record.examples] == [False, False, True, True]
        assert record.examples[0].question_type != record.examples[1].question_type
        assert record.examples[2].references == (record.label,)
        assert record.examples[3].references == (NUMBERS[len(record.events)],)
        assert all(set(e.references) < set(e.choices or ()) for e in record.examples)


def test_no_two_clips_share_a_picture_or_a_sound(world: Path) -> None:
    for folder in ("images", "sounds"):
        assert len(set(files(world / folder).values())) == CLIPS


def test_sounds_are_a_second_of_8_khz(world: Path, records: list[Record]) -> None:
    for record in records[:20]:
        assert record.audio is not None
        info = soundfile.info(world / record.audio.path)
        assert (info.frames, info.samplerate, info.channels, info.subtype) == (8000, 8000, 1, "PCM_16")


def test_events_are_where_the_record_says(world: Path, records: list[Record]) -> None:
    for record in records:
        sound, inside = samples(world, record), np.zeros(8000, bool)
        assert all(a.end < b.start for a, b in pairwise(record.events))
        for event in record.events:
            assert {event.label} == {record.label}
            span = slice(round(event.start * SAMPLE_RATE_HZ), round(event.end * SAMPLE_RATE_HZ))
            inside[span] = True
            assert np.abs(sound[span]).max() > 0.2
        assert np.abs(sound[~inside]).max() < 0.1, record.id


def test_sounds_can_be_told_apart_by_their_spectra(world: Path, records: list[Record]) -> None:
    """The nearest mean spectrum, learnt on train: the least that any encoder must achieve."""

    def spectrum(record: Record) -> np.ndarray:
        loudness = np.abs(np.fft.rfft(samples(world, record)))[1:].reshape(40, -1).sum(1)
        return loudness / loudness.sum()

    known = {split: [r for r in records if r.split == split] for split in ("train", "test")}
    means = [np.mean([spectrum(r) for r in known["train"] if r.label == kind], 0) for kind in SOUNDS]
    right = [
        SOUNDS[int(np.argmin([np.linalg.norm(spectrum(r) - mean) for mean in means]))] == r.label
        for r in known["test"]
    ]
    assert len(right) > 150
    assert np.mean(right) > 0.97


def test_harder_clips_are_noisier(world: Path, records: list[Record]) -> None:
    """Noise before the first event can begin."""
    level = {
        name: np.std([samples(world, r)[:80] for r in records if r.difficulty == name])
        for name in ("easy", "medium", "hard")
    }
    assert 20 * np.log10(level["medium"] / level["easy"]) == pytest.approx(10, abs=1)
    assert 20 * np.log10(level["hard"] / level["medium"]) == pytest.approx(10, abs=1)


def test_an_unknown_sound_is_refused() -> None:
    with pytest.raises(InputError, match="'gong' is none of the synthetic sounds bell, knock"):
        play("gong", 1, "easy", np.random.default_rng(0))

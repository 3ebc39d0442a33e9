"""The hard and the foggy world: their shares, their splits, and metadata true to picture and sound."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from folders import files_of
from PIL import Image
from scipy.stats import binomtest

from safe_data.core.errors import InputError
from safe_data.records import Record
from safe_data.sources.all_sources import SOURCES
from safe_data.sources.synthetic.hints import NAMED_BY_COLOUR
from safe_data.sources.synthetic.murmur import LOUDEST_DB, QUIETEST_DB, draw_murmur
from safe_data.sources.synthetic.pictures import COLOURS
from safe_data.sources.synthetic.questions import NONE, NUMBERS, about_sound
from safe_data.sources.synthetic.sounds import NOISE_DB, SAMPLE_RATE_HZ, SOUNDS, mix
from safe_data.sources.synthetic.world import write_world
from safe_data.sources.synthetic.worlds import WORLDS

CLIPS = 600
Rows = list[dict[str, Any]]


def rows_of(root: Path) -> Rows:
    return [json.loads(line) for line in (root / "metadata.jsonl").read_text("utf-8").splitlines()]


def sha256_of(root: Path) -> str:
    digest = hashlib.sha256()
    for name, data in sorted(files_of(root).items()):
        digest.update(name.encode() + b"\0" + data + b"\0")
    return digest.hexdigest()


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("worlds")
    for name in ("hard", "foggy"):
        write_world(folder / name, clips=CLIPS, seed=3, world=name)
    return {name: folder / name for name in ("hard", "foggy")}


@pytest.fixture(scope="module")
def hard(roots: dict[str, Path]) -> Rows:
    return rows_of(roots["hard"])


@pytest.fixture(scope="module")
def foggy(roots: dict[str, Path]) -> Rows:
    return rows_of(roots["foggy"])


def seldom(found: int, among: int, share: float) -> bool:
    """Whether so many would be found by chance in less than one of ten thousand worlds of this share."""
    return bool(binomtest(found, among, share).pvalue < 1e-4)


# What each world is


@pytest.mark.parametrize(
    ("clips", "seed", "sha256"),
    [
        (24, 0, "dfcb3b603cbf9db114555f560e4397b6c348d1e8f4f24964bc14c7d289f3af6c"),
        (300, 5, "10769bbbcd8e267c0f24a072107887f85d7216f104a842b836e149b7bc2dfba7"),
    ],
)
def test_the_plain_world_has_the_bytes_it_had_when_it_was_the_only_one(
    tmp_path: Path, clips: int, seed: int, sha256: str
) -> None:
    write_world(tmp_path / "world", clips=clips, seed=seed)
    assert sha256_of(tmp_path / "world") == sha256


@pytest.mark.parametrize("world", ["hard", "foggy"])
def test_the_same_seed_and_name_give_the_same_bytes(tmp_path: Path, world: str) -> None:
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        write_world(tmp_path / name, clips=30, seed=seed, world=world)
    one, again, other = (files_of(tmp_path / name) for name in ("one", "again", "other"))
    assert one == again
    assert not [name for name in one if one[name] == other.get(name)]
    about = json.loads(one["world.json"])
    assert about == {
        "dataset": f"synthetic_{world}",
        "format_version": 1,
        "world": world,
        "clips": 30,
        "seed": 1,
    }


def test_one_world_is_not_taken_for_another(tmp_path: Path) -> None:
    write_world(tmp_path / "world", clips=24, seed=0)
    with pytest.raises(InputError, match=r'holds something else .*not .*"world": "hard"'):
        write_world(tmp_path / "world", clips=24, seed=0, world="hard")
    with pytest.raises(InputError, match="'hrad': no such world; did you mean 'hard'"):
        write_world(tmp_path / "other", clips=24, seed=0, world="hrad")
    with pytest.raises(InputError, match="clips=23: fewer than 24 do not fill four splits"):
        write_world(tmp_path / "other", clips=23, seed=0, world="hard")


def test_the_foggy_world_is_the_hard_one_in_fog(roots: dict[str, Path], hard: Rows, foggy: Rows) -> None:
    fog = [row["metadata"]["fog"] for row in foggy]
    assert not seldom(sum(fog), CLIPS, 0.3)
    clear, hidden = files_of(roots["hard"]), files_of(roots["foggy"])
    for one, other, in_fog in zip(hard, foggy, fog, strict=True):
        assert clear[one["audio_file_name"]] == hidden[other["audio_file_name"]]
        assert (clear[one["image_file_name"]] == hidden[other["image_file_name"]]) != in_fog
        assert one["examples"] == other["examples"]
        questions = other["metadata"]["questions"].values()
        assert {question["fog"] for question in questions} == {in_fog}
        spread = np.std(
            np.asarray(Image.open(roots["foggy"] / other["image_file_name"]), float)
            - np.asarray(Image.open(roots["hard"] / one["image_file_name"]), float)
        )
        assert 40 < spread < 75 if in_fog else spread == 0  # what is beyond black and white is cut off


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("world", ["hard", "foggy"])
def test_the_smallest_world_has_every_split(tmp_path: Path, world: str, seed: int) -> None:
    write_world(tmp_path / "world", clips=24, seed=seed, world=world)
    assert {row["split"] for row in rows_of(tmp_path / "world")} == {"train", "gate", "val", "test"}


def test_splits_are_by_group_and_large_enough_for_gates(hard: Rows) -> None:
    groups = {row["group"]: row["split"] for row in hard}
    assert all(groups[row["group"]] == row["split"] for row in hard)
    assert len({(row["group"], row["difficulty"]) for row in hard}) == len(groups)
    share = {split: count / CLIPS for split, count in Counter(row["split"] for row in hard).items()}
    assert share == pytest.approx({"train": 5 / 13, "test": 4 / 13, "gate": 3 / 13, "val": 1 / 13}, abs=0.05)
    # Of 2,400 clips, about a thousand questions about sounds to fit gates on, and 200 groups to test them on.
    asked = sum(one["needs_audio"] for row in hard if row["split"] == "gate" for one in row["examples"])
    assert asked * 2400 / CLIPS > 950
    assert sum(split == "test" for split in groups.values()) * 2400 / CLIPS > 200


# What is said of a clip is true


def test_hints_follow_from_the_picture_and_contradictions_from_the_sound(
    roots: dict[str, Path], hard: Rows
) -> None:
    """The colour of a lone object and the circles, from what other questions say and from the pixels."""
    looked = 0
    for row in hard:
        metadata, tells = row["metadata"], row["metadata"]["picture_tells"]
        pixels = np.asarray(Image.open(roots["hard"] / row["image_file_name"]), int)
        cells = pixels.reshape(2, 16, 2, 16, 3).swapaxes(1, 2).reshape(4, 256, 3)
        coloured = [cell[np.ptp(cell, axis=1) > 80] for cell in cells]
        shown = [cell.mean(0) for cell in coloured if len(cell) > 20]
        assert ("sound" in tells) == (len(shown) == 1)
        if len(shown) == 1:
            colour = min(COLOURS, key=lambda name: np.abs(shown[0] - COLOURS[name]).sum())
            assert tells["sound"] == NAMED_BY_COLOUR[colour]
        for one in row["examples"]:
            if one["prompt"] == "how many circles are there ?":
                assert one["references"][0] == tells.get("sound_count", "zero")
                looked += 1
        heard = {"sound": row["label"] or NONE, "sound_count": NUMBERS[len(row["events"])]}
        asked = {one["question_type"] for one in row["examples"] if one["needs_audio"]}
        wrong = [kind for kind in tells if tells[kind] != heard[kind] and kind in asked]
        assert sorted(metadata["contradicts"]) == sorted(wrong)
    assert looked > 50


def test_each_question_has_its_facts(roots: dict[str, Path]) -> None:
    for record in SOURCES["folder"](roots["foggy"]):
        assert isinstance(record, Record)
        about = record.metadata
        assert about["questions"].keys() == {example.id for example in record.examples}
        for example in record.examples:
            facts = about["questions"][example.id]
            assert facts["difficulty"] == record.difficulty
            assert all(facts[name] == about[name] for name in ("fog", "murmur"))
            assert facts.get("snr_db") == about.get("snr_db")
            assert ("snr_db" in facts) == bool(record.events)
            if example.needs_audio:
                told = about["picture_tells"].get(example.question_type, False)
                assert facts["picture_tells"] == told
                assert facts["contradicts"] == (bool(told) and told not in example.references)
            else:
                assert not facts.keys() & {"picture_tells", "contradicts"}


def test_snr_is_what_the_sound_shows(roots: dict[str, Path], hard: Rows) -> None:
    """From the power within events and outside; a murmur is not the same in both."""
    for row in hard:
        # Where the events are not much louder than the noise, a difference of powers is too rough.
        if not row["events"] or row["metadata"]["murmur"] or row["metadata"]["snr_db"] <= 3:
            continue
        samples, _ = soundfile.read(roots["hard"] / row["audio_file_name"])
        assert (np.abs(samples) >= 32767 / 32768).sum() <= 1  # turned down, not cut off
        inside = np.zeros(len(samples), bool)
        for event in row["events"]:
            inside[round(event["start"] * SAMPLE_RATE_HZ) : round(event["end"] * SAMPLE_RATE_HZ)] = True
        rest = np.mean(samples[~inside] ** 2)
        shown = 10 * np.log10(np.mean(samples[inside] ** 2) / rest - 1)
        assert shown == pytest.approx(row["metadata"]["snr_db"], abs=1.0), row["id"]


def test_shares_are_those_of_the_world(hard: Rows) -> None:
    world = WORLDS["hard"]
    assert not seldom(sum(not row["events"] for row in hard), CLIPS, world.silent)
    assert not seldom(sum(row["metadata"]["murmur"] for row in hard), CLIPS, world.murmuring)
    assert not any(row["metadata"]["fog"] for row in hard)
    assert world.true_hints == 0.95
    for kind in ("sound", "sound_count"):
        told = [row for row in hard if row["events"] and kind in row["metadata"]["picture_tells"]]
        wrong = sum(kind in row["metadata"]["contradicts"] for row in told)
        assert len(told) > 100
        assert not seldom(wrong, len(told), 0.05)
    groups = {row["group"]: row["difficulty"] for row in hard}
    assert set(groups.values()) == set(NOISE_DB)
    for level in NOISE_DB:
        assert not seldom(sum(one == level for one in groups.values()), len(groups), 1 / len(NOISE_DB))


def test_without_a_hint_the_picture_says_nothing(hard: Rows) -> None:
    """No kind of sound is more frequent than another by more than chance, and no number."""
    untold = [row for row in hard if row["events"] and "sound" not in row["metadata"]["picture_tells"]]
    for kind in SOUNDS:
        assert not seldom(sum(row["label"] == kind for row in untold), len(untold), 1 / len(SOUNDS))
    untold = [row for row in hard if row["events"] and "sound_count" not in row["metadata"]["picture_tells"]]
    for count in (1, 2, 3, 4):
        assert not seldom(sum(len(row["events"]) == count for row in untold), len(untold), 1 / 4)


# Silence and murmurs


def test_of_silence_none_is_heard(hard: Rows) -> None:
    silent = [row for row in hard if not row["events"]]
    assert silent
    for row in hard:
        (count,) = [one for one in row["examples"] if one["question_type"] == "sound_count"]
        assert count["choices"] == list(NUMBERS)
        assert count["references"] == [NUMBERS[len(row["events"])]]
        (kind,) = [one for one in row["examples"] if one["question_type"] == "sound"]
        assert kind["choices"] == [*SOUNDS, NONE]
        assert kind["references"] == [row["label"] if row["events"] else NONE]
        assert (row["label"] is None) == (not row["events"])
    assert [one.choices for one in about_sound("bell", 1)] == [SOUNDS, NUMBERS[1:]]


@pytest.mark.parametrize("seed", range(20))
def test_a_murmur_changes_no_answer_and_stays_beneath(seed: int) -> None:
    """The events, and so every answer, are the same with it and without; only the murmur is added."""
    rng = np.random.default_rng(seed)
    kind, count = SOUNDS[rng.integers(len(SOUNDS))], int(rng.integers(0, 5))
    kind_or_none = kind if count else None
    level = list(NOISE_DB)[rng.integers(3)]
    quiet, murmuring = (
        mix(kind_or_none, count, level, np.random.default_rng((seed, 1)), murmur=murmur)
        for murmur in (False, True)
    )
    assert murmuring.events == quiet.events
    assert len(quiet.events) == count
    added = (murmuring.samples.astype(float) - quiet.samples) / 32767
    loudness = 10 * np.log10(np.mean(added**2))
    assert QUIETEST_DB - 0.5 < loudness < LOUDEST_DB + 0.5
    assert (murmuring.snr_db is None) == (quiet.snr_db is None) == (count == 0)
    if murmuring.snr_db is not None and quiet.snr_db is not None:
        assert murmuring.snr_db < quiet.snr_db


@pytest.mark.parametrize("seed", range(10))
def test_a_murmur_has_the_pitch_and_the_rhythm_of_a_voice(seed: int) -> None:
    wave = draw_murmur(16000, 8000, np.random.default_rng(seed))
    spectrum = np.abs(np.fft.rfft(wave[:4000] * np.hanning(4000))) ** 2
    low = spectrum[: 4000 * 1200 // 8000].sum()
    assert low > 0.7 * spectrum.sum()
    envelope = np.sqrt(np.convolve(wave**2, np.ones(200) / 200, mode="same"))
    beat = np.abs(np.fft.rfft(envelope - envelope.mean()))[1:40]
    assert 3 <= (1 + int(np.argmax(beat))) / 2 <= 7  # syllables a second
    part = wave[600:1400]
    repeats = np.correlate(part, part, mode="full")[len(part) - 1 :]
    period = 30 + int(np.argmax(repeats[30:100]))
    assert repeats[period] > 0.5 * repeats[0]
    assert 80 < 8000 / period < 267

"""Planted faults: each is what the key says, nothing else changes, and the same seed gives the same bytes."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from folders import files_of
from PIL import Image

from safe_data import cli
from safe_data.core.command import run
from safe_data.core.errors import InputError
from safe_data.records import Record
from safe_data.sources.all_sources import SOURCES
from safe_data.sources.synthetic.faults import KINDS, parse_faults
from safe_data.sources.synthetic.faults_key import Key, Planted, false_pairs, read_key, recall
from safe_data.sources.synthetic.transforms import TRANSFORMS, disguise
from safe_data.sources.synthetic.world import write_world

CLIPS = 400
ALL = (
    "leakage=3,near_leakage=9,duplicate=5,near_duplicate=9,mismatch=4,silent=2,corrupt=2,ungrouped=2,"
    "label_conflict=3,answer_conflict=2,shared_group=2,imbalance=8"
)

Rows = dict[str, dict[str, Any]]


def rows_of(root: Path) -> Rows:
    return {row["id"]: row for row in map(json.loads, (root / "metadata.jsonl").read_text().splitlines())}


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clean") / "world"
    write_world(root, clips=CLIPS, seed=3)
    return root


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("faulty") / "world"
    words = ["synth", str(root), "--clips", str(CLIPS), "--seed", "3", "--faults", ALL]
    assert run("safe-data", "", {"synth": cli.synth}, words) == 0
    return root


def sound(root: Path, row: dict[str, Any]) -> np.ndarray:
    samples, _ = soundfile.read(root / row["audio_file_name"])
    return np.asarray(samples)


def test_all_that_was_asked_for_is_planted_in_clips_of_its_own(faulty: Path) -> None:
    key = read_key(faulty)
    assert key.asked == parse_faults(ALL)
    assert Counter(one.kind for one in key.planted) == {**key.asked, "imbalance": 1}
    used = [name for one in key.planted for name in (*one.records, one.copy_of) if name is not None]
    assert len(used) == len(set(used))


def test_nothing_else_changes(clean: Path, faulty: Path) -> None:
    before, after = rows_of(clean), rows_of(faulty)
    touched = {name for one in read_key(faulty).planted for name in one.records}
    dropped = {name for one in read_key(faulty).of("imbalance") for name in one.records}
    assert before.keys() - after.keys() == dropped
    for name in after.keys() - touched:
        assert after[name] == before[name]
        for medium in ("audio_file_name", "image_file_name"):
            path = after[name][medium]
            assert (faulty / path).read_bytes() == (clean / path).read_bytes()
    named = {row[medium] for row in after.values() for medium in ("audio_file_name", "image_file_name")}
    assert named == files_of(faulty).keys() - {"metadata.jsonl", "world.json", "faults.json"}
    assert all(isinstance(record, Record) for record in SOURCES["folder"](faulty))


@pytest.mark.parametrize("kind", ["leakage", "duplicate", "label_conflict", "answer_conflict"])
def test_an_exact_copy_is_one(faulty: Path, kind: str) -> None:
    rows = rows_of(faulty)
    for one in read_key(faulty).of(kind):
        copy, original = rows[one.records[0]], rows[str(one.copy_of)]
        same = {
            medium: (faulty / copy[medium]).read_bytes() == (faulty / original[medium]).read_bytes()
            for medium in ("audio_file_name", "image_file_name")
        }
        assert same == {"audio_file_name": True, "image_file_name": kind != "leakage"}
        splits = ("test", "train") if kind == "leakage" else (original["split"],) * 2
        assert (copy["split"], original["split"]) == splits == (one.split, one.copied_split)
        assert copy["group"] != original["group"]
        assert (copy["label"] == original["label"]) == (kind != "label_conflict")
        assert copy["events"] == original["events"]
        heard = [[e["references"] for e in row["examples"] if e["needs_audio"]] for row in (copy, original)]
        assert (heard[0] == heard[1]) == (kind != "answer_conflict")


@pytest.mark.parametrize("kind", ["near_leakage", "near_duplicate"])
def test_a_disguised_copy_has_other_bytes_and_its_events_where_they_are_heard(
    faulty: Path, kind: str
) -> None:
    rows, key = rows_of(faulty), read_key(faulty)
    assert {one.transform for one in key.of(kind)} == {*TRANSFORMS} - {"resample_8k"}
    for one in key.of(kind):
        copy, original = rows[one.records[0]], rows[str(one.copy_of)]
        assert (faulty / copy["audio_file_name"]).read_bytes() != (
            faulty / original["audio_file_name"]
        ).read_bytes()
        assert len(copy["events"]) == len(original["events"])
        assert [e["references"] for e in copy["examples"] if e["needs_audio"]] == [
            e["references"] for e in original["examples"] if e["needs_audio"]
        ]
        samples, rate = soundfile.read(faulty / copy["audio_file_name"])
        quiet = np.ones(len(samples), bool)
        for event in copy["events"]:
            span = slice(round(event["start"] * rate), round(event["end"] * rate))
            assert np.abs(samples[span]).max() > 0.05, one.transform
            quiet[max(0, span.start - rate // 50) : span.stop + rate // 50] = False
        assert np.abs(samples[quiet]).max() < 0.1, one.transform
        if kind == "near_duplicate":
            with Image.open(faulty / copy["image_file_name"]) as picture:
                assert picture.format == "JPEG"


def test_spoilt_clips_are_spoilt_as_the_key_says(faulty: Path, clean: Path) -> None:
    rows, before, key = rows_of(faulty), rows_of(clean), read_key(faulty)
    for one in key.of("mismatch"):
        row = rows[one.records[0]]
        assert row == before[one.records[0]]
        assert one.heard not in (None, row["label"])
        assert np.abs(sound(faulty, row) - sound(clean, row)).max() > 0.1
    for one in key.of("silent"):
        row = rows[one.records[0]]
        assert not sound(faulty, row).any()
        assert row["events"] == []
        assert [example["needs_audio"] for example in row["examples"]] == [False, False]
    for one in key.of("corrupt"):
        path = rows[one.records[0]]["audio_file_name"]
        whole = (clean / path).read_bytes()
        assert (faulty / path).read_bytes() == whole[: len(whole) // 2]
    for one in key.of("ungrouped"):
        assert rows[one.records[0]] == {**before[one.records[0]], "group": ""}
    for one in key.of("shared_group"):
        group = rows[one.records[0]]["group"]
        assert {row["split"] for row in rows.values() if row["group"] == group} == {"train", "test"}


def test_train_is_as_unbalanced_as_asked(faulty: Path) -> None:
    corrupt = {one.records[0] for one in read_key(faulty).of("corrupt")}
    rows = [row for row in rows_of(faulty).values() if row["id"] not in corrupt]
    counts = Counter(row["label"] for row in rows if row["split"] == "train")
    assert len(counts) == 6
    assert max(counts.values()) == 8 * min(counts.values())


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, faulty: Path) -> None:
    write_world(tmp_path / "again", clips=CLIPS, seed=3, faults=parse_faults(ALL))
    assert files_of(tmp_path / "again") == files_of(faulty)
    write_world(faulty, clips=CLIPS, seed=3, faults=parse_faults(ALL))  # nothing to do
    with pytest.raises(InputError, match=r"holds something else .*leakage"):
        write_world(faulty, clips=CLIPS, seed=3)


def test_a_coded_copy_has_the_same_bytes_at_any_time() -> None:
    """libsndfile would take the number of an Ogg stream from the clock."""
    samples = np.sin(np.arange(8000) / 5)
    file, suffix, _ = disguise(samples, 8000, "ogg", np.random.default_rng(0))
    assert suffix == ".ogg"
    serials = {
        file[place + 14 : place + 18] for place in range(len(file)) if file[place : place + 4] == b"OggS"
    }
    assert serials == {bytes(4)}


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ("leekage=3", "'leekage=3': no such fault; did you mean 'leakage'"),
        ("rot=3", "no such fault; write leakage=3,near_duplicate=5 and so on, of leakage, near_leakage"),
        ("", "no such fault; write leakage=3"),
        ("leakage", "not a whole number from 1"),
        ("leakage=0", "not a whole number from 1"),
        ("leakage=-1", "not a whole number from 1"),
        ("leakage=1.5", "not a whole number from 1"),
        ("leakage=²", "not a whole number from 1"),
        ("leakage=" + "9" * 5000, "not a whole number from 1"),
        ("imbalance=1", "not a whole number from 2"),
        ("leakage=1,leakage=2", "leakage is given twice"),
    ],
)
def test_faults_that_cannot_be_read_are_refused(faults: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_faults(faults)


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ("leakage=30", "leakage=30: no clip is left for it among 24; ask for more clips, or fewer faults"),
        ("imbalance=30", "train has at most 3 clips of a label; ask for more clips, or a smaller ratio"),
    ],
)
def test_more_faults_than_clips_are_refused(tmp_path: Path, faults: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        write_world(tmp_path / "world", clips=24, seed=0, faults=parse_faults(faults))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_can_be_planted_alone(tmp_path: Path, kind: str) -> None:
    write_world(tmp_path / "world", clips=60, seed=1, faults={kind: 2})
    assert {one.kind for one in read_key(tmp_path / "world").planted} == {kind}


def test_recall_counts_by_kind_and_transform() -> None:
    def copy(kind: str, name: str, transform: str) -> Planted:
        return Planted(kind, (name,), "train", copy_of=f"{name}0", copied_split="train", transform=transform)

    planted = (
        copy("near_duplicate", "a", "gain"),
        copy("near_duplicate", "b", "gain"),
        copy("near_duplicate", "c", "ogg"),
        copy("duplicate", "d", "same"),
        Planted("silent", ("e",), "train"),
    )
    key, found = Key(1, {}, planted), [("a0", "a"), ("d", "d0"), ("c", "a")]
    measured = {which: (one.found, one.planted, one.rate) for which, one in recall(key, found).items()}
    assert measured == {
        ("duplicate", "same"): (1, 1, 1.0),
        ("near_duplicate", "gain"): (1, 2, 0.5),
        ("near_duplicate", "ogg"): (0, 1, 0.0),
    }
    assert false_pairs(key, found) == [("c", "a")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "missing; make the world with"),
        ("[", "not a key to faults"),
        ('{"format_version": 2, "asked": {}, "planted": []}', "format 2, not 1"),
    ],
)
def test_a_key_that_cannot_be_read_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "faults.json").write_text(text)
    with pytest.raises(InputError, match=message):
        read_key(tmp_path)


def test_a_fault_in_the_hard_world_leaves_its_metadata_true(tmp_path: Path) -> None:
    """A copied sound may contradict another picture; nothing is wrong but what the key says."""
    words = ["synth", str(tmp_path / "world"), "--world", "foggy", "--clips", str(CLIPS), "--seed", "3"]
    faults = ALL.replace("imbalance=8", "imbalance=3")
    assert run("safe-data", "", {"synth": cli.synth}, [*words, "--faults", faults]) == 0
    write_world(tmp_path / "clean", clips=CLIPS, seed=3, world="foggy")
    rows, before, key = rows_of(tmp_path / "world"), rows_of(tmp_path / "clean"), read_key(tmp_path / "world")
    lies = {name for kind in ("answer_conflict", "mismatch") for one in key.of(kind) for name in one.records}
    for name, row in rows.items():
        about = row["metadata"]
        assert about["questions"].keys() == {one["id"] for one in row["examples"]}
        for one in row["examples"]:
            facts = about["questions"][one["id"]]
            assert (facts["difficulty"], facts["fog"]) == (row["difficulty"], about["fog"])
            if one["needs_audio"] and name not in lies:
                told = about["picture_tells"].get(one["question_type"], False)
                assert facts["picture_tells"] == told
                assert facts["contradicts"] == (bool(told) and told not in one["references"])
    for one in key.of("leakage"):
        copy, original, own = rows[one.records[0]], before[str(one.copy_of)], before[one.records[0]]
        assert [copy["metadata"].get(n) for n in ("murmur", "snr_db")] == [
            original["metadata"].get(n) for n in ("murmur", "snr_db")
        ]
        assert [copy["metadata"][n] for n in ("picture_tells", "fog")] == [
            own["metadata"][n] for n in ("picture_tells", "fog")
        ]
    planted = [before[name] for one in key.planted if one.kind != "imbalance" for name in one.records]
    assert all(row["events"] for row in planted)

"""Each suite is tripped by the faults that it is for, and by no other; a world without faults trips none.

Everything runs as a user runs it: a world is written, built and checked, and the written results are read.
"""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from safe_data import cli
from safe_data.audit.annotations import FORMAT_VERSION
from safe_data.audit.suites import SUITES, load_suites
from safe_data.build.build import build_dataset
from safe_data.core.command import run
from safe_data.shards.layout import MANIFEST, read_dataset
from safe_data.sources.synthetic.faults import KINDS, parse_faults
from safe_data.sources.synthetic.faults_key import Key, Planted, read_key
from safe_data.sources.synthetic.world import write_world

JUDGED = {suite.name for suite in load_suites()}
NO_FAULTS = Key(1, {}, ())

CURRICULUM = """\
stages:
  - name: easy
    weights: {world: 1}
    difficulty: {world: [easy]}
    until: {steps: 8}
  - name: all
    weights: {world: 1}
"""


@dataclass(frozen=True)
class Fault:
    """What is planted, and the critical rules that it breaks, with what they observe.

    `unjudged` are rules of other suites that cannot be judged any more. `given` makes the files that a user
    gives besides the dataset, by option. Rules about no record in particular name none.
    """

    suite: str
    breaks: dict[str, float]
    planted: str = ""
    unjudged: frozenset[str] = frozenset()
    given: Callable[[Path, Key], dict[str, str]] = lambda _root, _key: {}
    names_records: bool = True


def annotations_of(root: Path, key: Key) -> str:
    """What a person who hears and sees every record would have marked in a spot check."""
    dataset, wrong = read_dataset(root), {name for one in key.of("mismatch") for name in one.records}
    records = pq.read_table(root / MANIFEST, columns=["split", "id"]).to_pylist()
    verdicts = [{**one, "verdict": "mismatched" if one["id"] in wrong else "aligned"} for one in records]
    about = {"format_version": FORMAT_VERSION, "datasets": {dataset.name: dataset.fingerprint}}
    return json.dumps({**about, "annotations": [{"dataset": dataset.name, **one} for one in verdicts]})


FAULTS = {
    "ungrouped": Fault(
        "schema",
        {"records_without_group": 2},
        "ungrouped=2",
        unjudged=frozenset({"groups_in_two_splits"}),  # what has no group may be in any
    ),
    "corrupt": Fault("load", {"load_rate": 56 / 60}, "corrupt=4"),
    "imbalance": Fault("balance", {"class_imbalance": 5}, "imbalance=5", names_records=False),
    "leakage": Fault(
        "leakage",
        {
            "sound_files_in_two_splits": 2,
            "sounds_in_two_splits": 2,
            "near_sounds_in_two_splits": 2,
            "questions_in_two_splits": 2,
        },
        "leakage=2",
    ),
    "near_leakage": Fault(
        "leakage", {"near_sounds_in_two_splits": 3, "questions_in_two_splits": 3}, "near_leakage=3"
    ),
    "duplicate": Fault("duplicates", {"duplicate_records": 2}, "duplicate=2"),
    "label_conflict": Fault(
        "duplicates", {"duplicate_records": 2, "conflicting_labels": 4}, "label_conflict=2"
    ),
    "silent": Fault("content", {"silent_sounds": 2}, "silent=2"),
    "answer_conflict": Fault(
        "duplicates", {"duplicate_records": 2, "conflicting_answers": 4}, "answer_conflict=2"
    ),
    "shared_group": Fault("leakage", {"groups_in_two_splits": 2}, "shared_group=2"),
    "mismatch": Fault(
        "alignment",
        {"annotated_mismatched_rate": 3 / 60},
        "mismatch=3",
        given=lambda root, key: {"--annotations": annotations_of(root, key)},
    ),
    "undrawable curriculum": Fault(
        "sampling",
        {"undrawable_stages": 1},
        given=lambda _root, _key: {"--sampling": CURRICULUM.replace("[easy]", "[unrated]")},
        names_records=False,
    ),
}
CLIPS, SEED = 60, 11

Results = list[dict[str, Any]]


def built(folder: Path, clips: int, planted: str = "", split: Callable[[Path], None] | None = None) -> Path:
    """A world with its faults, and the dataset that is built of it; `split` may change the world before."""
    write_world(folder / "world", clips=clips, seed=SEED, faults=parse_faults(planted) if planted else None)
    if split is not None:
        split(folder / "world")
    build_dataset(folder / "world", str(folder / "shards"), encoders=(), quiet=True)
    return folder / "shards"


def checked(root: Path, *words: str) -> tuple[int, Results]:
    """The exit code of `safe-data check`, and its written results."""
    code = run("safe-data", "", {"check": cli.check}, ["check", str(root), "--quiet", "--force", *words])
    return code, json.loads((root / "check" / "results.json").read_text())["results"]


def labelled(results: Results, *labels: str) -> dict[str, dict[str, Any]]:
    return {"+".join(one["columns"]): one for one in results if one["label"] in labels}


def test_every_suite_and_every_kind_of_fault_has_a_case() -> None:
    """Copies in disguise within a split are a warning, and have a test of their own."""
    assert {fault.suite for fault in FAULTS.values()} == set(SUITES) == JUDGED
    assert {*FAULTS} | {"near_duplicate"} == {*KINDS, "undrawable curriculum"}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_trips_its_suite_and_no_other(name: str, tmp_path: Path) -> None:
    fault = FAULTS[name]
    root = built(tmp_path, CLIPS, fault.planted)
    key = read_key(tmp_path / "world") if fault.planted else NO_FAULTS
    code, results = checked(root, *written(tmp_path, fault.given(root, key)))
    failed = labelled(results, "FAIL")
    assert {rule: one["observed"] for rule, one in failed.items()} == pytest.approx(fault.breaks)
    assert {one["suite"] for one in failed.values()} == {fault.suite}
    assert {*labelled(results, "not judged")} == fault.unjudged
    assert code == (2 if fault.unjudged else 1)
    if fault.names_records:
        for rule, one in failed.items():
            assert named(one) >= {name for planted in key.planted for name in planted.records}, rule
            assert name == "shared_group" or named(one) <= touched(key), rule


def written(folder: Path, given: dict[str, str]) -> Iterator[str]:
    """The options whose values are files of these texts."""
    for number, (option, text) in enumerate(given.items()):
        path = folder / f"given-{number}"
        path.write_text(text)
        yield from (option, str(path))


def named(result: dict[str, Any]) -> set[str]:
    """The ids of the records that a result names."""
    return {label.rpartition("/")[2] for one in result["offenders"] for label in one["records"]}


def touched(key: Key) -> set[str]:
    """The ids of records with a fault, and of those of which they are copies."""
    return {name for one in key.planted for name in (*one.records, one.copy_of) if name is not None}


def test_a_world_without_faults_trips_no_suite(tmp_path: Path) -> None:
    root = built(tmp_path, 200)
    given = {"--sampling": CURRICULUM, "--annotations": annotations_of(root, NO_FAULTS)}
    code, results = checked(root, *written(tmp_path, given))
    assert labelled(results, "FAIL", "warn", "info", "not judged") == {}
    assert code == 0
    judged = {one["suite"] for one in results if one["label"] == "ok"}
    assert judged == JUDGED


def test_copies_in_disguise_within_a_split_are_a_warning(tmp_path: Path) -> None:
    root = built(tmp_path, CLIPS, "near_duplicate=9")
    code, results = checked(root)
    warned = labelled(results, "warn")
    assert (code, labelled(results, "FAIL", "not judged")) == (0, {})
    assert warned["near_duplicate_sounds"]["observed"] == 9
    assert named(warned["near_duplicate_sounds"]) == touched(read_key(tmp_path / "world"))
    assert {one["suite"] for one in warned.values()} == {"duplicates"}


# A split at random, of data that hold one recording several times

COPIES = "duplicate=6,near_duplicate=9"


def split_at_random(world: Path, merged: bool) -> None:
    """Give each group a split at random; `merged` groups have all copies of a recording in one of them."""
    rows = [json.loads(line) for line in (world / "metadata.jsonl").read_text().splitlines()]
    if merged:
        row_of = {row["id"]: row for row in rows}
        for one in read_key(world).planted:
            old, new = row_of[one.records[0]]["group"], row_of[str(one.copy_of)]["group"]
            for row in rows:
                row["group"] = new if row["group"] == old else row["group"]
    rng = random.Random(SEED)
    split_of = {group: rng.choice(["train", "train", "test"]) for group in sorted({r["group"] for r in rows})}
    text = "".join(json.dumps({**row, "split": split_of[row["group"]]}) + "\n" for row in rows)
    (world / "metadata.jsonl").write_text(text)


def torn(root: Path, key: Key) -> list[Planted]:
    """The copies of whose recordings one is in train and the other in test."""
    rows = [json.loads(line) for line in (root / "metadata.jsonl").read_text().splitlines()]
    split_of = {row["id"]: row["split"] for row in rows}
    return [one for one in key.planted if split_of[one.records[0]] != split_of[str(one.copy_of)]]


def test_a_random_split_of_duplicated_data_is_caught(tmp_path: Path) -> None:
    """No group is in two splits, so that only the likeness of the recordings tells."""
    root = built(tmp_path, 150, COPIES, lambda world: split_at_random(world, merged=False))
    _, results = checked(root, "--suite", "leakage")
    apart = torn(tmp_path / "world", read_key(tmp_path / "world"))
    exact = [one for one in apart if one.transform == "same"]
    assert len(apart) > len(exact) > 0
    failed = labelled(results, "FAIL")
    assert "groups_in_two_splits" not in failed
    assert failed["sounds_in_two_splits"]["observed"] == len(exact)
    assert failed["near_sounds_in_two_splits"]["observed"] == len(apart)


def test_the_same_data_split_by_recording_do_not_leak(tmp_path: Path) -> None:
    root = built(tmp_path, 150, COPIES, lambda world: split_at_random(world, merged=True))
    assert not torn(tmp_path / "world", read_key(tmp_path / "world"))
    code, results = checked(root, "--suite", "leakage")
    assert (code, labelled(results, "FAIL", "warn")) == (0, {})


# The audit, which names records where a check only judges

FOUND_AS = {
    "leakage": "leakage",
    "near_leakage": "leakage",
    "duplicate": "duplicate_records",
    "near_duplicate": "near_duplicate_sounds",
    "label_conflict": "conflicting_labels",
    "answer_conflict": "conflicting_answers",
    "silent": "silent_sounds",
    "corrupt": "load_rate",
    "ungrouped": "records_without_group",
}


def test_an_audit_names_every_planted_record_and_no_other(tmp_path: Path) -> None:
    """Each disguise of a sound is there once among the leaks, and once among the duplicates."""
    counts = {kind: 9 if kind.startswith("near_") else 2 for kind in FOUND_AS}
    root = built(tmp_path, 200, ",".join(f"{kind}={count}" for kind, count in counts.items()))
    key = read_key(tmp_path / "world")
    assert run("safe-data", "", {"audit": cli.audit}, ["audit", str(root), "--quiet"]) == 0
    found: dict[str, set[str]] = {}
    for finding in pq.read_table(root / "audit" / "findings.parquet").to_pylist():
        names = {label.rpartition("/")[2] for label in finding["ids"]}
        found[finding["kind"]] = found.get(finding["kind"], set()) | names
    for one in key.planted:
        assert found[FOUND_AS[one.kind]].issuperset(one.records), one
    assert set.union(*found.values()) <= touched(key)

"""`safe-data split`, from a corpus or a built dataset to splits that a build follows and an audit passes."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv as pa_csv
import pytest
import soundfile
from corpora import real, write_json
from folders import picture_bytes, write_rows

from safe_data.audit.corpus import open_corpus
from safe_data.audit.facts.all_facts import compute_facts
from safe_data.cli import main
from safe_data.sources import folder

LEAKS = [
    "ids_in_two_splits",
    "groups_in_two_splits",
    "sound_files_in_two_splits",
    "sounds_in_two_splits",
    "near_sounds_in_two_splits",
    "picture_files_in_two_splits",
    "pictures_in_two_splits",
    "near_pictures_in_two_splits",
    "questions_in_two_splits",
]


def disguised(number: int, copy: int) -> bytes:
    """A second of tones in noise; copy 1 is the same bytes, copy 2 is quieter and in Ogg Vorbis."""
    rng = np.random.default_rng(number)
    at = np.arange(8000) / 8000
    tones = sum(np.sin(2 * np.pi * rng.uniform(200, 3000) * at) for _ in range(3))
    samples = 0.1 * np.asarray(tones) + rng.normal(0, 0.03, 8000)
    file = io.BytesIO()
    kind = ("OGG", "VORBIS") if copy == 2 else ("WAV", "PCM_16")
    soundfile.write(file, samples * (0.5 if copy == 2 else 1), 8000, format=kind[0], subtype=kind[1])
    return file.getvalue()


def write_copies(root: Path, sounds: int = 8) -> Path:
    """Each sound three times, each time in another group and with another picture."""
    rows = []
    for number in range(3 * sounds):
        sound, copy = number // 3, number % 3
        name = f"clip-{number:02d}"
        media = {
            "image_file_name": f"{name}.png",
            "audio_file_name": f"{name}.{'ogg' if copy == 2 else 'wav'}",
        }
        asked = {"task": "vqa", "prompt": "which?", "references": [f"sound {sound}"], "needs_audio": True}
        about = {"id": name, "group": f"g{number}", "label": "ab"[sound % 2], "split": "train"}
        rows.append({**about, **media, "examples": [{"id": f"{name}-q", **asked}]})
        root.mkdir(exist_ok=True)
        (root / media["image_file_name"]).write_bytes(
            picture_bytes(colour=(number * 9, 255 - number * 9, 40))
        )
        (root / media["audio_file_name"]).write_bytes(disguised(sound, copy))
    return write_rows(root, rows)


def run(*words: object) -> int:
    return main([*map(str, words), "--quiet"])


def leaks(root: Path) -> dict[str, float | None]:
    return {name: fact.value for name, fact in compute_facts(open_corpus([str(root)]), LEAKS).items()}


def splits_of(out: Path) -> list[dict[str, Any]]:
    return pa_csv.read_csv(out / "splits.csv").to_pylist()


def test_a_random_split_of_copies_is_caught_and_a_split_by_clusters_is_not(tmp_path: Path) -> None:
    world, built = write_copies(tmp_path / "world"), tmp_path / "built"
    assert run("build", world, built) == 0
    halves = ["--fractions", ".5", ".5", "--stratify", "label"]
    assert run("split", built, tmp_path / "random", *halves) == 0
    assert run("split", built, tmp_path / "merged", *halves, "--merge-duplicates") == 0
    for name in ("random", "merged"):
        assert (
            run("build", world, tmp_path / f"{name}-built", "--splits", tmp_path / name / "splits.csv") == 0
        )
    caught = leaks(tmp_path / "random-built")
    assert caught["groups_in_two_splits"] == 0
    assert caught["sounds_in_two_splits"]
    assert caught["near_sounds_in_two_splits"] > caught["sounds_in_two_splits"]
    assert caught["questions_in_two_splits"]
    assert set(leaks(tmp_path / "merged-built").values()) == {0}
    report = json.loads((tmp_path / "merged/split.json").read_bytes())
    assert (report["clusters"], report["units"], report["joined_units"], report["groups"]) == (8, 8, 8, 24)
    assert [part["records"] for part in report["splits"]] == [12, 12]
    assert [part["class_error"] for part in report["splits"]] == [0, 0]


def test_a_folder_gets_metadata_with_the_new_splits_before_media_are_there(tmp_path: Path) -> None:
    rows = [
        {"id": f"c{number}", "group": f"g{number // 2}", "file_name": f"a/{number}.wav", "start_seconds": 1.5}
        for number in range(40)
    ]
    world = write_rows(tmp_path / "world", [*rows, {"id": "odd", "file_name": "a.wav", "colour": "red"}])
    before = {record.id: record for record in folder.read(world)}
    assert run("split", world, tmp_path / "out", "--dev", ".25", "--folds", "3") == 0
    splits = {row["id"]: row for row in splits_of(tmp_path / "out")}
    assert list(splits) == list(before)  # the faulty row too
    (world / "metadata.jsonl").write_bytes((tmp_path / "out/metadata.jsonl").read_bytes())
    after = {record.id: record for record in folder.read(world)}
    assert len(after) == 40
    for name, record in after.items():
        assert record == before[name].model_copy(update={"split": splits[name]["split"]})
    counts = [
        sum(row["split"] == name for row in splits.values()) for name in ("train", "dev", "val", "test")
    ]
    assert counts == [25, 8, 4, 4]  # the faulty row is in train
    assert {row["fold"] for row in splits.values() if row["split"] == "train"} == {0, 1, 2}
    assert {row["fold"] for row in splits.values() if row["split"] != "train"} == {None}


def test_the_same_splits_may_be_written_again_and_others_not(tmp_path: Path, capsys) -> None:
    world = write_rows(tmp_path / "world", [{"id": f"c{n}", "file_name": f"{n}.wav"} for n in range(20)])
    assert run("split", world, tmp_path / "out") == 0
    assert run("split", world, tmp_path / "out") == 0
    capsys.readouterr()
    assert run("split", world, tmp_path / "out", "--seed", "1") == 3
    assert "is there already, and holds something else" in capsys.readouterr().err
    assert run("split", world, tmp_path / "out", "--seed", "1", "--force") == 0


def test_a_giant_group_is_said_and_is_exit_code_1(tmp_path: Path, capsys) -> None:
    rows = [
        {"id": f"c{n}", "file_name": f"{n}.wav", "group": "big" if n < 36 else f"g{n}"} for n in range(40)
    ]
    assert run("split", write_rows(tmp_path / "world", rows), tmp_path / "out") == 1
    assert (
        "not reached: group big has 90 % of them, more than any split should have" in capsys.readouterr().out
    )
    assert (tmp_path / "out/splits.csv").is_file()


def question(number: int, video: str) -> dict[str, object]:
    kind = '["Audio", "Counting"]' if number % 2 else '["Visual", "Location"]'
    words = {"question_content": "How many <Object>?", "templ_values": '["flute"]', "anser": "two"}
    return {"video_id": video, "question_id": number, "type": kind, **words}


def test_official_splits_are_cleaned_and_the_cost_is_counted(tmp_path: Path, capsys) -> None:
    asked = {"val": ["00000001", "00000002"], "test": ["00000001", "00000001", "va00000002", "00000003"]}
    for split, videos in asked.items():
        write_json(tmp_path / f"c/avqa-{split}.json", [question(*one) for one in enumerate(videos)])
    clean = ["split", tmp_path / "c", tmp_path / "out", "--source", "music_avqa", "--clean"]
    assert run(*clean, "--stratify", "question_type") == 0
    assert "test         3     2  0.667          4      3   0.750" in capsys.readouterr().out
    assert (tmp_path / "out/test.clean.txt").read_text() == "test-00000003\n"
    assert (tmp_path / "out/val.clean.txt").read_text() == "val-00000001\nval-00000002\n"
    kept = [(row["split"], row["before"], row["leaks"]) for row in splits_of(tmp_path / "out")]
    assert kept == [("val", "val", "")] * 2 + [("test", "test", "val")] * 2 + [("test", "test", "")]


def test_the_real_music_avqa(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    for split in ("val", "test"):
        data = real(f"music_avqa/json_avqa-{split}.json.gz").read_bytes()
        (tmp_path / f"c/avqa-{split}.json.gz").write_bytes(data)
    assert run("split", tmp_path / "c", tmp_path / "out", "--source", "music_avqa", "--clean") == 0
    _, test = json.loads((tmp_path / "out/split.json").read_bytes())["cleaned"]
    assert (test["records"], test["questions"]) == (6399, 9185)
    assert (test["leaking_records"], test["leaking_questions"]) == (2524, 3319)
    assert len((tmp_path / "out/test.clean.txt").read_text().split()) == 6399 - 2524


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--fractions", ".8", ".1"], "--fractions 0.8 0.1: have the sum 0.9; give shares with the sum 1"),
        (["--fractions", ".5", ".5", "0"], "--fractions 0.5 0.5 0: each is above 0, and at most 1"),
        (["--names", "a", "b"], "--fractions 0.8 0.1 0.1: give as many --names, and not 2"),
        (["--names", "a", "b", "b"], "--names: 'b' is there twice; give each split its own name"),
        (["--names", "a", "b", "dev", "--dev", ".1"], "--names: 'dev' is there twice; give each split"),
        (["--names", "a", "b", "c/d"], "--names 'c/d': may hold only A-Z a-z 0-9 _ and -"),
        (["--dev", "1"], "--dev 1: is a share of train, between 0 and 1"),
        (["--folds", "1"], "--folds 1: give 2 or more"),
        (["--tolerance", "2"], "--tolerance 2: is a share, from 0 to 1"),
        (["--clean", "--fractions", "1"], "--fractions makes new splits, and --clean keeps the old ones"),
        (["--merge-duplicates"], "{world}: --merge-duplicates compares media, and only annotations are read"),
        (["--group", "speaker"], "--group speaker: no column of text of the manifest; choose from id, "),
        (
            ["--stratify", "lable"],
            "--stratify lable: no column of text of the manifest; did you mean 'label'?",
        ),
        (["--stratify", "label"], "--stratify label: no record has one; choose another column"),
        (["--stratify", "question_type"], "--stratify question_type: no question has a type"),
        (["--seed", "-1"], "seed=-1: a seed is 0 or more"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    tmp_path: Path, capsys, words: list[str], message: str
) -> None:
    world = write_rows(tmp_path / "world", [{"id": f"c{n}", "file_name": f"{n}.wav"} for n in range(20)])
    assert run("split", world, tmp_path / "out", *words) == 3
    assert capsys.readouterr().err.startswith(f"safe-data split: {message.format(world=world)}")
    assert not (tmp_path / "out").exists()

"""Baselines find what is planted and nothing else, never see test, and are scored like others."""

import hashlib
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from made_sounds import planted_row, write_planted

from safe_data.build.build import build_dataset
from safe_data.core.errors import InputError
from safe_eval.baselines.accuracies import Accuracy
from safe_eval.baselines.baselines import Baselines, baseline_predictions
from safe_eval.cli import main
from safe_eval.predictions import read_predictions, select
from safe_eval.scoring.score import score_files

MODELS = ["chance", "majority", "shortcut", "shortcut-normalised", "probe"]


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out") / "baselines.jsonl"


@pytest.fixture(scope="module")
def levelled(by_level: Path, out: Path) -> Baselines:
    return baseline_predictions([by_level], on=[by_level], out=out)


def of(found: Baselines, model: str, kind: str = "hear") -> Accuracy:
    return next(one for one in found.accuracies if (one.model, one.question_type) == (model, kind))


def test_a_level_that_tells_is_found_by_the_shortcut_and_by_no_other(levelled: Baselines) -> None:
    assert of(levelled, "shortcut").value == 1.0
    for model in ("shortcut-normalised", "probe", "chance"):
        assert 0.3 < of(levelled, model).value < 0.7, model
        assert of(levelled, model).ci_low < 0.5 < of(levelled, model).ci_high


def test_a_pitch_that_tells_is_found_by_the_probe(by_pitch: Path, tmp_path: Path) -> None:
    found = baseline_predictions([by_pitch], on=[by_pitch], out=tmp_path / "p.jsonl")
    assert of(found, "probe").value == 1.0
    assert of(found, "shortcut").value < 0.75
    assert of(found, "probe").detectable < of(found, "probe").value - of(found, "majority").value


def test_what_needs_no_sound_has_chance_and_majority_alone(levelled: Baselines) -> None:
    models = [(one.question_type, one.model) for one in levelled.accuracies]
    assert models == [*(("hear", model) for model in MODELS), ("see", "chance"), ("see", "majority")]
    assert [(one.question_type, one.n, one.classes, one.hears) for one in levelled.fitted] == [
        ("hear", 100, 2, True),
        ("see", 100, 2, False),
    ]


def test_majority_is_the_most_frequent_answer_of_training(
    levelled: Baselines, out: Path, answers: list[str]
) -> None:
    rows = select(read_predictions(out), model="majority")
    expected = {"hear": Counter(answers[:100]).most_common(1)[0][0], "see": "red"}
    assert all(row.answer == expected[row.question_type] for row in rows)
    assert of(levelled, "majority").value == np.mean([one == expected["hear"] for one in answers[100:]])


def test_chance_follows_from_the_seed_and_the_example(levelled: Baselines, out: Path) -> None:
    for row in select(read_predictions(out), model="chance", question_type="hear"):
        drawn = hashlib.sha256(f"0 {row.example_id}".encode()).digest()
        assert row.answer == ["loud", "soft"][drawn[-1] % 2]


def test_rows_say_what_a_run_says(levelled: Baselines, out: Path, by_level: Path) -> None:
    rows = read_predictions(out)
    heard = select(rows, model="shortcut")
    assert {(row.split, row.dataset, row.condition, row.needs_audio) for row in heard} == {
        ("test", "by_level", "full", True)
    }
    assert {row.group for row in rows} == {f"g{number}" for number in range(50, 80)}
    assert all(row.audio_rms_db < -15 and row.audio_sha256 and row.prompt == "?" for row in heard)
    assert heard[0].metadata["sent"]["sound"] == "own"
    assert {row.audio_sha256 for row in select(rows, model="majority")} == {None}


def test_confidences_are_those_of_the_answers(levelled: Baselines, out: Path) -> None:
    for row in select(read_predictions(out), model="probe"):
        assert sum(row.choice_probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert (
            row.confidence == row.choice_probabilities[row.answer] == max(row.choice_probabilities.values())
        )


def test_the_table_equals_the_scores_of_the_file(levelled: Baselines, out: Path) -> None:
    scored = {(one.metric, one.dataset, one.slice, one.model): one for one in score_files([out]).metrics}
    for one in levelled.accuracies:
        same = scored[one.metric, one.dataset, f"type:{one.question_type}", one.model]
        for name in ("value", "ci_low", "ci_high", "confidence", "n", "clusters", "effective_clusters"):
            assert getattr(one, name) == getattr(same, name), name


def test_detects_is_what_compare_says(
    levelled: Baselines, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--model-a", "probe", "--baseline", "majority", "--by", "question_type", "--intersect"]
    assert main(["compare", str(out), *words, "--format", "json", "--quiet"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    said = next(one["detectable"] for one in rows if one["slice"] == "all")
    assert of(levelled, "probe").detectable == said


def test_the_same_inputs_give_the_same_bytes(
    levelled: Baselines, by_level: Path, out: Path, tmp_path: Path
) -> None:
    baseline_predictions([by_level], on=[by_level], out=tmp_path / "again.jsonl")
    assert (tmp_path / "again.jsonl").read_bytes() == out.read_bytes()
    baseline_predictions([by_level], on=[by_level], out=tmp_path / "other.jsonl", seed=1)
    rows = read_predictions(tmp_path / "other.jsonl")
    assert [row.answer for row in select(rows, model="chance")] != [
        row.answer for row in select(read_predictions(out), model="chance")
    ]


def test_no_answer_of_test_is_used(
    by_level: Path, answers: list[str], tmp_path: Path, out: Path, levelled: Baselines
) -> None:
    """With the answers of test turned round, everything answers as before."""
    turned = [*answers[:100], *("soft" if one == "loud" else "loud" for one in answers[100:])]
    rng = np.random.default_rng(1)
    sounds = [(0.1 if one == "loud" else 0.02) * rng.standard_normal(2000) for one in answers]
    write_planted(tmp_path / "by_level", [planted_row(n, one) for n, one in enumerate(turned)], sounds)
    build_dataset(tmp_path / "by_level", tmp_path / "shards", quiet=True)
    found = baseline_predictions([tmp_path / "shards"], on=[tmp_path / "shards"], out=tmp_path / "t.jsonl")
    assert of(found, "shortcut").value == 0.0
    for model in MODELS[:4]:  # the probe reads other embeddings
        before, after = (select(read_predictions(file), model=model) for file in (out, tmp_path / "t.jsonl"))
        assert [row.answer for row in before] == [row.answer for row in after]


def test_several_datasets_are_fitted_and_asked_together(
    by_level: Path, by_pitch: Path, tmp_path: Path
) -> None:
    found = baseline_predictions([by_level, by_pitch], on=[by_pitch, by_level], out=tmp_path / "p.jsonl")
    assert {(one.dataset, one.n) for one in found.accuracies} == {("by_level", 60), ("by_pitch", 60)}
    assert {one.n for one in found.fitted} == {200}


def test_a_leak_is_refused(by_level: Path, by_pitch: Path, answers: list[str], tmp_path: Path) -> None:
    out = tmp_path / "p.jsonl"
    with pytest.raises(InputError, match=r"split 'train' of 'by_level' is fitted on and asked"):
        baseline_predictions([by_level], on=[by_level], out=out, on_split="train")
    rows = [planted_row(number, one, split="test") for number, one in enumerate(answers[:4])]
    write_planted(tmp_path / "copied", rows, [0.1 * np.ones(800)] * 4)
    build_dataset(tmp_path / "copied", tmp_path / "shards", quiet=True)
    with pytest.raises(InputError, match=r"2 groups are fitted on and asked, for example 'g0'"):
        baseline_predictions([by_level], on=[tmp_path / "shards"], out=out)
    with pytest.raises(InputError, match=r"'by_pitch' is in two of the datasets"):
        baseline_predictions([by_pitch, by_pitch], on=[by_level], out=out)
    assert not out.exists()


def test_too_little_to_fit_is_noted(
    answers: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A class, rows or types too few leave a model out, and the others answer."""
    rows = [planted_row(n, one, split="train" if n < 6 else "test") for n, one in enumerate(answers[:12])]
    rows[11]["examples"][0]["question_type"] = "new"
    rows[10]["audio_file_name"] = None
    sounds = [0.1 * np.random.default_rng(n).standard_normal(800) for n in range(12)]
    kept = [n for n in range(12) if n != 10]
    write_planted(tmp_path / "few", [rows[n] for n in kept], [sounds[n] for n in kept])
    with (tmp_path / "few" / "metadata.jsonl").open("a") as file:
        file.write(json.dumps({name: value for name, value in rows[10].items() if value is not None}) + "\n")
    build_dataset(tmp_path / "few", tmp_path / "shards", quiet=True)
    shards, out = str(tmp_path / "shards"), str(tmp_path / "p.jsonl")
    assert main(["baselines", shards, "--on", shards, "--out", out, "--quiet"]) == 0
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        "note: test, shards: 1 question of a type about sounds without a sound, or that need none; left out",
        "note: type new: 1 question of a type that training lacks; left out",
        *(
            f"note: {name}, type hear: training has 6 such questions; a regression needs 10; left out"
            for name in MODELS[2:]
        ),
    ]
    assert {row.model for row in read_predictions(out)} == {"chance", "majority"}
    assert "majority" in said.out
    assert "detects: the smallest true difference from majority" in said.out


def test_a_file_is_replaced_with_force_only(
    by_level: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["baselines", str(by_level), "--on", str(by_level), "--out", str(tmp_path / "p.jsonl"), "--quiet"]
    (tmp_path / "p.jsonl").write_text("mine")
    assert main(words) == 3
    assert "is there already, and holds something else" in capsys.readouterr().err
    assert main([*words, "--force", "--format", "csv"]) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.startswith("metric,dataset,question type,classes,model,accuracy")
    assert len(lines) == len(MODELS) + 2
    assert main([*words, "--encoder", "clap"]) == 3
    assert "no embeddings are named 'clap'" in capsys.readouterr().err

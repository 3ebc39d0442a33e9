"""safe:CHECKPOINT: safe-eval run writes what safe-train predict writes."""

from pathlib import Path

import pytest

from safe_eval.cli import main as eval_main
from safe_eval.predictions import read_predictions
from safe_train.cli import main as train_main

CONDITIONS = ("full", "mute_audio", "swap_audio", "gate_off", "noise_audio")


@pytest.fixture
def words(adapter: Path, shards: Path, untaught: Path, tmp_path: Path) -> list[str]:
    asked = [word for condition in CONDITIONS for word in ("--condition", condition)]
    where = ["--data", str(shards), "--out", str(tmp_path / "run"), "--batch-size", "20", "--quiet"]
    return ["run", "--model", f"safe:{adapter}", "--arg", f"backbone={untaught}", *where, *asked]


def test_the_rows_are_those_of_predict_to_the_byte(
    words: list[str], adapter: Path, shards: Path, untaught: Path, tmp_path: Path
) -> None:
    assert eval_main(words) == 0
    asked = [word for condition in CONDITIONS for word in ("--condition", condition)]
    out = tmp_path / "predicted.jsonl"
    command = ["predict", str(adapter), str(shards), "--backbone", str(untaught), "--out", str(out)]
    assert train_main([*command, "--batch-size", "20", *asked]) == 0
    assert (tmp_path / "run" / "predictions.jsonl").read_bytes() == out.read_bytes()


def test_the_base_may_be_left_out_and_the_model_named(words: list[str], tmp_path: Path) -> None:
    options = ["--arg", "without_base=true", "--name", "ours", "--arg", "answer_tokens=2", "--limit", "5"]
    assert eval_main([*words, *options]) == 0
    rows = read_predictions(tmp_path / "run" / "predictions.jsonl")
    assert {row.model for row in rows} == {"ours"}
    assert len(rows) == 5 * len(CONDITIONS)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--arg", "backbon=x"], "--arg backbon: is no setting of a checkpoint; did you mean 'backbone'?"),
        (["--arg", "without_base=maybe"], "write true or false"),
        (["--system", "Be brief."], "--system: a checkpoint is asked as in training; leave it out"),
        (["--model", "safe:nowhere"], "nowhere"),
        (["--arg", "answer_tokens=many"], "answer_tokens=many: write a whole number"),
    ],
)
def test_what_a_checkpoint_cannot_be_asked(
    words: list[str], options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert eval_main([*words, *options]) == 3
    assert message in capsys.readouterr().err


def test_another_dataset_is_refused_unless_meant(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from safe_data.build.build import build_dataset
    from safe_data.sources.synthetic.world import write_world

    write_world(tmp_path / "world", clips=24, seed=5)
    build_dataset(tmp_path / "world", tmp_path / "other")
    elsewhere = [*words[:6], str(tmp_path / "other"), *words[7:]]
    assert words[5] == "--data"
    assert eval_main(elsewhere) == 3
    assert "safe-eval run: --arg allow_other_dataset=true" in capsys.readouterr().err
    assert not (tmp_path / "run" / "predictions.jsonl.run.json").exists()
    assert eval_main([*elsewhere, "--arg", "allow_other_dataset=true", "--limit", "3"]) == 0
